"""The worker process: one thread that normalises, some per destination that deliver, one clock."""

import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import chain

from adapters.lookups import BatchApi
from bridge.config import Config
from bridge.delivery.client import HeapClient
from bridge.delivery.deliverer import FULL as FULL_REQUEST
from bridge.delivery.deliverer import Deliverer
from bridge.heap.endpoints import IDENTIFY, TRACK, USERS, Endpoint
from bridge.logs import logger
from bridge.memory import search_seldom
from bridge.orders.lookup_loop import LookupLoop
from bridge.orders.normalize import FULL, Normalizer
from bridge.privacy.erasure import Eraser
from bridge.privacy.retention import Expirer
from bridge.signals import stopping
from bridge.store import Store, inbox, leases, ledger, outbox, sources
from bridge.store.processes import Heartbeat
from bridge.worker import alerts, watchdog
from bridge.worker.loops import Busy, Loop

log = logger()

# An order is recorded but not sent when it happened longer than this before the first start.
SINCE = timedelta(days=3)
# The sandbox wants digits like Heap; which ones is all the same to it.
SANDBOX_APP_ID = "1000000001"
# Requests to one destination under way at once, so that a long way there costs no rate.
CONNECTIONS = 4
_GATHER_SECONDS = 0.05
_ASIDE_SECONDS = 1.0
_ALERT_SECONDS = 15.0
_ERASE_SECONDS = 1.0
_EXPIRE_SECONDS, _NEVER_FULL = 0.1, 10**9
_ASK_SECONDS, _TOGETHER = 0.5, 250


def now() -> datetime:
    """Return the time of day in UTC."""
    return datetime.now(UTC)


def begin(store: Store, config: Config, clock: Callable[[], datetime] = now) -> Normalizer:
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
    for endpoint, switch, on in _asides(config):
        if not on:
            outbox.hold_profile_updates(store, endpoint.profile_update or "", f"{switch} is off")
    return Normalizer(store, config, since, clock, accounts)


def _asides(config: Config) -> list[tuple[Endpoint, str, bool]]:
    """List what may go beside the events, by which variable, and whether it does."""
    return [
        (USERS, "HEAP_USER_PROPERTIES", config.user_properties),
        (IDENTIFY, "HEAP_IDENTIFY", config.identify),
    ]


def deliverers(
    store: Store,
    config: Config,
    stop: threading.Event,
    clock: Callable[[], datetime] = now,
) -> list[Deliverer]:
    """Make one deliverer for each Heap app the sources name, and each endpoint of it in use."""
    named = dict.fromkeys(source.destination for source in config.sources.values())
    profile_updates = [endpoint for endpoint, _, on in _asides(config) if on]
    return [
        Deliverer(
            store,
            HeapClient(destination.url, destination.app_id or SANDBOX_APP_ID, endpoint=endpoint),
            outbox.destination_name(destination.name, endpoint.profile_update),
            endpoint.pace(config.events_per_minute, profile_updates),
            clock,
            stop,
        )
        for destination in named
        for endpoint in (TRACK, *profile_updates)
    ]


def askers(store: Store, config: Config, clock: Callable[[], datetime] = now) -> list[LookupLoop]:
    """Make one asker for each source that has a key to its provider's API."""
    found = []
    for name, source in config.sources.items():
        connect = source.adapter.connect
        api = connect(source.settings) if connect else None
        if api is not None:
            found.append(LookupLoop(store, name, api, clock))
    return found


def run(config: Config) -> None:
    """Work until SIGTERM or SIGINT; what is in hand is finished first.

    Raises ConfigurationError for a second worker on one SQLite file, StoreOutdated before
    `bridge migrate` has run, StoreUnavailable where the database is not there.
    """
    with stopping() as stop:
        _run(config, stop)


def _run(config: Config, stop: threading.Event) -> None:
    store = Store.open(config.database_url, connections=2, gives_way=True)
    busy = Busy()
    presence = Heartbeat(store, "worker", allowed=config.database_connections, busy=busy.seconds)
    try:
        store.check_schema()
        store.only("worker")
        presence.start()
        if presence.wait(stop):
            if store.on_sqlite:
                for queue in (inbox.QUEUE, ledger.QUEUE, leases):
                    store.write(queue.release_all)
            work(store, config, stop, busy)
        presence.stop()
    finally:
        store.close()


def work(store: Store, config: Config, stop: threading.Event, busy: Busy) -> None:
    """Run every loop until `stop` is set."""
    search_seldom()
    normaliser = begin(store, config)
    crew = [deliverers(store, config, stop) for _ in range(CONNECTIONS)]
    asking = askers(store, config)
    sending = [loop for one in zip(*crew, strict=True) for loop in _sending(one, stop)]
    profile_updates = [sender for sender in crew[0] if sender.client.endpoint is not TRACK]
    loops = [
        Loop(
            normaliser.step,
            stop,
            full=FULL,
            gather=_GATHER_SECONDS,
            # What was settled just now need not wait until somebody looks.
            wakes=[loop.bell for loop in sending if not loop.helps],
        ),
        # Those that ask for many at once let some gather: a burst of orders is a few look-ups.
        *(
            Loop(asker.step, stop, full=_TOGETHER, gather=_ASK_SECONDS)
            if isinstance(asker.api, BatchApi)
            else Loop(asker.step, stop)
            for asker in asking
        ),
        *sending,
        # Some time gathers what then need not be sent, because something newer came.
        *(
            Loop(sender.step, stop, shortest=_ASIDE_SECONDS, longest=_ASIDE_SECONDS)
            for sender in profile_updates
        ),
        Loop(
            Eraser(store, config, now).step, stop, shortest=_ERASE_SECONDS, longest=_ALERT_SECONDS
        ),
        # Never two slices in a row: who receives comes in between.
        Loop(
            Expirer(store, config, now).step,
            stop,
            full=_NEVER_FULL,
            gather=_EXPIRE_SECONDS,
            shortest=_ALERT_SECONDS,
            longest=_ALERT_SECONDS,
        ),
        Loop(
            lambda: alerts.look(store, config, now(), stop),
            stop,
            shortest=_ALERT_SECONDS,
            longest=_ALERT_SECONDS,
        ),
    ]
    threads = [threading.Thread(target=loop.run, args=(busy,)) for loop in loops]
    for thread in threads:
        thread.start()
    log.info("worker started", sources=sorted(config.sources))
    watchdog.until(stop, busy)
    for loop in loops:
        loop.bell.set()
    for thread in threads:
        thread.join()
    for sender in chain.from_iterable(crew):
        sender.client.close()
    for asker in asking:
        asker.close()
    log.info("worker stopped")


def _sending(senders: Sequence[Deliverer], stop: threading.Event) -> list[Loop]:
    """Make the loops of one destination: one that looks, and others that help when there is much.

    A request takes as long as Heap is away, and so many are under way at once. None are made for
    what goes beside the events: that is not in a hurry.
    """
    if senders[0].client.endpoint is not TRACK:
        return []
    full = FULL_REQUEST
    helpers = [Loop(sender.step, stop, full=full, helps=True) for sender in senders[1:]]
    first = Loop(
        senders[0].step,
        stop,
        full=full,
        gather=_GATHER_SECONDS,
        wakes=[helper.bell for helper in helpers],
        wakes_when=full,
    )
    return [first, *helpers]
