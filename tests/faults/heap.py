"""Heap in a process of its own, so that what it does takes nothing from whoever is measured.

`python -m tests.faults.heap sandbox HOST PER_MINUTE` is the strict sandbox; `… sink HOST SECONDS`
only counts: it reads a request, answers 200 after so long, as if it were far away, and keeps
nothing. Both print their URL, then run until stdin ends.
"""

import asyncio
import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from bridge.sandbox.local_heap import Sandbox

_KEY = b'"idempotency_key"'


@dataclass(frozen=True)
class Heap:
    """A Heap that runs elsewhere."""

    url: str

    def events(self) -> list[dict[str, Any]]:
        """Give the stored events."""
        return list(self._get("/sandbox/events"))

    def keys(self) -> set[str]:
        """Name the stored events' keys."""
        return {str(event["idempotency_key"]) for event in self.events()}

    def requests(self) -> list[dict[str, Any]]:
        """Give each request's moment, size and answer."""
        return list(self._get("/sandbox/requests"))

    def summary(self) -> dict[str, Any]:
        """Count what there is."""
        return dict(self._get("/sandbox/summary"))

    def play(self, *faults: dict[str, Any]) -> None:
        """Play faults with the next requests, as bridge.sandbox.faults names them."""
        request = urllib.request.Request(
            f"{self.url}/sandbox/faults", json.dumps(faults).encode(), method="POST"
        )
        urllib.request.urlopen(request, timeout=30).close()

    def well(self) -> None:
        """Play no more faults."""
        request = urllib.request.Request(f"{self.url}/sandbox/faults", method="DELETE")
        urllib.request.urlopen(request, timeout=30).close()

    def _get(self, path: str) -> Any:
        with urllib.request.urlopen(f"{self.url}{path}", timeout=120) as answer:
            return json.load(answer)


@contextmanager
def elsewhere(
    kind: str, *arguments: str, within: Sequence[str] = (), host: str = "127.0.0.1"
) -> Iterator[Heap]:
    """Run a `sandbox` or a `sink` in its own process. within: a command to run it elsewhere."""
    process = subprocess.Popen(
        [*within, sys.executable, "-m", "tests.faults.heap", kind, host, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin
    assert process.stdout
    try:
        yield Heap(process.stdout.readline().strip())
    finally:
        process.stdin.close()
        process.stdout.close()
        process.wait(30)


async def _sink(host: str, away: float) -> None:
    """Take requests and count their events; GET /sandbox/summary tells how many."""
    counts = {"events": 0, "requests": 0}

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            try:
                head = await reader.readuntil(b"\r\n\r\n")
            except (asyncio.IncompleteReadError, ConnectionError):
                break
            length = 0
            for line in head.lower().split(b"\r\n"):
                if line.startswith(b"content-length:"):
                    length = int(line.partition(b":")[2])
            body = await reader.readexactly(length) if length else b""
            answer = b""
            if head.startswith(b"GET"):
                answer = json.dumps(counts).encode()
            else:
                await asyncio.sleep(away)
                counts["events"] += body.count(_KEY)
                counts["requests"] += 1
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(answer), answer))
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, host, 0, limit=1 << 22)
    port = server.sockets[0].getsockname()[1]
    print(f"http://{host}:{port}", flush=True)  # noqa: T201 - how whoever started it learns where
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


def main(kind: str, host: str, figure: str = "") -> None:
    """Run until stdin ends."""
    if kind == "sink":
        asyncio.run(_sink(host, float(figure or 0)))
        return
    sandbox = Sandbox(host, per_minute=int(figure or 1_000_000)).start()
    print(sandbox.url, flush=True)  # noqa: T201 - how whoever started it learns where
    sys.stdin.read()
    sandbox.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
