"""Events as endpoints of older API versions are shown them today.

An endpoint keeps the version it was made with. What later versions removed or renamed it is still
told in the old way; what they added it is told as well. Source: Stripe's API changelog, read
November 2026.
"""

import copy
from collections.abc import Callable, Iterator, Mapping

from tests.stripe_api.world import Json, World

NEWEST = "2026-10-28.endive"
VERSIONS = (
    *("2017-04-06", "2018-11-08", "2019-05-16", "2020-08-27", "2022-11-15", "2024-06-20"),
    *("2025-06-30.basil", "2025-09-30.clover", "2026-03-25.dahlia", NEWEST),
)
# Topics that are newer than the versions before them.
_SINCE = {"invoice_payment.": "2025-05-28"}


class Archive:
    """Shows an order's events in any version.

    world: what Stripe holds, of which the old shapes show more than the newest.
    """

    def __init__(self, world: World, events: list[Json]) -> None:
        self.world = world
        things = [event["data"]["object"] for event in events]
        links = [one for one in things if one["object"] == "invoice_payment"]
        self.intents = {one["invoice"]: one["payment"]["payment_intent"] for one in links}
        self.bills = {one["payment"]["payment_intent"]: one["invoice"] for one in links}
        charges = [one for one in things if one["object"] == "charge"]
        self.charges = {one["payment_intent"]: one for one in charges}

    def shown(self, event: Json, version: str) -> Json | None:
        """Show an event in a version; None where endpoints of that version are not told it."""
        if any(event["type"].startswith(kind) and version < made for kind, made in _SINCE.items()):
            return None
        event = copy.deepcopy(event) | {"api_version": version}
        thing = event["data"]["object"]
        for made, changes in _CHANGES:
            if version < made:
                for kind, change in changes.items():
                    if thing["object"] == kind:
                        change(self, thing)
        event["request"] = {"id": "req_1", "idempotency_key": None}
        if version < "2017-05-25":
            event["request"] = "req_1"
        return event


def _lines(invoice: Json) -> Iterator[Json]:
    yield from invoice["lines"]["data"]


def _tax_amount(tax: Json) -> Json:
    return {
        "amount": tax["amount"],
        "inclusive": tax["tax_behavior"] == "inclusive",
        "tax_rate": tax["tax_rate_details"]["tax_rate"],
        "taxable_amount": tax["taxable_amount"],
    }


def _bill_before_basil(archive: Archive, invoice: Json) -> None:
    intent = archive.intents.get(invoice["id"])
    charge = archive.charges.get(intent)
    paid = invoice["status"] == "paid"
    details = (invoice.pop("parent", None) or {}).get("subscription_details") or {}
    taxes = invoice.pop("total_taxes")
    invoice.update(
        charge=charge["id"] if charge and paid else None,
        payment_intent=intent,
        paid=paid,
        paid_out_of_band=False,
        subscription=details.get("subscription"),
        tax=sum(tax["amount"] for tax in taxes) if taxes else None,
        total_tax_amounts=[_tax_amount(tax) for tax in taxes],
        discount=_discount(archive, invoice),
    )
    for line in _lines(invoice):
        named = line.pop("pricing")["price_details"]
        line.pop("parent", None)
        line.update(
            price=copy.deepcopy(archive.world.get(named["price"])),
            plan=None,
            proration=line["amount"] < 0,
            subscription=details.get("subscription"),
            tax_amounts=[_tax_amount(tax) for tax in line.pop("taxes")],
            type="subscription" if details else "invoiceitem",
        )


def _discount(archive: Archive, invoice: Json) -> Json | None:
    if not invoice["discounts"]:
        return None
    shown = copy.deepcopy(archive.world.get(invoice["discounts"][0]))
    source = shown.pop("source")
    return {**shown, "coupon": {"id": source["coupon"], "object": "coupon", "amount_off": None}}


def _charge_before_basil(archive: Archive, charge: Json) -> None:
    charge["invoice"] = archive.bills.get(charge["payment_intent"])


def _intent_before_basil(archive: Archive, intent: Json) -> None:
    intent["invoice"] = archive.bills.get(intent["id"])


def _charge_before_2022(archive: Archive, charge: Json) -> None:
    # As many as it says were refunded, the oldest last.
    held: list[Json] = []
    back = charge["amount_refunded"]
    for refund in reversed(archive.world.get(charge["id"])["refunds"]["data"]):
        if refund["status"] == "succeeded" and back:
            held.insert(0, copy.deepcopy(refund))
            back -= refund["amount"]
    charge["refunds"] = {"object": "list", "has_more": False, "data": held}


def _intent_before_2022(archive: Archive, intent: Json) -> None:
    shown = []
    if intent.pop("latest_charge"):
        charge = copy.deepcopy(archive.charges[intent["id"]])
        _charge_before_basil(archive, charge)
        shown = [charge]
    intent["charges"] = {"object": "list", "has_more": False, "data": shown}


def _session_before_2020(_archive: Archive, session: Json) -> None:
    session["display_items"] = []


def _bill_before_2020(_archive: Archive, invoice: Json) -> None:
    for line in _lines(invoice):
        price = line.pop("price")
        line["plan"] = {
            "id": price["id"],
            "object": "plan",
            "amount": price["unit_amount"],
            "product": price["product"],
            "nickname": price["nickname"],
            "metadata": price["metadata"],
        }


def _bill_before_2019(_archive: Archive, invoice: Json) -> None:
    for line in _lines(invoice):
        line["unique_id"] = line["id"]
        line["id"] = line["subscription"] or f"ii_{line['id']}"


def _bill_before_march_2019(_archive: Archive, invoice: Json) -> None:
    invoice["date"] = invoice.pop("created")


def _bill_before_2018(_archive: Archive, invoice: Json) -> None:
    invoice.update(closed=invoice["paid"], forgiven=False)
    invoice.pop("status")
    invoice.pop("status_transitions")


_Change = Callable[[Archive, Json], None]
# Version -> what it removed or renamed, undone; the newest first.
_CHANGES: tuple[tuple[str, Mapping[str, _Change]], ...] = (
    (
        "2025-03-31",
        {
            "charge": _charge_before_basil,
            "invoice": _bill_before_basil,
            "payment_intent": _intent_before_basil,
        },
    ),
    ("2022-11-15", {"charge": _charge_before_2022, "payment_intent": _intent_before_2022}),
    ("2020-08-27", {"checkout.session": _session_before_2020, "invoice": _bill_before_2020}),
    ("2019-12-03", {"invoice": _bill_before_2019}),
    ("2019-03-14", {"invoice": _bill_before_march_2019}),
    ("2018-11-08", {"invoice": _bill_before_2018}),
)
