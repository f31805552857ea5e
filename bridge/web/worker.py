"""Gunicorn's worker as this service needs it: one thread reads and answers every connection.

Gunicorn's own threaded worker gives each request a thread, which waits for the client and then for
the commit: eight clients that stall stop all receiving, and threads that take turns cost more than
all that a webhook needs. Here nobody waits: a request is looked at once it is whole, and answered
once its webhook is on disk. Only what the door does not take itself gets a thread.
Read in gunicorn 27.0.1: workers.base.Worker, workers.gthread.ThreadWorker.run.
"""

import os
import selectors
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate
from typing import Any

from gunicorn.workers.base import Worker as AnyWorker  # type: ignore[import-untyped]  # it has no types

from bridge.logs import logger
from bridge.web.connection import Connection
from bridge.web.door import Door
from bridge.web.incoming import Settings
from bridge.web.wsgi import Response, environ, respond

# Between two looks at what has taken too long.
_LOOK_SECONDS = 0.25
# So long a stopping worker waits for requests that may already be on their way.
_LINGER_SECONDS = 2.0

log = logger()


class Worker(AnyWorker):  # type: ignore[misc]  # it has no types
    """One web process."""

    alive: bool
    door: Door
    now: float
    date: bytes

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.settings = Settings(self.cfg)
        self.held = 0
        self._connections: set[Connection] = set()
        self._wanted: deque[Callable[[], None]] = deque()
        self._woken = False
        self._accepting = False

    def run(self) -> None:
        """Answer requests until told to stop, then those that have begun."""
        # Made here, because no thread and no poller survives a fork.
        self._poller = selectors.DefaultSelector()
        self._threads = ThreadPoolExecutor(self.cfg.threads, thread_name_prefix="page")
        self.door = self.wsgi
        self._look()
        # Signals write here too, so that they end the wait.
        self._poller.register(self.PIPE[0], selectors.EVENT_READ, self._wake)
        while self.alive and self.ppid == os.getppid():
            self._accept_more(len(self._connections) < self.cfg.worker_connections)
            self._turn()
        self.alive = False
        self._stop()

    def _stop(self) -> None:
        self._accept_more(False)
        for one in self.sockets:
            one.close()
        self._look()
        until = self.now + self.cfg.graceful_timeout
        for connection in self._connections:
            connection.hurry(self.now + _LINGER_SECONDS)
        while self._connections and self.now < until:
            self._turn()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _turn(self) -> None:
        """Wait for what is ready and do it, and look from time to time at what is not."""
        events = self._poller.select(max(0.0, self._next - time.monotonic()))
        self.now = time.monotonic()
        for key, mask in events:
            key.data(mask)
        # What came at one moment goes to the disk together.
        self.door.ring()
        if self._next <= self.now:
            self._look()

    def _look(self) -> None:
        """Tell gunicorn that this process lives, and end what has taken too long."""
        self.notify()
        self.now = time.monotonic()
        self._next = self.now + _LOOK_SECONDS
        self.date = f"Date: {formatdate(usegmt=True)}\r\n".encode()
        for connection in [one for one in self._connections if one.deadline < self.now]:
            connection.expire()

    # --- connections --------------------------------------------------------------------------

    def _accept_more(self, wanted: bool) -> None:
        if wanted == self._accepting:
            return
        for listener in self.sockets:
            if wanted:
                listener.setblocking(False)
                self._poller.register(listener, selectors.EVENT_READ, self._accept)
            else:
                self._poller.unregister(listener)
        self._accepting = wanted

    def _accept(self, _events: int) -> None:
        """Accept one connection of each listener, so that other processes get theirs."""
        for listener in self.sockets:
            try:
                client, address = listener.accept()
            except OSError:  # another process was faster, or the client is gone
                continue
            client.setblocking(False)
            self._connections.add(Connection(self, client, address))

    def watch(self, connection: Connection, events: int) -> None:
        """Call its `ready` at these events."""
        known = connection.socket in self._poller.get_map()
        if known and events:
            self._poller.modify(connection.socket, events, connection.ready)
        elif known:
            self._poller.unregister(connection.socket)
        elif events:
            self._poller.register(connection.socket, events, connection.ready)

    def forget(self, connection: Connection) -> None:
        """Know it no more."""
        self.watch(connection, 0)
        self._connections.discard(connection)

    # --- other threads ------------------------------------------------------------------------

    def soon(self, work: Callable[[], None]) -> None:
        """Do this in the loop's own thread; called in any."""
        self._wanted.append(work)
        if not self._woken:
            self._woken = True
            os.write(self.PIPE[1], b".")

    def _wake(self, _events: int) -> None:
        os.read(self.PIPE[0], 4096)
        # Before it is emptied, so that what comes meanwhile wakes once more.
        self._woken = False
        while self._wanted:
            self._wanted.popleft()()

    def walk(self, asked: tuple[Any, ...], done: Callable[[Response], None]) -> None:
        """Have a request answered as WSGI in a thread of its own; `done` is told in that."""
        self._threads.submit(lambda: done(respond(self.wsgi, environ(*asked))))
