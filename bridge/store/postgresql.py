"""Open a PostgreSQL database; nothing here relies on a session, so a pooler may be in between."""

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL

from bridge.store.marks import DURABLE_UNLESS_MARKED

# Values of the execution option `bridge_writes`. A transaction APART does not look at the marks of
# `bridge copy`: it migrates, copies, or asks to be admitted.
WRITES, APART = "writes", "apart"

# Everything here is found by an index. PostgreSQL, whose statistics lag behind a burst by minutes,
# would read a whole table for a few hundred keys; in a backlog that is each time more.
_BY_INDEX = "SET LOCAL enable_seqscan = off"
# A worker whose machine is gone must not hold a row for the hours that TCP takes to notice: the
# server ends what idles in a transaction, and the client gives up a connection that is silent.
_LIMITS = (
    f"{_BY_INDEX}; SET LOCAL idle_in_transaction_session_timeout = '10s';"
    " SET LOCAL lock_timeout = '5s'; SET LOCAL statement_timeout = '15s'"
)
_BEGUN = {
    None: _BY_INDEX,
    WRITES: f"{_LIMITS}; SELECT {DURABLE_UNLESS_MARKED}",
    APART: f"{_LIMITS}; SET LOCAL synchronous_commit = on",
}
_CONNECTION = {
    # No prepared statements, so that it runs behind PgBouncer in transaction mode.
    "prepare_threshold": None,
    "connect_timeout": 3,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}


def opened(url: URL, connections: int, pool_seconds: float) -> Engine:
    """Make the engine; it connects when it is used."""
    engine = create_engine(
        url,
        pool_size=connections,
        max_overflow=0,
        pool_timeout=pool_seconds,
        # A connection that died while idle is found before it is used, not after.
        pool_pre_ping=True,
        connect_args=_CONNECTION,
    )

    @event.listens_for(engine, "begin")
    def _begun(connection: Connection) -> None:
        # For this transaction only: behind PgBouncer the session is another's in a moment.
        connection.exec_driver_sql(_BEGUN[connection.get_execution_options().get("bridge_writes")])

    return engine
