"""From an order to the context in which its Heap events are written."""

from dataclasses import replace
from datetime import datetime

from pydantic import TypeAdapter

from adapters.schema import Order
from bridge.config import Config, Source
from bridge.heap.context import EventContext
from bridge.heap.identity import Choice, Identity, identify, pseudonym
from bridge.heap.session import Session, session_of
from bridge.store.ledger import OrderRecord

# An order as `OrderRecord.sent_order` holds it.
ORDER: TypeAdapter[Order] = TypeAdapter(Order)


def new_context(
    config: Config, source: Source, order: Order, received_at: datetime
) -> EventContext | None:
    """Return the context of an order that is about to be sent.

    None if the order has no identity and must be parked.
    """
    session = _session(source, order)
    identity = _identify(config, source, order, session)
    if identity is None:
        return None
    return _context(config, source, order, received_at, session=session, identity=identity)


def sent_context(
    config: Config, source: Source, record: OrderRecord, received_at: datetime
) -> EventContext:
    """Return the context of an order that was sent: what follows it goes to the same user."""
    order = ORDER.validate_json(record.sent_order or "")
    session = _session(source, order)
    if record.identity:
        identity = Identity.read(record.identity)
    else:
        identity = _identify(config, source, order, session) or pseudonym(
            order, provider=source.adapter.name
        )
    return _context(config, source, order, received_at, session=session, identity=identity)


def _session(source: Source, order: Order) -> Session:
    """Read what an order carries of the shopper's session at the source's Heap app."""
    return session_of(order.attribution, source.destination.app_id)


def _identify(config: Config, source: Source, order: Order, session: Session) -> Identity | None:
    choice = Choice(
        email_case=source.email_case,
        no_identity=source.no_identity,
        customer_id_field=config.customer_id_field,
        hashed=config.hash_identity,
    )
    return identify(order, provider=source.adapter.name, choice=choice, session=session)


def _context(
    config: Config,
    source: Source,
    order: Order,
    received_at: datetime,
    *,
    session: Session,
    identity: Identity,
) -> EventContext:
    return EventContext(
        order=order,
        provider=source.adapter.name,
        source=source.name,
        names=config.names,
        identity=replace(identity, private=config.hash_identity),
        received_at=received_at,
        session=session,
        extra=config.extra_properties,
    )
