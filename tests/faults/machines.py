"""Machines: network namespaces with addresses of their own, joined by a bridge of the kernel.

A machine has its own loopback; what the bridge may only reach there is brought there by a
forwarder, as a TLS proxy beside it would.
"""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

# Nothing else on a machine that runs tests has these addresses.
_NET = "10.77.113"
_PORT = 8001


@dataclass(frozen=True)
class Machine:
    """One machine. address: where others reach it. within: runs a command on it."""

    address: str
    within: tuple[str, ...]


@contextmanager
def machines(count: int) -> Iterator[tuple[str, list[Machine]]]:
    """Make machines; gives the address at which they reach this one, and them. Needs root."""
    tag = f"b{os.getpid() % 100_000}"
    made: list[Machine] = []
    with ExitStack() as after:
        _ip("link", "add", tag, "type", "bridge")
        after.callback(_undone, "link", "del", tag)
        _ip("addr", "add", f"{_NET}.1/24", "dev", tag)
        _ip("link", "set", tag, "up")
        for number in range(count):
            name, cable = f"{tag}m{number}", f"{tag}v{number}"
            _ip("netns", "add", name)
            after.callback(_undone, "netns", "del", name)
            _ip("link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", name)
            _ip("link", "set", cable, "master", tag, "up")
            address = f"{_NET}.{number + 2}"
            for words in (
                ("link", "set", "lo", "up"),
                ("addr", "add", f"{address}/24", "dev", "eth0"),
                ("link", "set", "eth0", "up"),
            ):
                _ip("-n", name, *words)
            made.append(Machine(address, ("ip", "netns", "exec", name)))
        yield f"{_NET}.1", made


@contextmanager
def forwarded(machine: Machine, url: str) -> Iterator[str]:
    """Bring a URL to a machine's own loopback; gives it as seen from there, alike on all."""
    process = subprocess.Popen(
        [*machine.within, sys.executable, "-m", "tests.faults.machines", url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin
    assert process.stdout
    try:
        yield process.stdout.readline().strip()
    finally:
        process.stdin.close()
        process.stdout.close()
        process.wait(30)


def _ip(*words: str) -> None:
    ended = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, f"ip {' '.join(words)}: {ended.stderr}"


def _undone(*words: str) -> None:
    subprocess.run(["ip", *words], capture_output=True, check=False)


async def _forward(url: str) -> None:
    address = urlsplit(url)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Ended with it, or by a worker that was killed.
        with suppress(OSError, asyncio.CancelledError):
            theirs, ours = await asyncio.open_connection(address.hostname, address.port)
            await asyncio.gather(_passed(reader, ours), _passed(theirs, writer))

    # The same on each machine: Heap at another address is another destination.
    await asyncio.start_server(serve, "127.0.0.1", _PORT)
    print(f"http://127.0.0.1:{_PORT}", flush=True)  # noqa: T201 - how whoever started it learns where
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


async def _passed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while piece := await reader.read(1 << 16):
            writer.write(piece)
            await writer.drain()
    finally:
        writer.close()


if __name__ == "__main__":
    asyncio.run(_forward(sys.argv[1]))
