"""Have the adapters say what orders come to, whatever some of their events hold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from adapters.contract import Known
from adapters.errors import MalformedPayload
from adapters.schema import Outcome, Parked, Wait
from bridge.config import Config, Source
from bridge.orders.context import ORDER
from bridge.orders.lookup_answers import CachedLookups, LookupAnswers
from bridge.orders.reported import Reported
from bridge.store.inbox import EventOutcome, InboxEvent
from bridge.store.ledger import OrderRecord

Found = tuple[Outcome, ...] | Wait

_NONE_READABLE = Parked("no event of it can be read")


@dataclass(frozen=True, slots=True)
class _Ahead:
    """What an order comes to, from these events and answers."""

    events: Sequence[InboxEvent]
    answers: LookupAnswers
    found: Found
    ends: list[EventOutcome]


@dataclass(slots=True)
class Reader:
    """Normalises the orders of one transaction.

    accounts: the account of each source's first verified delivery.
    """

    config: Config
    accounts: Mapping[str, str]
    now: datetime
    facts: CachedLookups
    ahead: dict[int, _Ahead] = field(default_factory=dict)

    def look_ahead(self, records: Sequence[tuple[OrderRecord, Sequence[InboxEvent]]]) -> None:
        """Normalise orders as if no look-up were answered, and read their look-ups together.

        What no answer changes then stands; the others are normalised again when it is their turn.
        """
        for record, events in records:
            source = self.config.sources.get(record.source)
            if source is None:
                continue
            answers = self._answers(source, record, events)
            answers.guesses = []
            known = self._known(source, record, answers)
            found, ends = normalized(source, events, known, record.id)
            self.ahead[record.id] = _Ahead(events, answers, found, ends)
        for name in {record.source for record, _ in records}:
            guessed = (
                lookup_key
                for one in self.ahead.values()
                if one.answers.source == name
                for lookup_key in one.answers.guesses or ()
            )
            self.facts.read(name, guessed)

    def normalize(
        self, source: Source, record: OrderRecord, events: Sequence[InboxEvent]
    ) -> tuple[Found, list[EventOutcome]]:
        """Say what an order comes to, and how those of its events end that cannot be read."""
        ahead = self.ahead.pop(record.id, None)
        if ahead and ahead.events is events and ahead.answers.guessed_right():
            return ahead.found, ahead.ends
        known = self._known(source, record, self._answers(source, record, events))
        return normalized(source, events, known, record.id)

    def _answers(
        self, source: Source, record: OrderRecord, events: Sequence[InboxEvent]
    ) -> LookupAnswers:
        newest = max((stored.event.received_at or self.now for stored in events), default=None)
        # What was sent is told about with the answers it was sent with.
        since = None if record.state == "settled" else newest
        return LookupAnswers(self.facts, source.name, self.now, source.adapter.lasting, since)

    def _known(self, source: Source, record: OrderRecord, answers: LookupAnswers) -> Known:
        sold = record.sent_order if record.state == "settled" else None
        order = ORDER.validate_json(sold) if sold else None
        # What the events would tell that are gone.
        reported = Reported.read(record.reported if record.expired else None)
        if order and reported.added:
            order = replace(order, lines=(*order.lines, *reported.added.values()))
        field = self.config.customer_id_field
        wanted = tuple(dict.fromkeys([*self.config.extra_properties, *([field] if field else [])]))
        return Known(
            account=source.account or self.accounts.get(source.name, "self"),
            settings=source.settings,
            lookup=answers,
            extra=wanted,
            sold=order,
            partial=record.expired is not None,
            refunds=(*reported.refunds.values(),),
        )


def normalized(
    source: Source, events: Sequence[InboxEvent], known: Known, order_row: int
) -> tuple[Found, list[EventOutcome]]:
    """Normalise an order from all its events; those that cannot be read are parked.

    Gives what it comes to, and how the unreadable ones end.
    """
    normalize = source.adapter.normalize
    ends: list[EventOutcome] = []
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
                ends.append(EventOutcome(stored.id, "parked", reason, order_row))
    try:
        return _of(source, readable, known), ends
    except MalformedPayload as error:
        return (Parked(f"its events contradict each other: {error}"),), ends


def _of(source: Source, events: Sequence[InboxEvent], known: Known) -> Found:
    if not events:
        return (_NONE_READABLE,)
    return source.adapter.normalize([stored.event for stored in events], known)
