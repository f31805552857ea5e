"""Erasures and disclosures; the identity an order was sent with.

Revision ID: 0002
"""

import sqlalchemy as sa
from alembic import op

from bridge.store.types import Moment, RowId

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create the tables of what customers may demand."""
    op.add_column("orders", sa.Column("identity", sa.Text(), nullable=True))
    op.create_table(
        "erasures",
        sa.Column("id", RowId, autoincrement=True, nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("event_id", RowId, nullable=False),
        sa.Column("asked_at", Moment(), nullable=False),
        sa.Column("whose", sa.Text(), nullable=True),
        sa.Column("cursor", RowId, nullable=False),
        sa.Column("orders", sa.Integer(), nullable=False),
        sa.Column("users", sa.Text(), nullable=True),
        sa.Column("request", sa.Text(), nullable=True),
        sa.Column("due_at", Moment(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("done_at", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "erasures_open",
        "erasures",
        ["id"],
        unique=False,
        sqlite_where=sa.text("state <> 'done'"),
        postgresql_where=sa.text("state <> 'done'"),
    )
    op.create_table(
        "disclosures",
        sa.Column("id", RowId, autoincrement=True, nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("request", sa.Text(), nullable=False),
        sa.Column("asked_at", Moment(), nullable=False),
        sa.Column("whose", sa.Text(), nullable=True),
        sa.Column("export", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
