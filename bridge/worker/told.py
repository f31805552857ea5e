"""What Heap was told of a purchase: the sums of its changes, the units of its lines, its refunds.

Kept for ever in the ledger, without personal data, so that no webhook can be told twice however
late it comes.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Self

from pydantic import TypeAdapter

from adapters.money import ZERO
from adapters.schema import LineItem, Refund


@dataclass(slots=True)
class LineTold:
    """What Heap was told of one line, as sums over all events of it.

    units, gross, net, discount, tax: by Purchases. removed: units by Refunded Items of no refund.
    covered: units of a refund, by its id, that had so been told before the refund was known.
    """

    units: Decimal = ZERO
    gross: Decimal = ZERO
    net: Decimal = ZERO
    discount: Decimal = ZERO
    tax: Decimal = ZERO
    removed: Decimal = ZERO
    covered: dict[str, Decimal] = field(default_factory=dict)

    def add(self, item: LineItem) -> None:
        """Count a Purchase of a line."""
        self.units += item.quantity
        self.gross += item.gross_price
        self.net += item.net_price
        self.discount += item.discount or ZERO
        self.tax += item.tax or ZERO


@dataclass(slots=True)
class Told:
    """The sums. figures: of Order Changed events, by name. lines: by the line's id.

    added: lines that the order as it was sent does not have, by their ids. refunds: by their ids,
    without their reasons. newest: when the newest state was made of which was told.
    """

    figures: dict[str, Decimal] = field(default_factory=dict)
    lines: dict[str, LineTold] = field(default_factory=dict)
    added: dict[str, LineItem] = field(default_factory=dict)
    refunds: dict[str, Refund] = field(default_factory=dict)
    newest: datetime | None = None

    def __bool__(self) -> bool:
        """Whether there is anything to be kept."""
        return bool(self.figures or self.lines or self.refunds)

    @classmethod
    def read(cls, text: str | None) -> Self:
        """Read what `written` wrote; nothing was told where there is none."""
        return TOLD.validate_json(text) if text else cls()  # type: ignore[return-value] # no subclass is made

    def written(self) -> str:
        """Give it as the ledger keeps it."""
        return TOLD.dump_json(self, exclude_none=True).decode()

    def count(self, items: Iterable[LineItem]) -> None:
        """Count the Purchases that went out with the order itself."""
        for item in items:
            self.lines.setdefault(item.id, LineTold()).add(item)

    def refund(self, refund: Refund) -> Refund:
        """Count a refund; gives it as Heap is to know it.

        Its amount stays as it was told first, and what less it comes to by now has failed; one that
        failed once has failed for good.
        """
        before = self.refunds.get(refund.id)
        if before and before.amount:
            lost = before.amount - (refund.amount - refund.failed)
            part = lost if refund.failed_at else ZERO
            refund = replace(refund, amount=before.amount, failed_amount=max(part, ZERO))
        failed = before if before and before.failed else refund
        refund = replace(
            refund,
            failed_at=failed.failed_at if failed.failed else None,
            failed_amount=failed.failed if 0 < failed.failed < refund.amount else None,
        )
        self.refunds[refund.id] = replace(refund, reason=None)
        return refund

    def stands(self, at: datetime) -> None:
        """Note the state that was told of now."""
        self.newest = max(self.newest or at, at)

    def is_older(self, at: datetime) -> bool:
        """Whether a state is older than one that was told of."""
        return self.newest is not None and at < self.newest


TOLD: TypeAdapter[Told] = TypeAdapter(Told)
