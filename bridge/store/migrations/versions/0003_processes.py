"""Who works on the database.

Revision ID: 0003
"""

import sqlalchemy as sa
from alembic import op

from bridge.store.types import Moment

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Create the table in which processes show themselves."""
    op.create_table(
        "processes",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("connections", sa.Integer(), nullable=False),
        sa.Column("started_at", Moment(), nullable=False),
        sa.Column("seen_at", Moment(), nullable=False),
        sa.Column("busy", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
