"""Kinds of look-ups that a key may not make; when a payment without a link was told of.

Revision ID: 0004
"""

import sqlalchemy as sa
from alembic import op

from bridge.store.types import Moment

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Create the table and add the column."""
    op.add_column("orders", sa.Column("counterpart_at", Moment(), nullable=True))
    op.create_table(
        "denials",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("not_before", Moment(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("source", "account", "kind"),
    )
