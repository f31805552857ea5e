"""Ask the providers what orders want to know: outside every transaction, at the provider's pace."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from adapters.errors import KeyRefused, LookUpFailed, TryAgain
from adapters.lookups import Api, BatchApi, Json, Need
from bridge.heap.pace import backoff
from bridge.logs import logger
from bridge.store import Store, facts, pauses
from bridge.store.facts import Asked
from bridge.store.pauses import Pause

log = logger()

_AT_ONCE = 10
_PAUSE = timedelta(seconds=60)
_LONG = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Asker:
    """The look-up loop's one step for one source.

    api: the provider's, with the source's key. clock: the time of day.
    """

    store: Store
    source: str
    api: Api
    clock: Callable[[], datetime]

    def step(self) -> int:
        """Ask for what is wanted and due; gives how many answers came."""
        answered = 0
        together = self.api.together if isinstance(self.api, BatchApi) else {}
        for kind, most in together.items():
            asked = facts.claim(self.store, self.source, self.clock(), most, kind=kind)
            for account in sorted({one.need.account for one in asked}):
                answered += self._ask([one for one in asked if one.need.account == account])
        for one in facts.claim(self.store, self.source, self.clock(), _AT_ONCE, but=together):
            answered += self._ask([one])
        return answered

    def _ask(self, asked: Sequence[Asked]) -> int:
        """Ask for one thing, or for several of one kind and account in one call."""
        needs = [one.need for one in asked]
        try:
            bodies = self._fetched(needs)
        except KeyRefused as refused:
            account, until = needs[0].account, self.clock() + _PAUSE
            kind = needs[0].kind if refused.only_this else None
            log.warning("look-ups paused", source=self.source, account=account, kind=kind)
            pauses.pause(self.store, Pause(self.source, account, str(refused), until, kind))
            self._later(needs, until, str(refused))
            return 0
        except TryAgain as failed:
            wait = backoff(asked[0].tries, random.random(), retry_after=failed.retry_after)  # noqa: S311 - spreads, hides nothing
            self._later(needs, self.clock() + timedelta(seconds=wait), str(failed))
            return 0
        except LookUpFailed as failed:
            # Asking the same again does not help at once; a mended release or key may.
            self._later(needs, self.clock() + _LONG, str(failed))
            return 0
        for need, body in zip(needs, bodies, strict=True):
            facts.answer(self.store, self.source, need, body, self.clock())
        pauses.resume(self.store, self.source, needs[0])
        return len(needs)

    def _fetched(self, needs: Sequence[Need]) -> Sequence[Json | None]:
        if isinstance(self.api, BatchApi) and needs[0].kind in self.api.together:
            return self.api.fetch_together(needs)
        return [self.api.fetch(need) for need in needs]

    def _later(self, needs: Sequence[Need], due_at: datetime, reason: str) -> None:
        for need in needs:
            facts.later(self.store, self.source, need, due_at, reason)
