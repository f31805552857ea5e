"""How often the worker asks the database: for a slice of orders as often as for one."""

import json

import pytest
from sqlalchemy import event


@pytest.fixture
def order(bodies):
    """Make a webhook of an order with three lines; a later one tells a later state of it."""
    ((topic, body),) = bodies("shopify", "several-line-items")
    text = json.dumps(body)

    def make(number, state=0):
        told = json.loads(text.replace(str(body["id"]), str(body["id"] + number)))
        for place, line in enumerate(told["line_items"]):
            line["product_id"] = 100 * number + place
        told["updated_at"] = f"2026-11-20T11:0{state}:00Z"
        told["note"] = f"state {state}"
        return topic, told

    return make


def statements(rig, webhooks):
    """Post webhooks, normalise them in one step, and give the statements that took."""
    for topic, body in webhooks:
        assert rig.post("shopify", topic, body) == 200
    made = []

    def heard(_connection, _cursor, statement, *_):
        made.append(" ".join(statement.split()[:3]))

    event.listen(rig.store.engine, "before_cursor_execute", heard)
    rig.normaliser.step()
    event.remove(rig.store.engine, "before_cursor_execute", heard)
    return made


def test_a_slice_of_orders_takes_as_many_statements_as_one(rig, order):
    one = statements(rig, [order(0)])
    assert statements(rig, [order(number) for number in range(1, 9)]) == one
    assert len(rig.stands()) == 9
    assert {state for state, _ in rig.stands()} == {"settled"}


def test_later_webhooks_of_orders_that_were_sent_take_no_more_statements(rig, order):
    statements(rig, [order(number) for number in range(9)])
    one = statements(rig, [order(0, 1)])
    assert statements(rig, [order(number, 1) for number in range(1, 9)]) == one
    assert len(rig.stands()) == 9
