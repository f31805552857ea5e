"""What is told of a user beside their orders' events.

Revision ID: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the column, and two indexes by user: of such batches, and of orders."""
    op.add_column("batches", sa.Column("aside", sa.Text(), nullable=True))
    op.create_index(
        "batches_aside",
        "batches",
        ["destination", "identity", "id"],
        unique=False,
        sqlite_where=sa.text("aside IS NOT NULL"),
        postgresql_where=sa.text("aside IS NOT NULL"),
    )
    op.create_index(
        "orders_identity",
        "orders",
        ["identity"],
        unique=False,
        sqlite_where=sa.text("identity IS NOT NULL"),
        postgresql_where=sa.text("identity IS NOT NULL"),
    )
