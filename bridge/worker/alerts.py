"""Tell the operator's own address when something needs a person, once, and once when it is over.

One JSON POST to BRIDGE_ALERT_URL: `alert` (its name), `state` (`raised` or `over`), `since` (UTC)
and `message`. It holds no personal data: names of sources and destinations, and counts.
"""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import requests
from sqlalchemy import Connection, delete, select, update

from bridge.config import Config
from bridge.logs import logger
from bridge.store import Store, circuit_breakers, erasures, status
from bridge.store.tables import alerts

log = logger()

LATE = timedelta(minutes=15)
_TIMEOUT = (3.05, 10)


@dataclass(frozen=True, slots=True)
class Alert:
    """Something that needs a person. count: how many it is about, so that one more is told."""

    name: str
    message: str
    count: int = 1


def conditions(store: Store, config: Config, now: datetime) -> Iterator[Alert]:
    """Look at everything that may need a person."""
    for name, source in config.sources.items():
        parked = status.of_source(store, name, now).parked
        if parked:
            message = f"{parked} parked at source {name}: `bridge parked` lists them"
            yield Alert(f"parked:{name}", message, parked)
        if status.silent(store, name, now):
            message = f"source {name} has sent nothing for a day: look at its dashboard"
            yield Alert(f"silent:{name}", message)
        headers = status.last_headers(store, name)
        notice = source.adapter.notice
        if notice and (count := notice(headers, source.settings)):
            yield Alert(f"version:{name}", f"source {name}: {count}")
        for remark in status.remarks(store, name, now):
            yield Alert(f"trimmed:{name}", f"source {name}: {remark}")
            break
    for destination in status.of_destinations(store):
        if destination.paused:
            message = f"destination {destination.name} is paused: {destination.reason}"
            yield Alert(f"paused:{destination.name}", message)
    yield from _paused(store)
    waiting = len(erasures.demands(store, "waiting"))
    if waiting:
        message = f"{waiting} erasures wait for your word: `bridge erasures`"
        yield Alert("erasures", message, waiting)
    oldest = status.oldest_waiting(store, now)
    if oldest is not None and now - oldest > LATE:
        yield Alert("late", f"an order has waited since {oldest:%Y-%m-%d %H:%M} UTC")


def _paused(store: Store) -> Iterator[Alert]:
    for pause in circuit_breakers.paused(store):
        message = f"look-ups of source {pause.source} ({pause.account}) are paused: {pause.reason}"
        if pause.kind:
            yield Alert(f"lookups:{pause.source}:{pause.account}:{pause.kind}", message)
        else:
            yield Alert(f"lookups:{pause.source}:{pause.account}", message)


def look(store: Store, config: Config, now: datetime, stop: threading.Event) -> int:
    """Report what is newly wrong and what is over; return how many messages were sent.

    stop: set when the worker is to end; what has not been told then is told by the next one.
    """
    url = config.alert_url
    if url is None:
        return 0
    wrong = list(conditions(store, config, now))
    count = 0
    for alert in wrong:
        if stop.is_set():
            return count
        if store.write(partial(_raise, store, alert, now)):
            if _post(url, alert, "raised", now):
                count += 1
            else:
                store.write(partial(_forget, alert.name))
    for name, since in store.read(lambda connection: _over(connection, wrong)):
        if stop.is_set():
            return count
        # Whoever removes the row is the one that tells.
        if store.write(partial(_forget, name)):
            over = Alert(name, f"{name} is over")
            if _post(url, over, "over", since):
                count += 1
            else:
                store.write(partial(_raise, store, over, since))
    return count


def _raise(store: Store, alert: Alert, now: datetime, connection: Connection) -> bool:
    """Claim an alert for this worker; False where another has told it already."""
    # What was mended meanwhile counts no longer: one more after that is news again.
    connection.execute(
        update(alerts)
        .where(alerts.c.name == alert.name, alerts.c.count > alert.count)
        .values(count=alert.count)
    )
    row = store.insert(alerts).values(name=alert.name, since=now, count=alert.count)
    claimed = connection.execute(
        row.on_conflict_do_update(
            index_elements=["name"],
            set_={"count": row.excluded.count},
            where=alerts.c.count < row.excluded.count,
        ).returning(alerts.c.name)
    )
    return claimed.first() is not None


def _forget(name: str, connection: Connection) -> bool:
    return connection.execute(delete(alerts).where(alerts.c.name == name)).rowcount > 0


def _over(connection: Connection, wrong: Sequence[Alert]) -> list[tuple[str, datetime]]:
    still = [alert.name for alert in wrong]
    rows = connection.execute(select(alerts).where(alerts.c.name.not_in(still)))
    return [(row.name, row.since) for row in rows]


def _post(url: str, alert: Alert, state: str, since: datetime) -> bool:
    message = {
        "alert": alert.name,
        "state": state,
        "since": since.isoformat(timespec="seconds"),
        "message": alert.message,
    }
    try:
        answer = requests.post(url, json=message, timeout=_TIMEOUT, allow_redirects=False)
    except requests.RequestException:
        log.warning("alert not sent: BRIDGE_ALERT_URL does not answer", alert=alert.name)
        return False
    if not answer.ok:
        log.warning("alert not taken", alert=alert.name, status=answer.status_code)
    return answer.ok
