"""The merchant's own books: what a life of an order left in the shop, in minor units.

Nothing here knows the bridge. The books hold what contract and docs promise of the sums at Heap:
what was kept or is owed, what was collected for it, which units and gift cards are out.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, TypeVar

Json = dict[str, Any]
Thing = TypeVar("Thing")


def major(minor: int, places: int = 2) -> Decimal:
    return Decimal(minor).scaleb(-places)


def text_of(minor: int) -> str:
    return f"{major(minor):f}"


@dataclass(frozen=True)
class Goods:
    """One line in the books: units ever and gone, the net sales of those that are there.

    slack: what the split of the line's figures among its units may round by.
    """

    ever: int
    gone: int
    sales: int
    slack: int = 0


@dataclass(frozen=True)
class Books:
    """One order after a step.

    counts: whether it is an order by now. came_to: what was paid for it or is owed, before
    refunds. back: what has gone back. credit: `came_to` less what was collected, if a balance at
    the provider makes them differ. cards: net price of gift cards that were sold and not repaid;
    of those that left, as far as the shop owes money back. goods: by line ID; empty if no webhook
    tells the lines. cancelled: whether it was called off. half_paid: whether its state alone says
    that it is not paid, though it was once. units: ever ordered, and taken out without money; with
    `came_to` they name the state in the key of a change.
    """

    counts: bool
    came_to: int = 0
    back: int = 0
    credit: int = 0
    cards: int = 0
    goods: Mapping[str, Goods] = field(default_factory=dict)
    cancelled: bool = False
    half_paid: bool = False
    units: tuple[int, int] = (0, 0)

    @property
    def kept(self) -> int:
        return self.came_to - self.back

    @property
    def revenue(self) -> int:
        return self.kept - self.credit - self.cards

    @property
    def is_whole(self) -> bool:
        """Whether a bridge that sees only this state knows that it counts."""
        return self.counts and not self.half_paid


@dataclass(frozen=True)
class Webhook:
    """One signed body. second: when it was triggered, in the order's own time, with a fraction."""

    topic: str
    body: Json
    second: float


@dataclass(frozen=True)
class Step:
    """What happened at once, the webhooks that tell of it, and the books after it.

    last: the order's last whole state alone, as a database sees it that was lost and built anew.
    hides: whether that state lacks something that is at Heap by now. is_open: whether more of a
    payment may be captured, or its invoice is still to come.
    """

    name: str
    webhooks: tuple[Webhook, ...]
    books: Books
    last: tuple[Webhook, ...] = ()
    hides: bool = False
    is_open: bool = False


@dataclass(frozen=True)
class Life:
    """One order from its first webhook to the last one.

    order_id: as the events at Heap name it. places: decimals of its currency.
    late: whether a refund record names units that an edit had taken out before. renamed: whether
        its payment counted alone before its invoice was seen.
    """

    order_id: str
    steps: tuple[Step, ...]
    places: int = 2
    late: bool = False
    renamed: bool = False

    @property
    def webhooks(self) -> list[Webhook]:
        return [webhook for step in self.steps for webhook in step.webhooks]

    def is_named(self, n: int) -> bool:
        """Whether a change that led to the state after n steps has the name of that state.

        Not if units came or went since while the total stayed, so that no change was sent.
        """
        counting = [step.books for step in self.steps[:n] if step.books.counts]
        if not counting or counting[-1].came_to == counting[0].came_to:
            return True
        since = counting[-1:]
        for books in reversed(counting[:-1]):
            if books.came_to != since[0].came_to:
                break
            since.insert(0, books)
        return since[0].units == since[-1].units

    @property
    def end(self) -> Books:
        return self.steps[-1].books

    def __repr__(self) -> str:
        told = "; ".join(f"{step.name} -> kept {step.books.kept}" for step in self.steps)
        return f"<Life {self.order_id}: {told}>"


class Draw:
    """Draws what happens, by a seed, so that a life that breaks a law can be had again."""

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed)

    def number(self, low: int, high: int) -> int:
        return self._random.randint(low, max(low, high))

    def pick(self, options: Sequence[Thing]) -> Thing:
        return self._random.choice(options)

    def chance(self, percent: int) -> bool:
        return self._random.randrange(100) < percent

    def shuffled(self, things: Sequence[Thing]) -> list[Thing]:
        return self._random.sample(things, len(things))

    def some(self, things: Sequence[Thing], most: int) -> list[Thing]:
        return self._random.sample(things, min(most, len(things)))
