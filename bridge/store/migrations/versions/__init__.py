"""Alembic looks for the revisions here."""
