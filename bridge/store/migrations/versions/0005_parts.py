"""What a payment without a link took, and from when on its invoice may have been paid in parts.

Revision ID: 0005
"""

import sqlalchemy as sa
from alembic import op

from bridge.store.types import Moment

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the columns."""
    op.add_column("orders", sa.Column("counterpart_amount", sa.Text(), nullable=True))
    op.add_column("orders", sa.Column("counterpart_since", Moment(), nullable=True))
