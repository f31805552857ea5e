"""A TCP proxy that stands between the bridge and Heap and is, on demand, what networks can be."""

import asyncio
import socket
import struct
import threading
from contextlib import suppress
from typing import Literal, Self
from urllib.parse import urlsplit

Fault = Literal["none", "reset", "half", "garbage", "drip", "silent"]

_PIECE = 1 << 18
# Of an answer, so many bytes pass before it breaks off.
_HALF = 24
_DRIP_SECONDS = 0.2


class Proxy:
    """Passes everything on to `target`, a URL, with a delay each way, unless a fault is set.

    fault: taken by every connection with the next bytes it gets. reset: RST once a request has
    come. half: the answer breaks off. garbage: what is no HTTP. drip: the answer comes byte by
    byte. silent: nothing ever comes. taken: how many requests met a fault.
    """

    def __init__(self, target: str, delay: float = 0.0) -> None:
        address = urlsplit(target)
        self._target = (address.hostname or "", address.port or 80)
        self._delay = delay
        self.fault: Fault = "none"
        self.taken = 0
        self._loop = asyncio.new_event_loop()
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._thread = threading.Thread(target=self._run, name="proxy")

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._listening.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._listening.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(
            asyncio.start_server(self._serve, sock=self._listening)
        )
        self._loop.run_forever()
        server.close()
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            theirs, ours = await asyncio.open_connection(*self._target, limit=_PIECE)
        except OSError:
            writer.close()
            return
        try:
            await asyncio.gather(
                self._requests(reader, writer, ours), self._answers(theirs, writer)
            )
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            for end in (writer, ours):
                with suppress(OSError):
                    end.close()

    async def _requests(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        ours: asyncio.StreamWriter,
    ) -> None:
        while piece := await reader.read(_PIECE):
            if self.fault in {"reset", "garbage", "silent"}:
                self.taken += 1
                await self._spoil(writer)
                continue
            self._later(ours, piece)
            await ours.drain()
        ours.close()

    async def _spoil(self, writer: asyncio.StreamWriter) -> None:
        if self.fault == "garbage":
            writer.write(b"220 mail.example.com ESMTP\r\n\r\n")
        elif self.fault == "reset":
            raw = writer.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
            raise ConnectionResetError

    async def _answers(self, theirs: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await theirs.read(_PIECE):
            if self.fault == "half":
                self.taken += 1
                writer.write(piece[:_HALF])
                await writer.drain()
                break
            if self.fault == "drip":
                self.taken += 1
                for byte in piece:
                    # Who has had enough has gone.
                    if writer.is_closing():
                        break
                    writer.write(bytes([byte]))
                    await asyncio.sleep(_DRIP_SECONDS)
                continue
            self._later(writer, piece)
        await asyncio.sleep(self._delay)
        writer.close()

    def _later(self, writer: asyncio.StreamWriter, piece: bytes) -> None:
        """Pass on after the delay, in order, and without waiting: more may be under way."""
        if not self._delay:
            writer.write(piece)
            return

        def write() -> None:
            if not writer.is_closing():
                writer.write(piece)

        self._loop.call_later(self._delay, write)
