"""The lines of a Shopify order, as they were ordered: goods, their discounts, and tips.

`quantity` and `price` stay those of the order; units that were removed or refunded later lower
`current_quantity` alone. `price` is of one unit before discounts, with tax if the shop's prices
contain it. A line has no category, type or image in any API version. What was bought as a bundle
is reported as its components, which have the prices, and the group that holds them together.

`discount_applications` holds what was applied (a code, an automatic discount, a title given by
hand); `discount_allocations` of a line holds how much of which application fell on it, to the minor
unit. A line's own `total_discount` is "0.00" on most discounted lines and is not read if a line has
allocations.

A tip is no goods: `total_tip_received` counts it beside them, and so does `total_price`. If it is
in `line_items` as well, as the one kind of line with a `tip_payment_gateway` or a
`tip_payment_method`, it is taken out of them, so that its money counts once. A line on which both
are null is no tip: bodies that list every field have them so on goods.
Source: Shopify's LineItem and DiscountApplication references and samples, API 2023-07 to 2026-07,
whose two `tip_payment_` fields are "present only on tips", and real orders, read 2026-11.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from adapters.money import ZERO, allocate, digits
from adapters.payload import Payload
from adapters.schema import GIFT_CARD, LineItem, TaxesIncluded

# --- discounts -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Codes:
    """The discount codes of one order.

    all: what the shopper typed, in Shopify's order, each once.
    by_application: place in `discount_applications` -> code, for applications that are codes.
    """

    all: tuple[str, ...]
    by_application: Mapping[int, str]

    def on(self, line: Payload) -> tuple[str, ...]:
        """Return the codes of which a share fell on this line."""
        places = {
            allocation.integer_or_none("discount_application_index")
            for allocation in line.objects_or_empty("discount_allocations")
        }
        return _once(code for place, code in self.by_application.items() if place in places)


def codes_of(payload: Payload) -> Codes:
    """Read the codes of an order.

    Automatic discounts and titles given by hand are no codes. `discount_codes`, which mixes such
    titles with codes and says nothing of lines, is read only where there are no applications.
    """
    applications = payload.raw("discount_applications")
    if not isinstance(applications, list):
        plain = (code.text_or_none("code") for code in payload.objects_or_empty("discount_codes"))
        return Codes(all=_once(code for code in plain if code), by_application={})
    by_application = {}
    for place, fields in enumerate(applications):
        application = Payload(fields if isinstance(fields, dict) else {})
        code = application.text_or_none("code")
        if code and application.raw("type") == "discount_code":
            by_application[place] = code
    return Codes(all=_once(by_application.values()), by_application=by_application)


def allocated(line: Payload) -> Decimal:
    """Return all that was taken off a line or a shipping line, over all its units."""
    amounts = (
        allocation.decimal_or_none("amount")
        for allocation in line.objects_or_empty("discount_allocations")
    )
    return sum((amount for amount in amounts if amount is not None), ZERO)


def _once(codes: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(codes))


# --- lines ----------------------------------------------------------------------------------------

# The one variant of a product without variants; webhooks mostly send null in its place.
_NO_VARIANT = "Default Title"


def lines_of(payload: Payload, currency: str, codes: Codes) -> tuple[LineItem, ...]:
    """Make the line items of an order.

    Raises MalformedPayload with the line's path where id, price or quantity is missing, and where
    two lines have one id, because their events could not be distinguished.
    """
    rows = payload.objects("line_items")
    gross = [row.decimal("price") * row.integer("quantity") for row in rows]
    discounts = _discounts(payload, rows, gross, digits(currency))
    included = taxes_included(payload)
    stated = line_taxes_stated(payload)
    bundles = _bundles(payload)
    lines = []
    seen: set[str] = set()
    for row, whole, discount in zip(rows, gross, discounts, strict=True):
        if row.id("id") in seen:
            raise row.fail("id", "the same as an earlier line's")
        seen.add(row.id("id"))
        lines.append(
            _line(
                row,
                gross=whole,
                discount=discount,
                tax=_tax_of(row) if stated else None,
                taxes_stated=stated,
                included=included,
                codes=codes.on(row),
                bundles=bundles,
            )
        )
    return tuple(lines)


def taxes_included(payload: Payload) -> TaxesIncluded | None:
    """Return whether the order's prices contain tax; None where it does not say."""
    flag = payload.raw("taxes_included")
    if not isinstance(flag, bool):
        return None
    return "true" if flag else "false"


def line_taxes_stated(payload: Payload) -> bool:
    """Whether lines say their own tax: imported orders may have it on the order alone."""
    if not payload.decimal_or_none("total_tax"):
        return True
    taxed = (*payload.objects_or_empty("line_items"), *payload.objects_or_empty("shipping_lines"))
    return any(line.objects_or_empty("tax_lines") for line in taxed)


def _line(
    row: Payload,
    *,
    gross: Decimal,
    discount: Decimal | None,
    tax: Decimal | None,
    taxes_stated: bool,
    included: TaxesIncluded | None,
    codes: tuple[str, ...],
    bundles: Mapping[str, str | None],
) -> LineItem:
    line_id = row.id("id")
    bundle_id = _own(row, "sales_line_item_group_id")
    variant = row.text_or_none("variant_title")
    sku = row.text_or_none("sku")
    return LineItem(
        id=line_id,
        # Custom items never had a product, deleted products have none any more.
        product_id=row.id_or_none("product_id")
        or row.id_or_none("variant_id")
        or sku
        or f"line:{line_id}",
        quantity=Decimal(row.integer("quantity")),
        price=row.decimal("price"),
        gross_price=gross,
        discount=discount,
        net_price=gross - (discount or ZERO),
        discount_codes=codes,
        tax=tax,
        tax_included=_inside(tax, included, stated=taxes_stated),
        taxes_included=included,
        # `name` is the title and the variant's title in one.
        name=row.text_or_none("title") or row.text_or_none("name"),
        brand=row.text_or_none("vendor"),
        type=GIFT_CARD if row.flag("gift_card") else None,
        variant=None if variant == _NO_VARIANT else variant,
        sku=sku,
        bundle_id=bundle_id,
        bundle_name=bundles.get(bundle_id or ""),
    )


def _inside(tax: Decimal | None, included: TaxesIncluded | None, *, stated: bool) -> Decimal | None:
    """Return the tax inside a line's price; None if it is known only of the whole order."""
    if included == "false":
        return ZERO
    return (tax or ZERO) if included == "true" and stated else None


def _bundles(payload: Payload) -> Mapping[str, str | None]:
    """Name the bundles of an order; since API 2025-10, before that there are only their ids."""
    groups = payload.objects_or_empty("line_item_groups")
    return {own: group.text_or_none("title") for group in groups if (own := _own(group, "id"))}


def _own(payload: Payload, key: str) -> str | None:
    """Return an id that may be written as a number or as a global id."""
    return (payload.id_or_none(key) or "").rpartition("/")[2] or None


def _discounts(
    payload: Payload, rows: Sequence[Payload], gross: Sequence[Decimal], places: int
) -> Sequence[Decimal | None]:
    """Return each line's discount: Shopify's own figures, else its share of the goods' discount."""
    if any("discount_allocations" in row for row in rows):
        return [allocated(row) if "discount_allocations" in row else None for row in rows]
    # Bodies of old API versions, and subscriptions that leave the allocations out.
    goods = payload.decimal_or_none("subtotal_price")
    off = None if goods is None else sum(gross, ZERO) - goods
    stated = payload.decimal_or_none("total_discounts")
    if off is None or off < 0 or (stated is not None and off > stated):
        # What the goods cost less is then no discount that Shopify states; none is made up.
        return [None] * len(rows)
    own = [row.decimal_or_none("total_discount") or ZERO for row in rows]
    rest = off - sum(own, ZERO)
    if rest < 0:
        own, rest = [ZERO] * len(rows), off
    weights = [whole - taken_off for whole, taken_off in zip(gross, own, strict=True)]
    shares = allocate(rest, weights, places)
    return [taken_off + share for taken_off, share in zip(own, shares, strict=True)]


def _tax_of(row: Payload) -> Decimal | None:
    if not isinstance(row.raw("tax_lines"), list):
        return None
    prices = (tax.decimal_or_none("price") for tax in row.objects_or_empty("tax_lines"))
    return sum((price for price in prices if price is not None), ZERO)


# --- tips ----------------------------------------------------------------------------------------


_MARKS = ("tip_payment_gateway", "tip_payment_method")
# A body that was made without the marks still has the title that Shopify gives such a line.
_TITLE = "Tip"


def is_tip(row: Payload) -> bool:
    """Whether a line is a tip."""
    if any(row.raw(mark) is not None for mark in _MARKS):
        return True
    return row.raw("title") == _TITLE and row.id_or_none("product_id") is None


def without_tips(payload: Payload) -> Payload:
    """Return an order's body with its tips in `total_tip_received` alone."""
    rows = payload.objects_or_empty("line_items")
    tips = [row for row in rows if is_tip(row)]
    if not tips:
        return payload
    lines = payload.raw("line_items")
    kept = [line for line in lines if not (isinstance(line, dict) and is_tip(Payload(line)))]
    made = payload.replaced("line_items", kept)
    if not payload.decimal_or_none("total_tip_received"):
        made = made.replaced("total_tip_received", _sum(tips, _net))
    figures = {"total_line_items_price": _gross, "subtotal_price": _net}
    for key, figure in figures.items():
        stated = payload.decimal_or_none(key)
        if stated is not None and stated == _sum(rows, figure):
            made = made.replaced(key, stated - _sum(tips, figure))
    return made


def _gross(row: Payload) -> Decimal:
    price, quantity = row.decimal_or_none("price"), row.integer_or_none("quantity")
    return ZERO if price is None or quantity is None else price * quantity


def _net(row: Payload) -> Decimal:
    return _gross(row) - allocated(row)


def _sum(rows: Sequence[Payload], figure: Callable[[Payload], Decimal]) -> Decimal:
    return sum((figure(row) for row in rows), ZERO)
