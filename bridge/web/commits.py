"""Wait in the event loop for what the acceptor's thread commits.

Commits come in groups, and so do the answers: the loop is woken once for a group, and one timer
watches everybody's patience.
"""

import asyncio
from collections import deque
from datetime import datetime
from typing import Any

from adapters.contract import WebhookEvent
from bridge.errors import StoreUnavailable
from bridge.store.accept import PATIENCE_SECONDS
from bridge.web.receive import Accepts

# Whether a webhook is new, or the error that kept it from being stored.
Outcome = bool | Exception


class Commits:
    """Offers webhooks to the acceptor of one process, and waits for their commits."""

    def __init__(self, acceptor: Accepts) -> None:
        self._acceptor = acceptor
        self._rings = False
        self._woken = False
        self._outcomes: deque[tuple[asyncio.Future[Outcome], Outcome]] = deque()
        # Who waits, and until when; the longest first.
        self._waiting: dict[asyncio.Future[Outcome], float] = {}
        self._watching = False

    async def of(self, source: str, event: WebhookEvent, secret: int, at: datetime) -> Outcome:
        """Return whether an event is new once it is on disk, or the error.

        Raises StoreUnavailable if nothing is taken any more.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Outcome] = loop.create_future()

        def committed(outcome: Outcome) -> None:
            self._outcomes.append((done, outcome))
            if not self._woken:
                self._woken = True
                loop.call_soon_threadsafe(self._settle)

        offered = self._acceptor.offer(source, event, secret, at, committed)
        if not self._rings:
            # What came at one moment goes to the disk together.
            self._rings = True
            loop.call_soon(self._ring)
        self._waiting[done] = loop.time() + PATIENCE_SECONDS
        if not self._watching:
            self._watch(loop, PATIENCE_SECONDS)
        try:
            return await done
        finally:
            del self._waiting[done]
            # If nobody waits any more, it need not be stored.
            offered.drop()

    def _ring(self) -> None:
        self._rings = False
        self._acceptor.ring()

    def _settle(self) -> None:
        # First, so that what is appended from now on wakes the loop again.
        self._woken = False
        while self._outcomes:
            done, outcome = self._outcomes.popleft()
            if not done.done():
                done.set_result(outcome)

    def _watch(self, loop: Any, seconds: float) -> None:
        self._watching = True
        loop.call_later(seconds, self._let_go, loop)

    def _let_go(self, loop: Any) -> None:
        """Answer those whose patience is over."""
        self._watching = False
        now = loop.time()
        for done, until in self._waiting.items():
            if until > now:
                self._watch(loop, until - now)
                return
            if not done.done():
                done.set_result(StoreUnavailable("database"))
