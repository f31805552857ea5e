"""The lines of a Shopify order, as they were ordered.

`quantity` and `price` stay those of the order; units that were removed or refunded later lower
`current_quantity` alone. `price` is of one unit before discounts, with tax where the shop's prices
contain it. A line has no category, type or image in any API version. What was bought as a bundle
is told by its components, which bear the prices, and the group that holds them together.
Source: Shopify's LineItem reference and samples, API 2023-07 to 2026-07, read 2026-11.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from adapters.money import ZERO, allocate, digits
from adapters.payload import Payload
from adapters.schema import GIFT_CARD, LineItem, TaxesIncluded
from adapters.shopify.discounts import Codes, allocated

# The one variant of a product without variants; webhooks mostly send null in its place.
_NO_VARIANT = "Default Title"


def lines_of(payload: Payload, currency: str, codes: Codes) -> tuple[LineItem, ...]:
    """Make the line items of an order.

    Raises MalformedPayload with the line's path where id, price or quantity is missing, and where
    two lines have one id, because their events could not be told apart.
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
    """Tell whether the order's prices contain tax; None where it does not say."""
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


def _own(thing: Payload, key: str) -> str | None:
    """Give an id that may be written as a number or as a global id."""
    return (thing.id_or_none(key) or "").rpartition("/")[2] or None


def _discounts(
    payload: Payload, rows: Sequence[Payload], gross: Sequence[Decimal], places: int
) -> Sequence[Decimal | None]:
    """Give each line's discount: Shopify's own figures, else its share of the goods' discount."""
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
    weights = [whole - told for whole, told in zip(gross, own, strict=True)]
    shares = allocate(rest, weights, places)
    return [told + share for told, share in zip(own, shares, strict=True)]


def _tax_of(row: Payload) -> Decimal | None:
    if not isinstance(row.raw("tax_lines"), list):
        return None
    prices = (tax.decimal_or_none("price") for tax in row.objects_or_empty("tax_lines"))
    return sum((price for price in prices if price is not None), ZERO)
