"""Random orders against what we make of them; what reaches Heap of them is tests/flow's to see."""

from collections.abc import Callable
from decimal import Decimal

from hypothesis import given

from adapters.schema import Order
from tests.adapters.shopify.drawn import Drawn, drawn_orders


@given(drawn_orders())
def test_an_orders_figures_add_up(order: Callable[..., Order], drawn: Drawn) -> None:
    made = order(drawn.body)
    net = sum((line.net_price for line in made.lines), Decimal(0))
    figures = (made.shipping, made.tax, made.tax_included, made.tip, made.duties)
    shipping, tax, tax_included, tip, duties = (figure or Decimal(0) for figure in figures)

    assert net == drawn.major(drawn.net) == Decimal(drawn.body["subtotal_price"])
    assert shipping == drawn.major(drawn.shipping)
    assert made.total == net + shipping + (tax - tax_included) + tip + duties
    assert made.total == Decimal(drawn.body["total_price"])
    assert made.subtotal == drawn.major(drawn.net - (drawn.line_tax if drawn.included else 0))
    assert made.contradiction is None


@given(drawn_orders())
def test_a_lines_figures_add_up(order: Callable[..., Order], drawn: Drawn) -> None:
    made = order(drawn.body)
    discounts = sum((line.discount or Decimal(0) for line in made.lines), Decimal(0))

    for line in made.lines:
        assert line.price is not None
        assert line.gross_price == line.price * line.quantity
        assert line.net_price == line.gross_price - (line.discount or 0)
    assert discounts + (made.shipping_discount or 0) == made.discount
