"""The answers of look-ups, as normalize sees them within one transaction."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection

from adapters.lookups import ABSENT, Absent, LookupKey
from adapters.payload import Payload
from bridge.store import lookups

_EVER = datetime.min.replace(tzinfo=UTC)


@dataclass(slots=True)
class CachedLookups:
    """The facts that one transaction has read, each once; None where there is no such fact."""

    connection: Connection
    found: dict[tuple[str, LookupKey], lookups.CachedLookup | None] = field(default_factory=dict)

    def read(self, source: str, lookup_keys: Iterable[LookupKey]) -> None:
        """Read facts of a source, those that are not read yet, in one statement."""
        wanted = [
            lookup_key
            for lookup_key in dict.fromkeys(lookup_keys)
            if (source, lookup_key) not in self.found
        ]
        known = lookups.of(self.connection, source, wanted)
        self.found |= {(source, lookup_key): known.get(lookup_key) for lookup_key in wanted}


@dataclass(slots=True)
class LookupAnswers:
    """What was answered to the look-ups of one order.

    It asks nobody: what was never wanted, or not answered yet, is None.
    lasting: kinds of answers that hold for a time, None for ever. since: other answers count only
        if they are newer, because the order has moved on; None where any will do.
    guesses: while it is a list, what is not read yet is noted there, and taken for not answered.
    """

    lookups: CachedLookups
    source: str
    now: datetime
    lasting: Mapping[str, timedelta | None] = field(default_factory=dict)
    since: datetime | None = None
    guesses: list[LookupKey] | None = None

    def __call__(self, lookup_key: LookupKey) -> Payload | Absent | None:
        """Give the answer; ABSENT where the provider has no such thing."""
        if (self.source, lookup_key) not in self.lookups.found:
            if self.guesses is not None:
                self.guesses.append(lookup_key)
                return None
            self.lookups.read(self.source, [lookup_key])
        return self._answer(lookup_key)

    def guessed_right(self) -> bool:
        """Whether what was taken for not answered is so, now that it has been read."""
        return all(self._answer(lookup_key) is None for lookup_key in self.guesses or ())

    def _answer(self, lookup_key: LookupKey) -> Payload | Absent | None:
        fact = self.lookups.found[self.source, lookup_key]
        if fact is None or fact.state == "wanted":
            return None
        if self.since and fact.answered_at and fact.answered_at < self._oldest(lookup_key.kind):
            return None
        return Payload(dict(fact.body)) if fact.body is not None else ABSENT

    def _oldest(self, kind: str) -> datetime:
        """Tell from when on an answer of this kind counts."""
        if kind not in self.lasting:
            return self.since or _EVER
        holds = self.lasting[kind]
        return _EVER if holds is None else self.now - holds
