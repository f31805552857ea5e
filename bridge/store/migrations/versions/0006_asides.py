"""What is told of a user beside their orders' events.

Revision ID: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the column; the indexes that go with it are built after it, see migrate.py."""
    op.add_column("batches", sa.Column("aside", sa.Text(), nullable=True))
