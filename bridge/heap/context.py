"""What all Heap events of one order have in common, worked out once."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from adapters.schema import Order
from bridge.config.settings import EventNames
from bridge.heap.form import Properties, common, moment
from bridge.heap.identity import Identity, is_pseudonym
from bridge.heap.session import MARKETING, Session
from bridge.keys import OrderKeys


@dataclass(frozen=True, kw_only=True)  # no slots: the derived properties are kept beside the fields
class EventContext:
    """What every Heap event of one order is written with.

    order: as it is sent. source: the bridge's name for it. names: of the events; one without a name
        is switched off.
    identity: the user to whom the events go. session: the shopper's, as the order carries it.
    received_at: when the newest webhook arrived, aware; neither an order nor a change is dated
        later than that.
    extra: names of the values in `Order.extra` that the operator wants on Order and Purchase.
    """

    order: Order
    provider: str
    source: str
    names: EventNames
    identity: Identity
    received_at: datetime
    session: Session = field(default_factory=Session)
    extra: Collection[str] = ()

    @cached_property
    def keys(self) -> OrderKeys:
        """The idempotency keys of the order's events."""
        return OrderKeys.of(self.provider, self.order.account, self.order.id)

    @cached_property
    def common(self) -> Properties:
        """Properties of every event of the order."""
        return common(self.order, self.provider, self.source)

    @cached_property
    def attribution(self) -> Properties:
        """Properties of Order and Purchase: which order of the customer's, campaign, extra values.

        With these, Heap's reports need no session to name a campaign. `metadata.shelf` becomes
        x_shelf.
        """
        asked = [(name, value) for name, value in self.order.extra if name in self.extra]
        copied = [(f"x_{name.partition('.')[2] or name}", value) for name, value in asked]
        return [("order_count", self._order_count), *self._campaign, *copied]

    @cached_property
    def description(self) -> Properties:
        """Properties that describe the order on the events that follow it, such as refunds.

        `order_placed_at` is the timestamp of its Order.
        """
        order = self.order
        return [
            ("order_name", order.order_name),
            ("order_placed_at", moment(order.placed_at)),
            ("channel", order.channel),
            ("discount_code", order.discount_codes),
            ("order_count", self._order_count),
            *self._campaign,
        ]

    @property
    def _campaign(self) -> Properties:
        told = self.session.told
        marketing = [(name, told.get(name)) for name in MARKETING]
        return [*marketing, ("heap_session_id", self.session.session_id)]

    @property
    def _order_count(self) -> int | None:
        """Which of the customer's orders it is; the orders of a pseudonym are not counted."""
        made_up = is_pseudonym(self.identity, self.order, provider=self.provider)
        return None if made_up else self.order.order_count
