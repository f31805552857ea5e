"""How long after its answer a webhook has reached Heap, on a system that has nothing else to do.

The bridge runs as it is deployed, one web and one worker process; Heap is a listener in this one.
"""

import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import requests

from bench.ground import Ground, Run, Values
from bench.lines import Line
from bench.servers import heap_variables, started, web
from bench.webhooks import SHOPIFY, STRIPE, Kind

_WEBHOOKS = 12
# Longer than any loop of the worker sleeps, and no multiple of it, so that none is met awake.
_REST_SECONDS = 0.73
_PATIENCE = 20.0


def figures(ground: Ground) -> Iterator[Line]:
    """One webhook at a time, of an order that needs no look-up."""
    runs = {
        f"{kind.provider}-{name}": _run(ground, kind, on_sqlite=name == "sqlite")
        for name in ("sqlite", "postgres")
        for kind in (SHOPIFY, STRIPE)
    }
    for name, values in ground.in_turn(runs).items():
        yield Line(
            figure=f"latency-{name}",
            about="from the answer to a webhook until Heap has its order, with nothing else to do",
            values=values,
            goals={"p50_ms": "< 300"},
        )


class _Heap(ThreadingHTTPServer):
    """Takes everything, and notes when."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Taking)
        self.came = threading.Event()
        self.at = 0.0


class _Taking(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Heap

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.at = time.monotonic()
        self.server.came.set()
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it
        """Say nothing."""


@contextmanager
def _heap() -> Iterator[_Heap]:
    heap = _Heap()
    thread = threading.Thread(target=heap.serve_forever)
    thread.start()
    try:
        yield heap
    finally:
        heap.shutdown()
        thread.join()
        heap.server_close()


def _run(ground: Ground, kind: Kind, *, on_sqlite: bool) -> Run:
    def run() -> Values:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=ground.folder)))
            url = f"sqlite:///{folder}/bridge.db"
            if not on_sqlite:
                url = ground.postgres.create()
                stack.callback(ground.postgres.drop, url)
            heap = stack.enter_context(_heap())
            server = stack.enter_context(web(folder, url, 1))
            told = heap_variables(url, f"http://127.0.0.1:{heap.server_port}")
            stack.enter_context(started(folder, ["-m", "bridge", "worker"], told))
            session = stack.enter_context(requests.Session())
            address = f"http://127.0.0.1:{server.port}/webhooks/{kind.provider}"
            # The first one waits for the worker to start.
            took = sorted([_one(kind, n, address, session, heap) for n in range(_WEBHOOKS + 1)][1:])
            return {"p50_ms": took[len(took) // 2], "longest_ms": took[-1]}

    return run


def _one(kind: Kind, number: int, address: str, session: requests.Session, heap: _Heap) -> float:
    """Post a webhook; gives how many milliseconds after its answer Heap had the order."""
    request = kind.request(number + 1)
    heap.came.clear()
    answer = session.post(address, request.body, headers=dict(request.headers), timeout=_PATIENCE)
    answered = time.monotonic()
    answer.raise_for_status()
    if not heap.came.wait(_PATIENCE):
        raise TimeoutError("nothing has reached Heap")
    time.sleep(_REST_SECONDS)
    return (heap.at - answered) * 1000
