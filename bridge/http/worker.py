"""Gunicorn's asgi worker, with limits on what all connections of a process take together.

Read in gunicorn 27.0.1: workers.gasgi.ASGIWorker.
"""

import asyncio
import os
import signal
import time
from typing import Any

from gunicorn.asgi import protocol  # type: ignore[import-untyped]  # it has no types
from gunicorn.workers import gasgi  # type: ignore[import-untyped]  # it has no types

from bridge.http import limits
from bridge.http.connection import Connection
from bridge.http.parser import Parser

# Between two checks of the deadlines.
_CHECK_SECONDS = 0.25
# How long a stopping process waits on an idle connection: a request may be on its way.
_LINGER_SECONDS = 2.0


# What asks a process to stop.
_STOPPING = {signal.SIGTERM, signal.SIGINT, signal.SIGQUIT}


def hold_signals() -> None:
    """Keep signals to stop from a new web process until its loop runs.

    While it starts, nobody in it listens: one that is asked to stop then would go on for ever.
    Called once, in the parent; from then on each child begins with these signals held.
    """
    os.register_at_fork(
        before=lambda: signal.pthread_sigmask(signal.SIG_BLOCK, _STOPPING),
        after_in_parent=lambda: signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPPING),
    )


class Worker(gasgi.ASGIWorker):  # type: ignore[misc]  # it has no types
    """One web process."""

    alive: bool
    loop: asyncio.AbstractEventLoop

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.now = time.monotonic()
        # Bytes received for requests that are not answered yet.
        self.held = 0
        self.connections: set[Connection] = set()
        # Those with no request being answered; the one idle for longest comes first.
        self.waiting: dict[Connection, None] = {}

    async def _serve(self) -> None:
        # There is no setting for either; gunicorn looks them up by these names.
        gasgi.ASGIProtocol, protocol.PythonProtocol = Connection, Parser
        checking = self.loop.create_task(self._check())
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPPING)
        try:
            await super()._serve()
        finally:
            checking.cancel()

    async def _check(self) -> None:
        """Close what has passed its deadline, until the process ends."""
        while True:
            # Also while it stops, which may take as long as gunicorn waits for a sign of life.
            self.notify()
            self.now = time.monotonic()
            hurry = float("inf") if self.alive else self.now + _LINGER_SECONDS
            for connection in tuple(self.connections):
                connection.check(hurry)
            await asyncio.sleep(_CHECK_SECONDS)

    def opened(self, connection: Connection) -> None:
        """Count a new connection in; if there are too many, close the one idle for longest."""
        if len(self.connections) >= limits.CONNECTIONS:
            next(iter(self.waiting), connection).abort()
        self.connections.add(connection)
        self.waiting[connection] = None

    def closed(self, connection: Connection) -> None:
        """Forget a closed connection."""
        self.connections.discard(connection)
        self.waiting.pop(connection, None)
