"""Ends a worker one of whose steps does not end; whoever supervises it starts another.

What the step had in hand has then been tried, and is tried again alone. Measured is the processor
time of the step's own thread: a machine that was suspended, a database or a Heap that is slow, and
others who take the processor cost none of it.
"""

import os
import sys
import threading
import traceback

from bridge.logs import logger
from bridge.orders.retries import places
from bridge.worker.loops import Busy

log = logger()

# Nothing that a step does takes more than a second or two of it.
MOST_SECONDS = 60.0
_LOOK_SECONDS = 1.0
# EX_SOFTWARE of sysexits.h.
STATUS = 70


def until(stop: threading.Event, busy: Busy) -> None:
    """Wait until `stop` is set, and look meanwhile; where a step does not end, the process does."""
    while not stop.wait(_LOOK_SECONDS):
        for thread, seconds in busy.spent():
            if seconds > MOST_SECONDS:
                frame = sys._current_frames().get(thread)  # noqa: SLF001 - documented, for this
                at = places(traceback.extract_stack(frame)) if frame else "it has just ended"
                log.critical("a step does not end; the worker ends", seconds=int(seconds), at=at)
                # Threads cannot be ended, and what they hold must not be finished by half.
                os._exit(STATUS)
