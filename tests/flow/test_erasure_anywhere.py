"""An erasure that any adapter asks for erases, whatever form the adapter's ids have."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from adapters import registry
from adapters.contract import Known, WebhookEvent, meaning
from adapters.conventions import Conventions
from adapters.example import EXAMPLE
from adapters.schema import Erasure, Ignored, LineItem, Order, Person, Wait
from bridge.store import erasures
from bridge.store.tables import inbox, orders, outbox
from bridge.tools.samples import SHOP, fixtures
from tests.flow import conftest
from tests.flow.traces import traces

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
FORGET = "forget_this_customer"
ADA = "ada@example.com"
WAYS = ["by alias", "by canonical id", "by customer id", "by email"]
# What an order's row says of whoever bought.
PERSONAL = {"email", "customer_id", "attribution", "extra", "match_candidate"}


# --- a shop whose ids are bare numbers, and whose keys nobody else has ----------------------------


def plain_ids(event):
    return (event.payload.id("number"),)


def plain_normalize(events, known):
    paid = [event.payload for event in events if event.payload.text("state") == "paid"]
    if not paid:
        return (Ignored("not paid yet"),)
    body, twelve = paid[0], Decimal(12)
    line = LineItem(
        id="1",
        product_id="chair",
        quantity=Decimal(1),
        price=twelve,
        gross_price=twelve,
        net_price=twelve,
    )
    return (
        Order(
            id=f"sale-{body.id('number')}",
            account=known.account,
            order_id=body.id("number"),
            placed_at=NOON,
            currency="EUR",
            total=twelve,
            lines=(line,),
            test=True,
            email=body.text("mail"),
            customer_id=body.id("buyer"),
        ),
    )


PLAIN = replace(
    EXAMPLE,
    name="plain",
    ids=plain_ids,
    normalize=plain_normalize,
    conventions=Conventions(customer_keys=("buyer", "mail")),
)


def plain_body(number, state, *, buyer=77, mail=ADA):
    body = {"number": number, "state": state, "buyer": buyer, "mail": mail}
    return ("", json.dumps(body).encode())


# --- every adapter, with an erasure of the same form beside what it reads ------------------------


def erasing(adapter):
    """Have an adapter read one more kind of body, which asks for an erasure."""

    def ids(event):
        return () if FORGET in event.payload else adapter.ids(event)

    def alone(event, known):
        if FORGET not in event.payload:
            return meaning(adapter, [event], known)
        asked = event.payload.object(FORGET)
        whose = Person(
            id=asked.id_or_none("id"),
            email=asked.text_or_none("email"),
            order_ids=tuple(asked.ids("order_ids")),
        )
        return (Erasure(whose),)

    return replace(adapter, ids=ids, alone=alone)


def bought(adapter):
    """Choose what an adapter reads of somebody known: its bodies, their order and aliases."""
    if adapter.name == "plain":
        return [plain_body(5, "paid")], known_order(adapter, [plain_body(5, "paid")])
    for sample in fixtures(adapter):
        told = [(event.topic, event.body) for event in sample.events]
        found = known_order(adapter, told)
        if found and found[0].email and found[0].customer_id:
            return told, found
    raise AssertionError(f"no sample of {adapter.name} is of a known customer")


def known_order(adapter, told):
    account = SHOP if adapter.one_account else None
    unsigned = [WebhookEvent("", topic, body, account, signed_at=NOON) for topic, body in told]
    signed = [adapter.sign(event, "secret") for event in unsigned]
    events = [replace(adapter.verify(one, "secret"), received_at=NOON) for one in signed]
    known = Known(account=account or "self", settings=adapter.settings())
    outcomes = meaning(adapter, events, known)
    held = outcomes.otherwise if isinstance(outcomes, Wait) else outcomes
    order = next((one for one in held if isinstance(one, Order)), None)
    return order and (order, adapter.ids(events[0]))


def whose(way, order, aliases):
    """Name a customer to be erased in one way."""
    return {
        "by alias": {"order_ids": list(aliases[:1])},
        "by canonical id": {"order_ids": [order.id]},
        "by customer id": {"id": order.customer_id},
        "by email": {"email": order.email.upper()},
    }[way]


ADAPTERS = {one.name: erasing(one) for one in (*registry.ADAPTERS, PLAIN)}


@pytest.fixture(params=[*ADAPTERS.values()], ids=[*ADAPTERS])
def adapter(request, monkeypatch):
    """Each adapter of the list, and one outside it, with an erasure beside what it reads."""
    found = request.param
    monkeypatch.setitem(registry.adapters(), found.name, found)
    monkeypatch.setitem(conftest.SECRETS, found.name, f"flow-{found.name}")
    return found


def rows(rig, table):
    return rig.store.read(lambda c: c.execute(table.select().order_by(table.c.id)).all())


def nothing_is_left(rig, order):
    assert [one.orders for one in erasures.demands(rig.store)] == [1]
    assert [row.body for row in rows(rig, inbox) if row.order_id is not None and row.body] == []
    for row in rows(rig, orders):
        assert not PERSONAL & json.loads(row.sent_order or "{}").keys()
        assert (row.identity, row.identity_hash, row.match_group, row.match_also) == (None,) * 4
    told = [row.body.decode() for row in rows(rig, outbox) if row.body]
    assert [one for one in told if order.email in one or order.customer_id in one] == []


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("is_sent", [True, False], ids=["sent", "not sent yet"])
@pytest.mark.parametrize("way", WAYS)
def test_nothing_is_left_of_an_order(make_rig, adapter, way, is_sent):
    rig = make_rig()
    told, (order, aliases) = bought(adapter)
    if not is_sent:
        rig.sandbox.faults.add(status=503, times=100)
    for topic, body in told:
        assert rig.post(adapter, topic, body) == 200
    rig.work()
    rig.clock.turn(hours=80)
    rig.work()
    assert (len(rig.sent("Order")), traces(rig, order.email) > 0) == (int(is_sent), True)

    rig.post(adapter, "", {FORGET: whose(way, order, aliases)})
    rig.work()

    nothing_is_left(rig, order)
    if way == "by email":
        # Who names a customer in another way finds no data export, lookup or demand of them.
        assert traces(rig, order.email) == 0


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("adapter", [ADAPTERS["plain"]], ids=["plain"], indirect=True)
@pytest.mark.parametrize("way", [way for way in WAYS if way != "by canonical id"])
def test_an_order_that_is_not_paid_yet_is_found_by_its_webhooks_and_aliases(make_rig, adapter, way):
    rig = make_rig()
    _, (order, aliases) = bought(adapter)
    for topic, body in (plain_body(5, "open"), plain_body(6, "open", buyer=78, mail="b@e.example")):
        assert rig.post(adapter, topic, body) == 200
    rig.work()

    rig.post(adapter, "", {FORGET: whose(way, order, aliases)})
    rig.work()

    assert [one.orders for one in erasures.demands(rig.store)] == [1]
    assert (traces(rig, ADA), traces(rig, "b@e.example") > 0) == (0, True)
