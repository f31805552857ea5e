"""Bound the time a client may take with one request.

Gunicorn's threaded worker gives each new connection a thread, which waits five seconds for the
first byte and then without end for the rest: eight clients that stall would stop all receiving.
Read in gunicorn 27.0.1: ThreadWorker.accept, ThreadWorker.handle, SocketUnreader.chunk.
"""

import errno
import os
import socket
import time

# From the first byte to the last. Shopify waits five seconds for an answer and Stripe not much
# longer, so whoever needs more than this has given up, or is none of them.
SECONDS = 10.0


class Bounded(socket.socket):
    """A client's connection on which no request takes longer than SECONDS to come in.

    A request that does is a lost connection to whoever reads it: ConnectionResetError.
    """

    _ends: float | None = None

    @classmethod
    def of(cls, connection: socket.socket) -> "Bounded":
        """Take a connection over; the one given is closed for its owner."""
        return cls(fileno=connection.detach())

    def setblocking(self, flag: bool) -> None:
        """Begin a request, which is what gunicorn says with True, or leave it to the poller."""
        self.settimeout(SECONDS if flag else 0.0)
        self._ends = time.monotonic() + SECONDS if flag else None

    def recv(self, size: int, flags: int = 0) -> bytes:
        """Read what has come, or wait for as long as the request may still take."""
        given = self.gettimeout()
        if self._ends is None or not given:
            return super().recv(size, flags)
        left = self._ends - time.monotonic()
        if left <= 0:
            raise _too_slow()
        self.settimeout(min(left, given))
        try:
            return super().recv(size, flags)
        except TimeoutError:
            raise _too_slow() from None
        finally:
            self.settimeout(given)


def _too_slow() -> ConnectionResetError:
    # With this number, and no other, gunicorn ends the connection without a word in the log.
    return ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))
