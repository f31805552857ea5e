"""A second text under which the other half of an unlinked pair may be found.

Revision ID: 0010
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Add the column; its index is built after it, see migrate.py."""
    op.add_column("orders", sa.Column("counterpart_also", sa.Text(), nullable=True))
