"""Have the adapters say what purchases come to, whatever some of their events hold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from adapters.contract import Known
from adapters.errors import MalformedPayload
from adapters.schema import Outcome, Parked, Wait
from bridge.config import Config, Source
from bridge.orders.lookup_answers import Answers, Read
from bridge.orders.reported import Told
from bridge.orders.unit_of_work import ORDER
from bridge.store.inbox import End, Stored
from bridge.store.ledger import Purchase

Found = tuple[Outcome, ...] | Wait

_NONE_READABLE = Parked("no event of it can be read")


@dataclass(frozen=True, slots=True)
class _Ahead:
    """What a purchase comes to, from these events and answers."""

    events: Sequence[Stored]
    answers: Answers
    found: Found
    ends: list[End]


@dataclass(slots=True)
class Reader:
    """Normalises the purchases of one transaction.

    accounts: the account of each source's first verified delivery.
    """

    config: Config
    accounts: Mapping[str, str]
    now: datetime
    facts: Read
    ahead: dict[int, _Ahead] = field(default_factory=dict)

    def look_ahead(self, purchases: Sequence[tuple[Purchase, Sequence[Stored]]]) -> None:
        """Normalise purchases as if no look-up were answered, and read their look-ups together.

        What no answer changes then stands; the others are normalised again when it is their turn.
        """
        for purchase, events in purchases:
            source = self.config.sources.get(purchase.source)
            if source is None:
                continue
            answers = self._answers(source, purchase, events)
            answers.guesses = []
            known = self._known(source, purchase, answers)
            found, ends = normalized(source, events, known, purchase.id)
            self.ahead[purchase.id] = _Ahead(events, answers, found, ends)
        for name in {purchase.source for purchase, _ in purchases}:
            guessed = (
                need
                for one in self.ahead.values()
                if one.answers.source == name
                for need in one.answers.guesses or ()
            )
            self.facts.read(name, guessed)

    def normalize(
        self, source: Source, purchase: Purchase, events: Sequence[Stored]
    ) -> tuple[Found, list[End]]:
        """Say what a purchase comes to, and how those of its events end that cannot be read."""
        ahead = self.ahead.pop(purchase.id, None)
        if ahead and ahead.events is events and ahead.answers.guessed_right():
            return ahead.found, ahead.ends
        return normalized(source, events, self.known(source, purchase, events), purchase.id)

    def known(self, source: Source, purchase: Purchase, events: Sequence[Stored]) -> Known:
        """Tell the adapter what the bridge knows beside the events."""
        return self._known(source, purchase, self._answers(source, purchase, events))

    def _answers(self, source: Source, purchase: Purchase, events: Sequence[Stored]) -> Answers:
        newest = max((stored.event.received_at or self.now for stored in events), default=None)
        # What was sent is told about with the answers it was sent with.
        since = None if purchase.state == "settled" else newest
        return Answers(self.facts, source.name, self.now, source.adapter.lasting, since)

    def _known(self, source: Source, purchase: Purchase, answers: Answers) -> Known:
        sold = purchase.record if purchase.state == "settled" else None
        order = ORDER.validate_json(sold) if sold else None
        # What the events would tell that are gone.
        told = Told.read(purchase.told if purchase.expired else None)
        if order and told.added:
            order = replace(order, lines=(*order.lines, *told.added.values()))
        field = self.config.customer_id_field
        wanted = tuple(dict.fromkeys([*self.config.extra_properties, *([field] if field else [])]))
        return Known(
            account=source.account or self.accounts.get(source.name, "self"),
            settings=source.settings,
            lookup=answers,
            extra=wanted,
            sold=order,
            partial=purchase.expired is not None,
            refunds=(*told.refunds.values(),),
        )


def normalized(
    source: Source, events: Sequence[Stored], known: Known, order_row: int
) -> tuple[Found, list[End]]:
    """Normalise a purchase from all its events; those that cannot be read are parked.

    Gives what it comes to, and how the unreadable ones end.
    """
    normalize = source.adapter.normalize
    ends: list[End] = []
    try:
        return _of(source, events, known), ends
    except MalformedPayload:
        readable = []
        for stored in events:
            try:
                normalize([stored.event], known)
                readable.append(stored)
            except MalformedPayload as error:
                reason = f"cannot be read: {error}"
                ends.append(End(stored.id, "parked", reason, order_row))
    try:
        return _of(source, readable, known), ends
    except MalformedPayload as error:
        return (Parked(f"its events contradict each other: {error}"),), ends


def _of(source: Source, events: Sequence[Stored], known: Known) -> Found:
    if not events:
        return (_NONE_READABLE,)
    return source.adapter.normalize([stored.event for stored in events], known)
