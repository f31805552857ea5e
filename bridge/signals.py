"""End a process when it is told to: SIGTERM and SIGINT, as an event that its threads wait for."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from queue import SimpleQueue


@contextmanager
def stopping() -> Iterator[threading.Event]:
    """Yield what SIGTERM and SIGINT set, while the block runs; for the main thread."""
    stop = threading.Event()
    came: SimpleQueue[bool] = SimpleQueue()

    def tell() -> None:
        if came.get():
            stop.set()

    # Set by a thread, never by the signal itself: that may come while the main thread holds the
    # event's own lock, as it does for a moment at each wait, and would then wait for it for ever.
    # Two signals are enough, and hosts, shells and make send two. Only `put` may be interrupted.
    threading.Thread(target=tell, name="signals", daemon=True).start()
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = {number: signal.signal(number, lambda *_: came.put(True)) for number in numbers}
    try:
        yield stop
    finally:
        for number, former in before.items():
            signal.signal(number, former)
        came.put(False)
