"""The answers of look-ups, as normalize sees them within one transaction."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection

from adapters.lookups import ABSENT, Absent, Need
from adapters.payload import Payload
from bridge.store import facts

_EVER = datetime.min.replace(tzinfo=UTC)


@dataclass(slots=True)
class Answers:
    """What was answered to the look-ups of one purchase; each is read from the store once.

    It asks nobody: what was never wanted, or not answered yet, is None.
    lasting: kinds of answers that hold for a time, None for ever. since: other answers count only
        if they are newer, because the purchase has moved on; None where any will do.
    """

    connection: Connection
    source: str
    now: datetime
    lasting: Mapping[str, timedelta | None] = field(default_factory=dict)
    since: datetime | None = None
    read: dict[Need, Payload | Absent | None] = field(default_factory=dict)

    def __call__(self, need: Need) -> Payload | Absent | None:
        """Give the answer; ABSENT where the provider has no such thing."""
        if need not in self.read:
            fact = facts.of(self.connection, self.source, [need]).get(need)
            self.read[need] = self._answer(need, fact)
        return self.read[need]

    def _answer(self, need: Need, fact: facts.Fact | None) -> Payload | Absent | None:
        if fact is None or fact.state == "wanted":
            return None
        if self.since and fact.answered_at and fact.answered_at < self._oldest(need.kind):
            return None
        return Payload(dict(fact.body)) if fact.body is not None else ABSENT

    def _oldest(self, kind: str) -> datetime:
        """Tell from when on an answer of this kind counts."""
        if kind not in self.lasting:
            return self.since or _EVER
        holds = self.lasting[kind]
        return _EVER if holds is None else self.now - holds
