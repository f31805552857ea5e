"""What an order or a batch was in hand for when a worker ended, and that such a batch goes alone.

Revision ID: 0008
"""

import sqlalchemy as sa
from alembic import op

from bridge.store.types import Moment

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add the columns."""
    op.add_column("orders", sa.Column("lease_until", Moment(), nullable=True))
    op.add_column(
        "batches", sa.Column("tries", sa.SmallInteger(), nullable=False, server_default="0")
    )
    op.add_column("destinations", sa.Column("alone_until", Moment(), nullable=True))
