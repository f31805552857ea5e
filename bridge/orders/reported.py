"""What Heap was told of an order: the sums of its changes, the units of its lines, its refunds.

Kept for ever in the ledger, without personal data, so that no webhook can be told twice however
late it comes.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Self

from pydantic import TypeAdapter

from adapters.money import ZERO
from adapters.schema import LineItem, Order, Refund, RefundStep, Units
from bridge.heap.sales import cards_in, net_sales, share


@dataclass(slots=True)
class ReportedLine:
    """What Heap was sent of one line, as sums over all events of it.

    units, gross, net, discount, tax, sales: by Purchases; sales are their net sales.
    sales_known: whether those of every Purchase are known.
    removed: units by Refunded Items of no refund.
    covered: units of a refund, by its ID, that were sent before the refund was known.
    units_left, left, sales_left: units, net price and net sales of all that left, by Refunded
    Items.
    is_card: whether the line sells gift cards.
    """

    units: Decimal = ZERO
    gross: Decimal = ZERO
    net: Decimal = ZERO
    discount: Decimal = ZERO
    tax: Decimal = ZERO
    sales: Decimal = ZERO
    sales_known: bool = True
    removed: Decimal = ZERO
    covered: dict[str, Decimal] = field(default_factory=dict)
    units_left: Decimal = ZERO
    left: Decimal = ZERO
    sales_left: Decimal = ZERO
    is_card: bool = False

    def add(self, item: LineItem, sales: Decimal | None) -> None:
        """Count a Purchase of a line. sales: its net sales; None if unknown."""
        self.units += item.quantity
        self.gross += item.gross_price
        self.net += item.net_price
        self.discount += item.discount or ZERO
        self.tax += item.tax or ZERO
        self.sales += sales or ZERO
        self.sales_known = self.sales_known and sales is not None
        self.is_card = item.is_gift_card

    def leave(self, units: Units, currency: str) -> tuple[Units, Decimal | None]:
        """Count units that left; return them with their share of the line's net sales.

        The shares of all units add up to the line's net price and net sales; the last to leave take
        what the others left over. None for the net sales if they are unknown.
        """
        if self.units_left + units.quantity == self.units and self.net >= self.left:
            units = replace(units, amount=self.net - self.left)
        self.units_left += units.quantity
        self.left += units.amount
        if not self.sales_known:
            return units, None
        before, self.sales_left = self.sales_left, share(self.sales, self.left, self.net, currency)
        return units, self.sales_left - before


@dataclass(slots=True)
class Reported:
    """The sums. figures: of Order Changed events, by name. lines: by the line's id.

    added: lines that the order as it was sent does not have, by their ids. refunds: by their ids,
    without their reasons. newest: when the newest state was made of which was told.
    revenue: of Order Changed events. cards_sold: net price of gift cards that the revenue sent so
    far leaves out. cards_settled: of those that left and whose money is not owed back.
    card_parts: how much of a refund, by its ID, is for gift cards.
    """

    figures: dict[str, Decimal] = field(default_factory=dict)
    lines: dict[str, ReportedLine] = field(default_factory=dict)
    added: dict[str, LineItem] = field(default_factory=dict)
    refunds: dict[str, Refund] = field(default_factory=dict)
    newest: datetime | None = None
    revenue: Decimal = ZERO
    cards_sold: Decimal = ZERO
    cards_settled: Decimal = ZERO
    card_parts: dict[str, Decimal] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Whether there is anything to be kept."""
        return bool(self.figures or self.lines or self.refunds or self.revenue)

    @classmethod
    def read(cls, text: str | None) -> Self:
        """Read what `written` wrote; nothing was told where there is none."""
        return TOLD.validate_json(text) if text else cls()  # type: ignore[return-value] # no subclass is made

    def written(self) -> str:
        """Give it as the ledger keeps it."""
        return TOLD.dump_json(self, exclude_none=True).decode()

    def count(self, order: Order) -> None:
        """Count the Purchases that went out with the order itself."""
        sales = net_sales(order)
        for item in order.lines:
            self.lines.setdefault(item.id, ReportedLine()).add(item, sales[item.id])
        self.cards_sold = cards_in(order.lines)

    def sell_cards(self) -> Decimal:
        """Count the gift cards that Purchases added since; return their net price."""
        if not self.lines:
            return ZERO
        cards = sum((line.net for line in self.lines.values() if line.is_card), ZERO)
        before, self.cards_sold = self.cards_sold, cards
        return cards - before

    def cards_gone(self) -> Decimal:
        """Return the net price of gift cards that left and whose money has not gone back.

        A refund that failed has not repaid them.
        """
        left = (line.left for line in self.lines.values() if line.is_card)
        parts = self.card_parts.items()
        repaid = (min(part, max(self.refunds[own].total_back, ZERO)) for own, part in parts)
        return max(sum(left, ZERO) - sum(repaid, ZERO) - self.cards_settled, ZERO)

    def settle_cards(self, owed: Decimal | None) -> Decimal:
        """Count gift cards that left and whose money is not owed back; return their net price.

        They were exchanged, or never paid. owed: what the shop owes back; None if unknown.
        """
        settled = ZERO if owed is None else max(self.cards_gone() - owed, ZERO)
        self.cards_settled += settled
        return settled

    def repays_cards(self, refund: Refund) -> Decimal:
        """Count how much of a refund repays gift cards: those it lists.

        One without lines first repays cards that left the order and that no refund lists.
        """
        part = self.card_parts.get(refund.id)
        if part is None:
            gone = self.cards_gone()
            cards = self._listed(refund) if refund.items else gone - self._cards_awaited()
            part = max(min(refund.amount, cards, gone), ZERO)
            if refund.amount:
                self.card_parts[refund.id] = part
        return part

    def _listed(self, refund: Refund) -> Decimal:
        """Return the net price of the gift cards that a refund lists."""
        listed = (units.amount for units in refund.items if self._is_card(units.line_id))
        return sum(listed, ZERO)

    def _cards_awaited(self) -> Decimal:
        """Return the net price of the gift cards that refunds list and have not repaid yet."""
        refunds = self.refunds.values()
        return sum((self._listed(one) - self.card_parts.get(one.id, ZERO) for one in refunds), ZERO)

    def _is_card(self, line_id: str) -> bool:
        line = self.lines.get(line_id)
        return line is not None and line.is_card

    def refund(self, refund: Refund) -> Refund:
        """Count a refund; return it as Heap is to know it.

        Its amount and its steps stay as they were sent first. If less has gone back by now than
        was sent and a part is known to have failed, the difference failed.
        """
        before = self.refunds.get(refund.id)
        if before and before.amount:
            refund = replace(
                refund, amount=before.amount, steps=_steps(before, refund), items=refund.items
            )
        refund = replace(refund, steps=tuple(step for step in refund.steps if step.amount))
        self.refunds[refund.id] = replace(refund, reason=None)
        return refund

    def stands(self, at: datetime) -> None:
        """Note the state that was told of now."""
        self.newest = max(self.newest or at, at)

    def is_older(self, at: datetime) -> bool:
        """Whether a state is older than one that was told of."""
        return self.newest is not None and at < self.newest


def _steps(before: Refund, now: Refund) -> tuple[RefundStep, ...]:
    """Return what was sent of a refund's steps, then those that are new.

    before: as it was sent. now: as its events show it, of which some may be gone.
    """
    sent = {(step.kind, step.n) for step in before.steps}
    new = [step for step in now.steps if (step.kind, step.n) not in sent]
    # A part that failed without having been seen to succeed was in the amount that was sent.
    missing = before.amount - now.amount
    if missing > 0 and new and not before.steps:
        place = next((n for n, step in enumerate(new) if step.kind == "failed"), None)
        if place is not None:
            new[place] = replace(new[place], amount=new[place].amount + missing)
    return (*before.steps, *new)


TOLD: TypeAdapter[Reported] = TypeAdapter(Reported)
