"""The worker process: one thread that normalises, one per destination that delivers, one clock."""

import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from adapters.lookups import BatchApi
from bridge.config import Config, Destination
from bridge.errors import StoreUnavailable
from bridge.heap.client import HeapClient
from bridge.logs import logger
from bridge.store import Store, inbox, leases, outbox, sources
from bridge.store.processes import Presence
from bridge.worker import alerts
from bridge.worker.asking import Asker
from bridge.worker.deliver import Deliverer
from bridge.worker.erasing import Eraser
from bridge.worker.normalise import FULL, Normaliser, frames
from bridge.worker.sending import REQUEST_EVENTS

log = logger()

# An order is recorded but not sent when it happened longer than this before the first start.
SINCE = timedelta(days=3)
# The sandbox wants digits like Heap; which ones is all the same to it.
SANDBOX_APP_ID = "1000000001"
_GATHER_SECONDS = 0.05
_ALERT_SECONDS = 15.0
_ERASE_SECONDS = 1.0
_ASK_SECONDS, _TOGETHER = 0.5, 250
_AFTER_FAULT = 1.0


def now() -> datetime:
    """Tell the time of day in UTC."""
    return datetime.now(UTC)


def begin(store: Store, config: Config, clock: Callable[[], datetime] = now) -> Normaliser:
    """Note the sources' first start, turn what is queued to today's destinations."""
    since: dict[str, datetime] = {}
    accounts: dict[str, str] = {}
    for name, source in config.sources.items():
        started_at, account = sources.start(store, name, source.adapter.name, clock())
        since[name] = source.since or started_at - SINCE
        if source.account or account:
            accounts[name] = source.account or account or ""
        turned = outbox.redirect(
            store,
            name,
            source.destination.name,
            tests=source.send_test_orders,
            now=clock(),
        )
        if turned:
            log.info("orders turned to", destination=source.destination.name, orders=turned)
    return Normaliser(store, config, since, clock, accounts)


def deliverers(
    store: Store,
    config: Config,
    stop: threading.Event,
    clock: Callable[[], datetime] = now,
) -> list[Deliverer]:
    """Make one deliverer for each Heap app the sources name."""
    found: dict[str, Destination] = {
        source.destination.name: source.destination for source in config.sources.values()
    }
    return [
        Deliverer(
            store,
            HeapClient(destination.url, destination.app_id or SANDBOX_APP_ID),
            name,
            config.events_per_minute,
            clock,
            stop,
        )
        for name, destination in found.items()
    ]


def askers(store: Store, config: Config, clock: Callable[[], datetime] = now) -> list[Asker]:
    """Make one asker for each source that has a key to its provider's API."""
    found = []
    for name, source in config.sources.items():
        connect = source.adapter.connect
        api = connect(source.settings) if connect else None
        if api is not None:
            found.append(Asker(store, name, api, clock))
    return found


def run(config: Config) -> None:
    """Work until SIGTERM or SIGINT; what is in hand is finished first.

    Raises ConfigurationError for a second worker on one SQLite file, StoreOutdated before
    `bridge migrate` has run, StoreUnavailable where the database is not there.
    """
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    store = Store.open(config.database_url, connections=2, gives_way=True)
    busy = Busy()
    presence = Presence(store, "worker", allowed=config.database_connections, busy=busy.seconds)
    try:
        store.check_schema()
        store.only("worker")
        presence.start()
        if presence.wait(stop):
            if store.on_sqlite:
                inbox.release(store)
                leases.release(store)
            work(store, config, stop, busy)
        presence.stop()
    finally:
        store.close()


def work(store: Store, config: Config, stop: threading.Event, busy: "Busy") -> None:
    """Run every loop until `stop` is set."""
    normaliser = begin(store, config)
    senders = deliverers(store, config, stop)
    asking = askers(store, config)
    loops = [
        Loop(normaliser.step, stop, full=FULL, gather=_GATHER_SECONDS),
        # Those that ask for many at once let some gather: a burst of orders is a few look-ups.
        *(
            Loop(asker.step, stop, full=_TOGETHER, gather=_ASK_SECONDS)
            if isinstance(asker.api, BatchApi)
            else Loop(asker.step, stop)
            for asker in asking
        ),
        *(
            Loop(sender.step, stop, full=REQUEST_EVENTS // 2, gather=_GATHER_SECONDS)
            for sender in senders
        ),
        Loop(
            Eraser(store, config, now).step, stop, shortest=_ERASE_SECONDS, longest=_ALERT_SECONDS
        ),
        Loop(
            lambda: alerts.look(store, config, now(), stop),
            stop,
            shortest=_ALERT_SECONDS,
            longest=_ALERT_SECONDS,
        ),
    ]
    loops = [replace(loop, busy=busy) for loop in loops]
    threads = [threading.Thread(target=loop.run) for loop in loops]
    for thread in threads:
        thread.start()
    log.info("worker started", sources=sorted(config.sources))
    for thread in threads:
        thread.join()
    for sender in senders:
        sender.client.close()
    for asker in asking:
        asker.api.close()
    log.info("worker stopped")


class Busy:
    """The steps under way, by thread; one that never ends is seen by whoever looks from outside."""

    def __init__(self) -> None:
        self._began: dict[int, float] = {}

    @contextmanager
    def step(self) -> Iterator[None]:
        """Count the block as a step."""
        me = threading.get_ident()
        self._began[me] = time.monotonic()
        try:
            yield
        finally:
            del self._began[me]

    def seconds(self) -> float:
        """Tell for how long the longest of them has been going on."""
        began = min(tuple(self._began.values()), default=None)
        return 0.0 if began is None else time.monotonic() - began


@dataclass(frozen=True, slots=True)
class Loop:
    """Takes step after step until `stop` is set; one that fails is taken again.

    step: gives how much it did. full: having done less than this, it lets some gather, so that
    many small orders share a transaction and a request. shortest, longest: seconds of rest where
    there was nothing to do, doubling. busy: is told of each step.
    """

    step: Callable[[], int]
    stop: threading.Event
    full: int = 1
    gather: float = 0.0
    shortest: float = 0.02
    longest: float = 0.25
    busy: Busy = field(default_factory=Busy)

    def run(self) -> None:
        """Work until told to stop."""
        rest, down = self.shortest, False
        while not self.stop.is_set():
            try:
                with self.busy.step():
                    done = self.step()
                down = False
                rest = self.shortest if done else min(rest * 2, self.longest)
                wait = 0.0 if done >= self.full else self.gather if done else rest
            except StoreUnavailable as error:
                if not down:
                    log.warning("the store is not available; trying on", reason=error.reason)
                wait, down = _AFTER_FAULT, True
            except Exception as error:  # noqa: BLE001 - a loop that ends is an order that is lost
                log.error("a step failed; trying on", at=frames(error))  # noqa: TRY400 - the text may quote a payload
                wait = _AFTER_FAULT
            if wait:
                self.stop.wait(wait * random.uniform(0.8, 1.2))  # noqa: S311 - spreads, hides nothing
