"""Web processes killed under load (G1, G2), and clients that drip (G20)."""

import random
import socket
import threading
import time
from collections.abc import Iterator
from functools import partial
from urllib.request import urlopen

from tests.faults.fleet import until_alive
from tests.faults.ledger import Ledger
from tests.faults.load import Load
from tests.faults.web_death import kill_one, stored, whole
from tests.postgres import free_port
from tests.soak.figures import Figure, none_of
from tests.soak.world import Step, World

RATE = 200.0
# Nobody delivers here.
_NO_HEAP = "http://127.0.0.1:1"
_DRIPS = {
    "heads": b"POST /webhooks/shopify HTTP/1.1\r\nHost: bridge\r\nX-Slow: ",
    "bodies": b"POST /webhooks/shopify HTTP/1.1\r\nHost: bridge\r\nContent-Length: 9000\r\n"
    b"X-Shopify-Hmac-Sha256: aaaa\r\n\r\n{",
}
_CLIENTS = 64
_DRIP_SECONDS = 30.0
# From here on all that dripped at first must have been let go.
_AFTER_SECONDS = 20.0


def killed(world: World, kind: str) -> Iterator[Figure]:
    """Kill one of the web's processes, then all of it, again and again for the step's time."""
    url, port = world.database(kind), free_port()
    where = "SQLite" if kind == "sqlite" else "PostgreSQL"
    fleet = world.fleet(
        url, _NO_HEAP, PORT=str(port), WEB_CONCURRENCY="1" if kind == "sqlite" else "2"
    )
    fleet.start("web")
    until_alive("127.0.0.1", port)
    chance, ledger, again = random.Random(1), Ledger(), 0.0
    rounds, until = 0, time.monotonic() + world.seconds
    with Load(ledger, [("127.0.0.1", port)], RATE):
        while time.monotonic() < until:
            time.sleep(chance.uniform(0.2, 1.0))
            rounds += 1
            if rounds % 2:
                kill_one(fleet, "web", chance)
            else:
                fleet.kill("web")
                fleet.start("web")
            began = time.monotonic()
            until_alive("127.0.0.1", port)
            if rounds % 2:
                again = max(again, time.monotonic() - began)
    found = stored(url)
    what = f"of {len(ledger.accepted)} accepted, {rounds} kills on {where}"
    yield none_of("G1", f"not stored, {what}", len(set(ledger.accepted) - set(found)))
    yield none_of("G1", f"stored twice, {what}", len(found) - len(set(found)))
    yield none_of("G1", f"file not whole, {what}", 0 if whole(url) else 1)
    what = f"one process killed: longest until it answers again, {where}"
    yield Figure(guarantee="G2", what=what, value=again, unit="s", most=2.0)


def slow(world: World) -> Iterator[Figure]:
    """Let 64 clients drip heads and 64 drip bodies, and look how soon others are answered."""
    url, port = world.database("sqlite"), free_port()
    fleet = world.fleet(url, _NO_HEAP, PORT=str(port))
    fleet.start("web")
    until_alive("127.0.0.1", port)
    over = threading.Event()
    open_: dict[socket.socket, str] = {}
    for name, begun in _DRIPS.items():
        for _ in range(_CLIENTS):
            client = socket.create_connection(("127.0.0.1", port), timeout=5)
            client.sendall(begun)
            open_[client] = name

    def drip() -> None:
        while not over.wait(1.0):
            for client in tuple(open_):
                try:
                    client.sendall(b"a")
                except OSError:
                    del open_[client]
                    client.close()

    dripping = threading.Thread(target=drip)
    dripping.start()
    ledger = Ledger()
    began = time.monotonic()
    during: list[float] = []
    after: list[float] = []
    with Load(ledger, [("127.0.0.1", port)], 20.0, connections=2):
        while (now := time.monotonic() - began) < _DRIP_SECONDS:
            asked = time.monotonic()
            urlopen(f"http://127.0.0.1:{port}/healthz", timeout=30).close()
            (after if now > _AFTER_SECONDS else during).append(time.monotonic() - asked)
            time.sleep(0.2)
    over.set()
    dripping.join()
    left = len(open_)
    for client in tuple(open_):
        client.close()
    longest = "longest /healthz"
    clients = f"{2 * _CLIENTS} clients that drip"
    yield none_of("G20", f"of {clients} still there after {_DRIP_SECONDS:.0f} s", left)
    yield Figure(
        guarantee="G20", what=f"{longest} beside {clients}", value=max(during), unit="s", most=5.0
    )
    yield Figure(
        guarantee="G20",
        what=f"{longest} after {_AFTER_SECONDS:.0f} s",
        value=max(after) * 1000,
        unit="ms",
        most=100.0,
    )
    yield Figure(
        guarantee="G20",
        what=f"webhooks beside {clients}, p99",
        value=ledger.quantile(0.99) * 1000,
        unit="ms",
        most=250.0,
    )


STEPS = (
    Step("web-killed-sqlite", partial(killed, kind="sqlite"), share=1, least=15),
    Step("web-killed-postgresql", partial(killed, kind="postgresql"), share=1, least=15),
    Step("slow-clients", slow, share=0.1, least=_DRIP_SECONDS),
)
