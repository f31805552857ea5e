"""Make one purchase of several that have turned out to be one."""

from collections.abc import Sequence
from dataclasses import replace

from adapters.money import ZERO
from bridge.heap.after import FIGURES, correction
from bridge.logs import logger
from bridge.store import counterparts, ledger
from bridge.store.counterparts import facing
from bridge.store.expiry import PAYLOADS
from bridge.store.ledger import Purchase
from bridge.worker.gathered import ORDER, Gathered
from bridge.worker.told import Told

log = logger()


def merge(gathered: Gathered, purchases: Sequence[Purchase]) -> Purchase:
    """Join purchases that have turned out to be one; the one that stays is given.

    Where more than one was sent, the later ones are taken back at Heap by an Order Changed
    of minus their total, and the operator is told.
    """
    gathered.write()
    kept, also_sent = ledger.merge(gathered.connection, purchases)
    kept = replace(kept, first_event_at=min(one.first_event_at for one in purchases))
    # The halves that were there may have been what others wait for.
    for group in sorted({one.counterpart_group or "" for one in purchases} - {""}):
        counterparts.wake(gathered.store, gathered.connection, kept, group, gathered.now)
    if len({one.counterpart_side for one in purchases if one.counterpart_side}) > 1:
        # The link is here: this purchase is no other's missing half any more.
        kept = replace(kept, **facing(None))
    if not kept.expired and any(one.expired for one in purchases):
        kept = replace(kept, expired=PAYLOADS)
    for also in also_sent:
        _take_back(gathered, also, kept)
        kept = _with_refunds(kept, also)
    gathered.purchases.append(kept)
    return kept


def _with_refunds(kept: Purchase, also: Purchase) -> Purchase:
    """Count as the kept one's what went back under the other's key."""
    told = Told.read(kept.told)
    told.refunds = Told.read(also.told).refunds | told.refunds
    return replace(kept, told=told.written()) if told else kept


def _take_back(gathered: Gathered, purchase: Purchase, kept: Purchase) -> None:
    order = ORDER.validate_json(purchase.record or "")
    source = gathered.config.sources[purchase.source]
    voice = gathered.voice(source, order, gathered.session(source, order), purchase)
    log.warning(
        "one purchase was sent as two orders; the later one is corrected",
        source=purchase.source,
        order=f"o{kept.id}",
        kept=kept.key,
        corrected=purchase.key,
    )
    # What it was changed by since is taken back with it; its refunds stay, as the kept one's.
    told = Told.read(purchase.told)
    order = replace(
        order,
        **{
            name: figure + told.figures.get(name, ZERO)
            for name in FIGURES
            if (figure := getattr(order, name)) is not None
        },
    )
    back = correction(order, at=gathered.now, **voice)
    destination = purchase.destination or ""
    gathered.send(source, kept.id, order, back, destination=destination, voice=voice)
