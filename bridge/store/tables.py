"""The tables, one code for SQLite and PostgreSQL. Every key starts with its source.

inbox      every verified webhook, as it came; the unique key is what de-duplicates
orders     one row per order: where it stands, and the order as it was sent
aliases    every ID by which an order is known
outbox     Heap events, frozen; never changed once written
batches    the outbox events of one order that travel together; the lease is on the batch. A
           profile update travels apart, to a destination of its own
attempts   one row per try of a batch
destinations  one row per Heap app: pace, pause
lookup_cache  what providers answered to look-ups, or what is still to be asked
lookup_waiters  which orders wait for which lookups
circuits   look-ups that are paused: of an account whose key is refused, or of one kind
sources    what is remembered of a source: its first start, the account it speaks for
signature_failures  signature failures per source and minute
match_groups  rows to lock, so that two halves of one order do not settle at the same instant
alerts     alerts that were raised and are not over
erasures   demands to remove a customer's or a shop's data, and how far each has come
data_exports  what is stored of a customer who asked, for the operator, for 30 days
processes  who works on this database just now, and with how many connections
probes     a row to learn whether one can be written, a row to lock
"""

from sqlalchemy import (
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from bridge.store.types import Moment, RowId

metadata = MetaData()


def _partial(name: str, *columns: str, where: str) -> Index:
    # What a later release adds is built while webhooks come in: see migrate.py.
    return Index(
        name,
        *columns,
        sqlite_where=text(where),
        postgresql_where=text(where),
        postgresql_concurrently=True,
    )


# new -> joined | ignored | parked; replay leads back to new.
inbox = Table(
    "inbox",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("source", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("topic", Text, nullable=False),
    Column("account", Text),
    Column("received_at", Moment, nullable=False),
    Column("signed_at", Moment),
    Column("secret", SmallInteger, nullable=False),
    Column("headers", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("order_id", RowId),
    Column("claims", SmallInteger, nullable=False),
    Column("lease_until", Moment),
    Column("reason", Text),
    Column("body", LargeBinary),
    UniqueConstraint("source", "key", name="inbox_once"),
    _partial("inbox_new_of", "source", "id", where="state = 'new'"),
    _partial("inbox_parked", "source", "id", where="state = 'parked'"),
    Index("inbox_order", "order_id"),
    Index("inbox_seen", "source", "secret", "received_at"),
    # What expiry looks through: bodies of what is done with.
    _partial(
        "inbox_done",
        "received_at",
        "id",
        where="state IN ('joined', 'ignored') AND body IS NOT NULL",
    ),
)

# waiting -> settled | open | held | parked; a further event leads back to normalising.
orders = Table(
    "orders",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("source", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("due_at", Moment),
    # While a worker has it in hand because its waiting is over.
    Column("lease_until", Moment),
    Column("reason", Text),
    Column("first_event_at", Moment, nullable=False),
    # The canonical id; written with the first Heap events and never changed after.
    Column("key", Text),
    Column("order_id", Text),
    Column("placed_at", Moment),
    Column("settled_at", Moment),
    Column("destination", Text),
    Column("test", Boolean),
    # Claims that came to nothing; 0 again once it stands somewhere.
    Column("claims", SmallInteger, nullable=False),
    Column("match_group", Text),
    Column("match_also", Text),
    Column("match_side", Text),
    # What was paid, when that was told of, and from when on it may have been paid in parts.
    Column("match_amount", Text),
    Column("match_at", Moment),
    Column("match_since", Moment),
    Column("merged_into", RowId),
    Column("sent_order", Text),
    # What the Order Changed events of it add up to, as JSON; kept for ever.
    Column("reported", Text),
    # The user at Heap, as it was frozen with the first Heap events; goes with the person.
    Column("identity", Text),
    # What is gone of it by age: `payloads`, or its `details` as well.
    Column("expired", Text),
    # Once its details are gone: the keyed hash of that user; the hashes of every key that was sent.
    Column("identity_hash", Text),
    Column("sent_keys", LargeBinary),
    _partial("orders_due_of", "source", "due_at", where="due_at IS NOT NULL"),
    _partial("orders_identity", "identity", where="identity IS NOT NULL"),
    _partial("orders_identity_hash", "identity_hash", where="identity_hash IS NOT NULL"),
    _partial("orders_tried_out", "source", where="destination = 'sandbox'"),
    _partial("orders_parked", "source", "id", where="state = 'parked'"),
    _partial(
        "orders_match",
        "source",
        "match_group",
        where="match_group IS NOT NULL",
    ),
    _partial(
        "orders_match_also",
        "source",
        "match_also",
        where="match_also IS NOT NULL",
    ),
    Index("orders_order_id", "source", "order_id"),
    _partial("orders_merged", "merged_into", where="merged_into IS NOT NULL"),
    _partial("orders_expired", "first_event_at", "id", where="expired = 'payloads'"),
)

aliases = Table(
    "aliases",
    metadata,
    Column("source", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("order_id", RowId, nullable=False),
    Index("aliases_order", "order_id"),
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("source", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("order_id", RowId, nullable=False),
    Column("batch_id", RowId, nullable=False),
    Column("parked", Boolean, nullable=False),
    Column("reason", Text),
    Column("body", LargeBinary),
    UniqueConstraint("source", "key", name="outbox_once"),
    Index("outbox_batch", "batch_id"),
    Index("outbox_order", "order_id"),
    _partial("outbox_parked", "id", where="parked"),
)

# queued -> sent -> expired, once its bytes are gone; one that meets a fault stays queued with a
# later due_at, a test order's is held.
batches = Table(
    "batches",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("source", Text, nullable=False),
    Column("destination", Text, nullable=False),
    # What goes beside the events, to a destination of its own: `users` or `identify`.
    Column("profile_update", Text),
    Column("order_id", RowId, nullable=False),
    # The hash of the identity, for the pace per identity.
    Column("identity", Text, nullable=False),
    Column("events", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("due_at", Moment, nullable=False),
    Column("lease_until", Moment),
    Column("worker", Text),
    Column("attempts", Integer, nullable=False),
    # Leases that came to nothing, because the worker ended; 0 again once one was finished.
    Column("claims", SmallInteger, nullable=False, server_default="0"),
    Column("reason", Text),
    Column("created_at", Moment, nullable=False),
    Column("sent_at", Moment),
    _partial(
        "batches_queued_of", "destination", "source", "due_at", "id", where="state = 'queued'"
    ),
    _partial(
        "batches_profile_update",
        "destination",
        "identity",
        "id",
        where="profile_update IS NOT NULL",
    ),
    Index("batches_order", "order_id"),
    _partial("batches_done", "created_at", "id", where="state IN ('sent', 'held')"),
)

attempts = Table(
    "attempts",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("batch_id", RowId, nullable=False),
    Column("at", Moment, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("status", Integer),
    Column("reason", Text, nullable=False),
    Column("seconds", Float, nullable=False),
    Index("attempts_batch", "batch_id"),
)

destinations = Table(
    "destinations",
    metadata,
    Column("name", Text, primary_key=True),
    # The pace of the last minute, as bridge.delivery.rate_limit writes it.
    Column("window", Text, nullable=False),
    Column("paused", Boolean, nullable=False),
    Column("reason", Text),
    # While paused: when the next single event may probe; after a 429: when to go on.
    Column("not_before", Moment),
    # While a batch that was in hand when a worker ended goes alone.
    Column("quarantined_until", Moment),
    Column("failures", Integer, nullable=False),
    # Batches with events refused alone, and whether others were taken since; a JSON object.
    Column("suspects", Text, nullable=False),
)

# wanted -> known | absent.
lookup_cache = Table(
    "lookup_cache",
    metadata,
    Column("source", Text, primary_key=True),
    Column("account", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("body", Text),
    Column("due_at", Moment, nullable=False),
    Column("lease_until", Moment),
    Column("claims", Integer, nullable=False),
    Column("reason", Text),
    Column("answered_at", Moment),
    _partial("lookup_cache_wanted", "source", "due_at", where="state = 'wanted'"),
)

lookup_waiters = Table(
    "lookup_waiters",
    metadata,
    Column("order_id", RowId, primary_key=True),
    Column("source", Text, primary_key=True),
    Column("account", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Index("lookup_waiters_key", "source", "account", "kind", "id"),
)

circuits = Table(
    "circuits",
    metadata,
    Column("source", Text, primary_key=True),
    Column("account", Text, primary_key=True),
    # Empty for all kinds of the account.
    Column("kind", Text, primary_key=True),
    Column("not_before", Moment, nullable=False),
    Column("reason", Text, nullable=False),
)

sources = Table(
    "sources",
    metadata,
    Column("name", Text, primary_key=True),
    Column("provider", Text, nullable=False),
    Column("started_at", Moment, nullable=False),
    Column("account", Text),
    # With which identities are hashed once an order's details are gone; made when first needed.
    Column("hash_key", LargeBinary),
)

signature_failures = Table(
    "signature_failures",
    metadata,
    Column("source", Text, primary_key=True),
    Column("minute", Moment, primary_key=True),
    Column("count", Integer, nullable=False),
)

match_groups = Table(
    "match_groups",
    metadata,
    Column("source", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("touched_at", Moment, nullable=False),
)

alerts = Table(
    "alerts",
    metadata,
    Column("name", Text, primary_key=True),
    Column("since", Moment, nullable=False),
    # How many it was about when the operator was told last.
    Column("count", Integer, nullable=False),
)

# asked -> records -> waiting | approved -> deleting -> done.
erasures = Table(
    "erasures",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("source", Text, nullable=False),
    # customer or shop.
    Column("kind", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("event_id", RowId, nullable=False),
    Column("asked_at", Moment, nullable=False),
    # Whose data, as JSON, until none of it is left here; null for a whole shop.
    Column("whose", Text),
    # The last row of the table that is gone through just now.
    Column("cursor", RowId, nullable=False),
    Column("orders", Integer, nullable=False),
    # The users at Heap, coded, until they are deleted there.
    Column("users", Text),
    # Heap's id of the deletion.
    Column("request", Text),
    Column("due_at", Moment),
    Column("reason", Text),
    Column("done_at", Moment),
    _partial("erasures_open", "id", where="state <> 'done'"),
)

data_exports = Table(
    "data_exports",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("source", Text, nullable=False),
    Column("request", Text, nullable=False),
    Column("asked_at", Moment, nullable=False),
    Column("whose", Text),
    Column("export", Text),
)

processes = Table(
    "processes",
    metadata,
    Column("id", Text, primary_key=True),
    # web or worker.
    Column("role", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("connections", Integer, nullable=False),
    Column("started_at", Moment, nullable=False),
    Column("seen_at", Moment, nullable=False),
    # For how many seconds it had been at one step when it was seen.
    Column("busy", Integer, nullable=False),
)

probes = Table(
    "probes",
    metadata,
    Column("name", Text, primary_key=True),
    Column("at", Moment, nullable=False),
)
