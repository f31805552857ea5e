"""Tell Heap of users beside their orders: what they have bought, and which browser was theirs.

Written with the order's events, in the same transaction; it goes to destinations of its own.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import Connection

from adapters.money import ZERO
from adapters.schema import Order
from bridge.config import Config, Source
from bridge.heap.endpoints import IDENTIFY, USERS
from bridge.heap.identity import Identity, is_pseudonym
from bridge.heap.profiles import MONTH, MOST_BROWSERS, Bought, identification_of, properties_of
from bridge.heap.session import Session
from bridge.keys import identification, user_properties
from bridge.logs import logger
from bridge.orders.reported import Reported
from bridge.store import Store, profiles
from bridge.store.outbox import NewBatch, NewEvent, destination_name
from bridge.store.profiles import SoldOrder

log = logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedProfile:
    """An order of which something was told, so that its user has changed.

    row: of the ledger. key: of the first event that was told now.
    session: what the order tells of the browser; None for what came after it.
    """

    source: Source
    row: int
    destination: str
    order: Order
    identity: Identity
    key: str
    session: Session | None

    @property
    def is_known(self) -> bool:
        """Whether the user is somebody: neither an anonymous browser nor a name made up."""
        made_up = is_pseudonym(self.identity, self.order, provider=self.source.adapter.name)
        return self.identity.field == "identity" and not made_up and not self.order.test

    def new_batch(self, profile_update: str | None, key: str, body: bytes) -> NewBatch:
        """Make a parcel of what is told of the user."""
        return NewBatch(
            source=self.source.name,
            order_row=self.row,
            destination=self.destination,
            identity=self.identity.value,
            events=[NewEvent(key, profile_update or "user", body)],
            profile_update=profile_update,
        )


def profile_updates(
    store: Store,
    connection: Connection,
    config: Config,
    changed_profiles: Sequence[ChangedProfile],
    now: datetime,
) -> list[NewBatch]:
    """Make what is told of the users of orders, once these have been written.

    Users are locked in one order, so that of two workers with several of them neither waits for
    the other for ever.
    """
    if not (config.user_properties or config.identify):
        return []
    new_batches: list[NewBatch] = []
    by_user: dict[tuple[str, str], list[ChangedProfile]] = {}
    for one in changed_profiles:
        if one.is_known:
            by_user.setdefault((one.destination, one.identity.value), []).append(one)
    for (destination, user), theirs in sorted(by_user.items()):
        profiles.lock(store, connection, destination, user, now)
        if config.identify:
            new_batches += _identified(connection, config, theirs, now)
        if config.user_properties:
            new_batches += _properties(connection, config, theirs[-1])
    return new_batches


def _identified(
    connection: Connection, config: Config, theirs: Sequence[ChangedProfile], now: datetime
) -> list[NewBatch]:
    """Tell which anonymous browsers were the user's, as many as Heap takes in a month.

    One that claims an identity has been identified by the site itself.
    """
    new_batches: dict[str, NewBatch] = {}
    for one in theirs:
        browser = one.session.user_id if one.session and not one.session.named else None
        if browser is None:
            continue
        key = identification(one.destination, browser)
        names = _sources(config, one.source)
        if key in new_batches or profiles.is_identified(connection, names, key):
            continue
        lane = destination_name(one.destination, IDENTIFY.profile_update)
        before = profiles.identified(connection, lane, one.identity.value, now - MONTH)
        if before + len(new_batches) >= MOST_BROWSERS:
            log.info("browser not identified: its user has ten new ones this month", key=one.key)
            continue
        at = min(one.order.placed_at, now)
        body = identification_of(one.identity, browser, at)
        new_batches[key] = one.new_batch(IDENTIFY.profile_update, key, body)
    return [*new_batches.values()]


def _sources(config: Config, source: Source) -> list[str]:
    """Name the sources whose orders go to the same Heap app."""
    app = source.destination
    return [name for name, other in config.sources.items() if other.destination == app]


def _properties(connection: Connection, config: Config, one: ChangedProfile) -> list[NewBatch]:
    """Tell what the user has bought by now, over all sources whose orders go to the same app."""
    names = _sources(config, one.source)
    sold = profiles.sold_to(connection, one.identity.written(), one.identity.value, names)
    if not sold:
        return []
    bought = bought_in(sold)
    email = one.order.email if one.order.placed_at >= bought.last_at else None
    body = properties_of(one.identity, bought, email)
    return [one.new_batch(USERS.profile_update, user_properties(one.key), body)]


def bought_in(sold: Sequence[SoldOrder]) -> Bought:
    """Sum up a user's orders, each as it stands by now: changes added, refunds taken off."""
    kept: dict[str, Decimal] = {}
    numbers: list[int] = []
    for one in sold:
        sent_order, reported = json.loads(one.sent_order), Reported.read(one.reported)
        currency = str(sent_order["currency"]).upper()
        total = Decimal(sent_order["total"]) + reported.figures.get("total", ZERO)
        kept[currency] = kept.get(currency, ZERO) + total
        for refund in reported.refunds.values():
            back = refund.currency.upper()
            kept[back] = kept.get(back, ZERO) - refund.total_back
        if sent_order.get("order_count") is not None:
            numbers.append(int(sent_order["order_count"]))
    placed = [one.placed_at for one in sold]
    return Bought(
        orders=len(sold),
        first_at=min(placed),
        last_at=max(placed),
        number=max(numbers, default=None),
        kept=kept,
    )
