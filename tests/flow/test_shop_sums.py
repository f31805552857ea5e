"""Shopify's identities, on what reaches Heap, for orders of any figures in any kind of currency."""

import itertools
import json
from decimal import Decimal

from hypothesis import given

from tests.adapters.shopify.drawn import Drawn, drawn_orders

_numbers = itertools.count(1)
ZERO = Decimal(0)


@given(drawn=drawn_orders())
def test_what_reaches_heap_adds_up_as_shopifys_figures_do(rig, drawn: Drawn) -> None:
    own = next(_numbers)
    lines = [{**line, "id": own * 100 + n} for n, line in enumerate(drawn.body["line_items"])]
    body = {**drawn.body, "id": own, "line_items": lines, "email": f"kim{own}@example.com"}
    rig.sandbox.clear()
    assert rig.post("shopify", "orders/paid", json.dumps(body).encode()) == 200
    rig.work()

    (order,) = [sent["properties"] for sent in rig.sent("Order")]
    bought = [sent["properties"] for sent in rig.sent("Purchase")]
    told = {name: Decimal(str(body[name])) for name in body if name.startswith(("total", "sub"))}
    tax_on_top = ZERO if drawn.included else order["tax"]

    # facts of Shopify's Order reference: what total_price and subtotal_price are made of.
    assert order["total"] == told["total_price"]
    assert order["total"] == (
        told["total_line_items_price"]
        - order["discount"]
        + drawn.major(drawn.shipping_price)
        + tax_on_top
        + order["tip"]
        + order["duties"]
    )
    assert sum(line["net_price"] for line in bought) == told["subtotal_price"]
    assert sum(line["gross_price"] for line in bought) == told["total_line_items_price"]

    # And in the bridge's own meanings, the same for every provider.
    assert order["total"] == (
        sum(line["net_price"] for line in bought)
        + order["shipping"]
        + tax_on_top
        + order["tip"]
        + order["duties"]
    )
    assert order["shipping"] == drawn.major(drawn.shipping)
    assert order["duties"] == drawn.major(drawn.duties)
    inside = drawn.line_tax if drawn.included else 0
    assert order["subtotal"] == drawn.major(drawn.net - inside)
    assert (
        order["discount"] == sum(line["discount"] for line in bought) + order["shipping_discount"]
    )
    for line in bought:
        assert line["gross_price"] == line["price"] * line["quantity"]
        assert line["net_price"] == line["gross_price"] - line["discount"]
    assert order["item_count"] == sum(line["quantity"] for line in bought)
