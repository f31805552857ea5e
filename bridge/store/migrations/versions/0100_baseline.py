"""Every table; the oldest schema that this and later releases can bring up to date.

Revision ID: 0100
"""

import sqlalchemy as sa
from alembic import op

from bridge.store.types import Moment, RowId

revision = "0100"
down_revision = None


def upgrade() -> None:
    """Create the tables, and have PostgreSQL vacuum the queues early.

    A queue's reader walks over what has left it since the last vacuum. By default that is a fifth
    of the table; after years, millions of rows.
    """
    op.create_table(
        "alerts",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("since", Moment(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "aliases",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("order_id", RowId, nullable=False),
        sa.PrimaryKeyConstraint("source", "id"),
    )
    op.create_index("aliases_order", "aliases", ["order_id"], unique=False)
    op.create_table(
        "attempts",
        sa.Column("id", RowId, autoincrement=True, nullable=False),
        sa.Column("batch_id", RowId, nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("attempts_batch", "attempts", ["batch_id"], unique=False)
    op.create_table(
        "batches",
        sa.Column("id", RowId, autoincrement=True, nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("profile_update", sa.Text(), nullable=True),
        sa.Column("order_id", RowId, nullable=False),
        sa.Column("identity", sa.Text(), nullable=False),
        sa.Column("events", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("due_at", Moment(), nullable=False),
        sa.Column("lease_until", Moment(), nullable=True),
        sa.Column("worker", sa.Text(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("claims", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("sent_at", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "batches_done",
        "batches",
        ["created_at", "id"],
        unique=False,
        sqlite_where=sa.text("state IN ('sent', 'held')"),
        postgresql_where=sa.text("state IN ('sent', 'held')"),
    )
    op.create_index("batches_order", "batches", ["order_id"], unique=False)
    op.create_index(
        "batches_profile_update",
        "batches",
        ["destination", "identity", "id"],
        unique=False,
        sqlite_where=sa.text("profile_update IS NOT NULL"),
        postgresql_where=sa.text("profile_update IS NOT NULL"),
    )
    op.create_index(
        "batches_queued_of",
        "batches",
        ["destination", "source", "due_at", "id"],
        unique=False,
        sqlite_where=sa.text("state = 'queued'"),
        postgresql_where=sa.text("state = 'queued'"),
    )
    op.create_table(
        "circuits",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("not_before", Moment(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("source", "account", "kind"),
    )
    op.create_table(
        "data_exports",
        sa.Column("id", RowId, autoincrement=True, nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("request", sa.Text(), nullable=False),
        sa.Column("asked_at", Moment(), nullable=False),
        sa.Column("whose", sa.Text(), nullable=True),
        sa.Column("export", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "destinations",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("window", sa.Text(), nullable=False),
        sa.Column("paused", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("not_before", Moment(), nullable=True),
        sa.Column("quarantined_until", Moment(), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("suspects", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
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
        "inbox",
        sa.Column("id", RowId, autoincrement=True, nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=True),
        sa.Column("received_at", Moment(), nullable=False),
        sa.Column("signed_at", Moment(), nullable=True),
        sa.Column("secret", sa.SmallInteger(), nullable=False),
        sa.Column("headers", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("order_id", RowId, nullable=True),
        sa.Column("claims", sa.SmallInteger(), nullable=False),
        sa.Column("lease_until", Moment(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("source", "key", name="inbox_once"),
    )
    op.create_index(
        "inbox_done",
        "inbox",
        ["received_at", "id"],
        unique=False,
        sqlite_where=sa.text("state IN ('joined', 'ignored') AND body IS NOT NULL"),
        postgresql_where=sa.text("state IN ('joined', 'ignored') AND body IS NOT NULL"),
    )
    op.create_index(
        "inbox_new_of",
        "inbox",
        ["source", "id"],
        unique=False,
        sqlite_where=sa.text("state = 'new'"),
        postgresql_where=sa.text("state = 'new'"),
    )
    op.create_index("inbox_order", "inbox", ["order_id"], unique=False)
    op.create_index(
        "inbox_parked",
        "inbox",
        ["source", "id"],
        unique=False,
        sqlite_where=sa.text("state = 'parked'"),
        postgresql_where=sa.text("state = 'parked'"),
    )
    op.create_index("inbox_seen", "inbox", ["source", "secret", "received_at"], unique=False)
    op.create_table(
        "lookup_cache",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("due_at", Moment(), nullable=False),
        sa.Column("lease_until", Moment(), nullable=True),
        sa.Column("claims", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("answered_at", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("source", "account", "kind", "id"),
    )
    op.create_index(
        "lookup_cache_wanted",
        "lookup_cache",
        ["source", "due_at"],
        unique=False,
        sqlite_where=sa.text("state = 'wanted'"),
        postgresql_where=sa.text("state = 'wanted'"),
    )
    op.create_table(
        "lookup_waiters",
        sa.Column("order_id", RowId, nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("order_id", "source", "account", "kind", "id"),
    )
    op.create_index(
        "lookup_waiters_key", "lookup_waiters", ["source", "account", "kind", "id"], unique=False
    )
    op.create_table(
        "match_groups",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("touched_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("source", "name"),
    )
    op.create_table(
        "orders",
        sa.Column("id", RowId, autoincrement=True, nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("due_at", Moment(), nullable=True),
        sa.Column("lease_until", Moment(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("first_event_at", Moment(), nullable=False),
        sa.Column("key", sa.Text(), nullable=True),
        sa.Column("order_id", sa.Text(), nullable=True),
        sa.Column("placed_at", Moment(), nullable=True),
        sa.Column("settled_at", Moment(), nullable=True),
        sa.Column("destination", sa.Text(), nullable=True),
        sa.Column("test", sa.Boolean(), nullable=True),
        sa.Column("claims", sa.SmallInteger(), nullable=False),
        sa.Column("match_group", sa.Text(), nullable=True),
        sa.Column("match_also", sa.Text(), nullable=True),
        sa.Column("match_side", sa.Text(), nullable=True),
        sa.Column("match_amount", sa.Text(), nullable=True),
        sa.Column("match_at", Moment(), nullable=True),
        sa.Column("match_since", Moment(), nullable=True),
        sa.Column("merged_into", RowId, nullable=True),
        sa.Column("sent_order", sa.Text(), nullable=True),
        sa.Column("reported", sa.Text(), nullable=True),
        sa.Column("identity", sa.Text(), nullable=True),
        sa.Column("expired", sa.Text(), nullable=True),
        sa.Column("identity_hash", sa.Text(), nullable=True),
        sa.Column("sent_keys", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "orders_due_of",
        "orders",
        ["source", "due_at"],
        unique=False,
        sqlite_where=sa.text("due_at IS NOT NULL"),
        postgresql_where=sa.text("due_at IS NOT NULL"),
    )
    op.create_index(
        "orders_expired",
        "orders",
        ["first_event_at", "id"],
        unique=False,
        sqlite_where=sa.text("expired = 'payloads'"),
        postgresql_where=sa.text("expired = 'payloads'"),
    )
    op.create_index(
        "orders_identity",
        "orders",
        ["identity"],
        unique=False,
        sqlite_where=sa.text("identity IS NOT NULL"),
        postgresql_where=sa.text("identity IS NOT NULL"),
    )
    op.create_index(
        "orders_identity_hash",
        "orders",
        ["identity_hash"],
        unique=False,
        sqlite_where=sa.text("identity_hash IS NOT NULL"),
        postgresql_where=sa.text("identity_hash IS NOT NULL"),
    )
    op.create_index(
        "orders_match",
        "orders",
        ["source", "match_group"],
        unique=False,
        sqlite_where=sa.text("match_group IS NOT NULL"),
        postgresql_where=sa.text("match_group IS NOT NULL"),
    )
    op.create_index(
        "orders_match_also",
        "orders",
        ["source", "match_also"],
        unique=False,
        sqlite_where=sa.text("match_also IS NOT NULL"),
        postgresql_where=sa.text("match_also IS NOT NULL"),
    )
    op.create_index(
        "orders_merged",
        "orders",
        ["merged_into"],
        unique=False,
        sqlite_where=sa.text("merged_into IS NOT NULL"),
        postgresql_where=sa.text("merged_into IS NOT NULL"),
    )
    op.create_index("orders_order_id", "orders", ["source", "order_id"], unique=False)
    op.create_index(
        "orders_parked",
        "orders",
        ["source", "id"],
        unique=False,
        sqlite_where=sa.text("state = 'parked'"),
        postgresql_where=sa.text("state = 'parked'"),
    )
    op.create_index(
        "orders_tried_out",
        "orders",
        ["source"],
        unique=False,
        sqlite_where=sa.text("destination = 'sandbox'"),
        postgresql_where=sa.text("destination = 'sandbox'"),
    )
    op.create_table(
        "outbox",
        sa.Column("id", RowId, autoincrement=True, nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("order_id", RowId, nullable=False),
        sa.Column("batch_id", RowId, nullable=False),
        sa.Column("parked", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("source", "key", name="outbox_once"),
    )
    op.create_index("outbox_batch", "outbox", ["batch_id"], unique=False)
    op.create_index("outbox_order", "outbox", ["order_id"], unique=False)
    op.create_index(
        "outbox_parked",
        "outbox",
        ["id"],
        unique=False,
        sqlite_where=sa.text("parked"),
        postgresql_where=sa.text("parked"),
    )
    op.create_table(
        "probes",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
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
    op.create_table(
        "signature_failures",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("minute", Moment(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("source", "minute"),
    )
    op.create_table(
        "sources",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("started_at", Moment(), nullable=False),
        sa.Column("account", sa.Text(), nullable=True),
        sa.Column("hash_key", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("name"),
    )
    if op.get_context().dialect.name == "postgresql":
        op.execute("ALTER TABLE inbox SET (autovacuum_vacuum_scale_factor = 0.02)")
        op.execute("ALTER TABLE orders SET (autovacuum_vacuum_scale_factor = 0.02)")
        op.execute("ALTER TABLE batches SET (autovacuum_vacuum_scale_factor = 0.02)")
