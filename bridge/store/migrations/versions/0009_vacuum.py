"""The autovacuum comes to the queues once a fiftieth of a table is dead, not a fifth.

Whoever takes from a queue walks over what has left it since the last vacuum; of a table of years a
fifth is millions of entries.

Revision ID: 0009
"""

from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Say so on PostgreSQL; SQLite has nothing of the kind."""
    if op.get_context().dialect.name == "postgresql":
        op.execute("ALTER TABLE inbox SET (autovacuum_vacuum_scale_factor = 0.02)")
        op.execute("ALTER TABLE orders SET (autovacuum_vacuum_scale_factor = 0.02)")
        op.execute("ALTER TABLE batches SET (autovacuum_vacuum_scale_factor = 0.02)")
