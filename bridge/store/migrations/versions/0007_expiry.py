"""What is kept of an order whose payloads, then details, have expired.

Revision ID: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add the columns; the indexes that go with them are built after it, see migrate.py."""
    op.add_column("orders", sa.Column("expired", sa.Text(), nullable=True))
    op.add_column("orders", sa.Column("identity_hash", sa.Text(), nullable=True))
    op.add_column("orders", sa.Column("sent_keys", sa.LargeBinary(), nullable=True))
    op.add_column("sources", sa.Column("hash_key", sa.LargeBinary(), nullable=True))
