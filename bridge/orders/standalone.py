"""What is done about a webhook that belongs to no order, such as a product that was changed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from adapters.schema import Disclosure, Erasure, Ignored, LookupFact, Outcome, Standalone
from bridge.store import Store, erasures, lookups
from bridge.store.inbox import EventOutcome, InboxEvent


@dataclass(frozen=True, slots=True)
class StandaloneEvent:
    """A webhook without an order, and what its adapter says it means."""

    stored: InboxEvent
    outcomes: Sequence[Outcome | Standalone]


def end(
    store: Store, connection: Connection, alone: StandaloneEvent, now: datetime
) -> EventOutcome:
    """Do what a webhook means, in the transaction that ends it."""
    stored = alone.stored
    reasons = []
    for outcome in alone.outcomes:
        match outcome:
            case LookupFact():
                lookups.save_fact(store, connection, stored.source, outcome, now)
                reasons.append(f"kept as what is known of its {outcome.lookup_key.kind}")
            case Ignored(reason):
                reasons.append(reason)
            case Erasure(whose):
                erasures.ask(connection, stored.source, outcome, stored.id, now)
                what = "a customer's data" if whose else "the shop's data"
                reasons.append(f"{what} is to be removed: see bridge erasures")
            case Disclosure():
                erasures.disclose(connection, stored.source, outcome, now)
                reasons.append("a customer asks what is stored: see bridge erasures")
            case _:
                pass
    reason = "; ".join(reasons) or f"topic {stored.event.topic}"
    return EventOutcome(stored.id, "ignored", reason)
