"""Ask the providers what orders want to know: outside every transaction, at the provider's pace."""

import random
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from adapters.errors import KeyRefused, LookupFailed, TryAgain
from adapters.lookups import Api, BatchApi, Json, LookupKey
from bridge.backoff import backoff
from bridge.logs import logger
from bridge.store import Store, circuit_breakers, lookups
from bridge.store.circuit_breakers import ALL_KINDS, OpenCircuit
from bridge.store.lookups import DueLookup

log = logger()

# So many are under way at once; each thread has a connection of its own.
_AT_ONCE = 8
# Claimed for each thread, so that a slow answer leaves the others something to do.
_FEW = 2
_PAUSE = timedelta(seconds=60)
_LONG = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class LookupLoop:
    """The look-up loop's one step for one source.

    Several look-ups are under way at once, because each is a journey; what they bring is written
    by the loop's own thread.

    api: the provider's, with the source's key. clock: the time of day.
    """

    store: Store
    source: str
    api: Api
    clock: Callable[[], datetime]
    threads: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="look-up")
    )

    def step(self) -> int:
        """Ask for what is wanted and due; gives how many answers came."""
        answered = 0
        together = self.api.together if isinstance(self.api, BatchApi) else {}
        for kind, most in together.items():
            asked = lookups.claim(self.store, self.source, self.clock(), most, kind=kind)
            for account in sorted({one.lookup_key.account for one in asked}):
                mine = [one for one in asked if one.lookup_key.account == account]
                answered += self._told(mine, self._fetched(mine))
        claimed = lookups.claim(
            self.store, self.source, self.clock(), _FEW * _AT_ONCE, but=together
        )
        under_way = {self.threads.submit(self._fetched, [one]): [one] for one in claimed}
        for done in as_completed(under_way):
            answered += self._told(under_way[done], done.result())
        return answered

    def close(self) -> None:
        """Let go of the threads and connections."""
        self.threads.shutdown(cancel_futures=True)
        self.api.close()

    def _fetched(self, asked: Sequence[DueLookup]) -> Sequence[Json | None] | LookupFailed:
        """Ask for one thing, or for several of one kind and account in one call."""
        lookup_keys = [one.lookup_key for one in asked]
        try:
            if isinstance(self.api, BatchApi) and lookup_keys[0].kind in self.api.together:
                return self.api.fetch_together(lookup_keys)
            return [self.api.fetch(lookup_key) for lookup_key in lookup_keys]
        except LookupFailed as failed:
            return failed

    def _told(self, asked: Sequence[DueLookup], found: Sequence[Json | None] | LookupFailed) -> int:
        """Keep what was answered, or when to ask again; gives how many answers there are."""
        lookup_keys = [one.lookup_key for one in asked]
        if isinstance(found, LookupFailed):
            self._later(lookup_keys, self._again(asked[0], found), str(found))
            return 0
        for lookup_key, body in zip(lookup_keys, found, strict=True):
            lookups.answer(self.store, self.source, lookup_key, body, self.clock())
        circuit_breakers.resume(self.store, self.source, lookup_keys[0])
        return len(lookup_keys)

    def _again(self, asked: DueLookup, failed: LookupFailed) -> datetime:
        """Say when to ask again; a refused key rests others as well."""
        now = self.clock()
        if isinstance(failed, KeyRefused):
            account, until = asked.lookup_key.account, now + _PAUSE
            kind = asked.lookup_key.kind if failed.only_this else ALL_KINDS
            log.warning("look-ups paused", source=self.source, account=account, kind=kind or "all")
            circuit_breakers.pause(
                self.store, OpenCircuit(self.source, account, kind, until, str(failed))
            )
            return until
        if isinstance(failed, TryAgain):
            wait = backoff(asked.claims, random.random(), retry_after=failed.retry_after)  # noqa: S311 - spreads, hides nothing
            return now + timedelta(seconds=wait)
        # Asking the same again does not help at once; a mended release or key may.
        return now + _LONG

    def _later(self, lookup_keys: Sequence[LookupKey], due_at: datetime, reason: str) -> None:
        for lookup_key in lookup_keys:
            lookups.retry(self.store, self.source, lookup_key, due_at, reason)
