"""A steady load on a healthy bridge: how soon it answers, and how soon Heap has it (G27, G28)."""

import time
from collections.abc import Iterator
from functools import partial

from sqlalchemy import select

from bridge.store import Store
from bridge.store.tables import batches, outbox
from tests.faults.fleet import until_alive
from tests.faults.heap import elsewhere
from tests.faults.ledger import FIRST_ORDER, Ledger, quantile
from tests.faults.load import Load
from tests.postgres import free_port
from tests.soak.figures import Figure, none_of
from tests.soak.waiting import drained
from tests.soak.world import Step, World

RATE = 200.0


def run(world: World, kind: str) -> Iterator[Figure]:
    """Send 200 orders a second for the step's time; then see that all is there."""
    url = world.database(kind)
    heap = world.after.enter_context(elsewhere("sandbox"))
    port = free_port()
    fleet = world.fleet(url, heap.url, PORT=str(port))
    fleet.start("web")
    fleet.start("worker")
    until_alive("127.0.0.1", port)
    ledger = Ledger()
    with Load(ledger, [("127.0.0.1", port)], RATE):
        time.sleep(world.seconds)
    drained(url)
    where = "SQLite" if kind == "sqlite" else "PostgreSQL"
    for share, most in ((0.5, 15.0), (0.99, 250.0), (1.0, 1000.0)):
        name = "longest" if share == 1.0 else f"p{share * 100:.0f}"
        value = ledger.quantile(share) * 1000
        what = f"answered at {RATE:.0f}/s on {where}, {name}"
        yield Figure(guarantee="G27", what=what, value=value, unit="ms", most=most)
    waits = _to_heap(url, ledger)
    for share, most in ((0.5, 1.0), (0.99, 5.0)):
        what = f"from 200 to Heap on {where}, p{share * 100:.0f}"
        value = quantile(waits, share)
        yield Figure(guarantee="G28", what=what, value=value, unit="s", most=most)
    yield none_of("G1", f"missing at Heap, {where}", ledger.missing(heap.keys()))


def _to_heap(url: str, ledger: Ledger) -> list[float]:
    store = Store.open(url, connections=1)
    sent = select(outbox.c.key, batches.c.sent_at).join_from(
        outbox, batches, outbox.c.batch_id == batches.c.id
    )
    rows = store.read(
        lambda c: c.execute(sent.where(outbox.c.kind == "order", batches.c.state == "sent")).all()
    )
    store.close()
    moments = {int(row.key.split(":")[2]) - FIRST_ORDER: row.sent_at.timestamp() for row in rows}
    return [moments[number] - at for number, at in ledger.accepted.items() if number in moments]


STEPS = (
    Step("steady-sqlite", partial(run, kind="sqlite"), share=1, least=15),
    Step("steady-postgresql", partial(run, kind="postgresql"), share=1, least=15),
)
