"""Ask the providers what orders want to know: outside every transaction, at the provider's pace."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from adapters.errors import KeyRefused, LookUpFailed, TryAgain
from adapters.lookups import Api
from bridge.heap.pace import backoff
from bridge.logs import logger
from bridge.store import Store, facts
from bridge.store.facts import Asked

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
        for asked in facts.claim(self.store, self.source, self.clock(), _AT_ONCE):
            answered += self._ask(asked)
        return answered

    def _ask(self, asked: Asked) -> int:
        need = asked.need
        try:
            body = self.api.fetch(need)
        except KeyRefused as refused:
            log.warning("look-ups paused", source=self.source, account=need.account)
            until = self.clock() + _PAUSE
            facts.pause(self.store, self.source, need.account, until, str(refused))
            facts.later(self.store, self.source, need, until, str(refused))
            return 0
        except TryAgain as failed:
            wait = backoff(asked.tries, random.random(), retry_after=failed.retry_after)  # noqa: S311 - spreads, hides nothing
            due_at = self.clock() + timedelta(seconds=wait)
            facts.later(self.store, self.source, need, due_at, str(failed))
            return 0
        except LookUpFailed as failed:
            # Asking the same again does not help at once; a mended release or key may.
            facts.later(self.store, self.source, need, self.clock() + _LONG, str(failed))
            return 0
        facts.answer(self.store, self.source, need, body, self.clock())
        facts.resume(self.store, self.source, need.account)
        return 1
