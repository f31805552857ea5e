"""One order, one order: what each family of events decides, waits for and leaves alone."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.contract import Known, WebhookEvent
from adapters.errors import MalformedPayload
from adapters.schema import CurrentTotals, Ignored, LineItem, MatchCandidate, Order, Outcome, Wait
from adapters.stripe import STRIPE
from bridge.tools.samples import Fixture, fixtures, to_json

AT = 1_795_168_800  # 2026-11-20T10:00:00Z
RECEIVED = datetime(2026, 11, 20, 12, tzinfo=UTC)
TOLD_AT = datetime(2026, 11, 20, 10, 0, 1, tzinfo=UTC)
CHARGE = {
    "id": "ch_1",
    "amount": 1000,
    "amount_captured": 1000,
    "captured": True,
    "paid": True,
    "status": "succeeded",
    "currency": "usd",
    "created": AT,
    "payment_intent": "pi_1",
    "customer": "cus_1",
    "description": "A chair",
}
INTENT = {
    "id": "pi_1",
    "amount": 1000,
    "amount_received": 1000,
    "currency": "usd",
    "created": AT - 900,
    "latest_charge": "ch_1",
    "customer": "cus_1",
}
SESSION = {
    "id": "cs_1",
    "mode": "payment",
    "payment_status": "paid",
    "currency": "usd",
    "amount_subtotal": 1000,
    "amount_total": 1000,
    "payment_intent": "pi_1",
}
INVOICE = {
    "id": "in_1",
    "status": "paid",
    "currency": "usd",
    "total": 1000,
    "amount_paid": 1000,
    "customer": "cus_1",
    "billing_reason": "manual",
    "status_transitions": {"paid_at": AT},
    "lines": {"has_more": False, "data": [{"id": "il_1", "amount": 1000, "quantity": 1}]},
}
LINK = {"id": "inpay_1", "invoice": "in_1", "payment": {"payment_intent": "pi_1"}}
GOODS = LineItem(
    id="goods",
    product_id="line:goods",
    name="A chair",
    quantity=Decimal(1),
    price=Decimal("10.00"),
    gross_price=Decimal("10.00"),
    net_price=Decimal("10.00"),
    unknown=True,
)
BARE = Order(
    id="pi_1",
    account="self",
    order_id="pi_1",
    placed_at=datetime(2026, 11, 20, 10, tzinfo=UTC),
    customer_id="cus_1",
    currency="USD",
    total=Decimal("10.00"),
    lines=(GOODS,),
    channel="direct",
    test=False,
    match_candidate=MatchCandidate(
        group="self|cus_1|USD",
        side="payment",
        amount=Decimal("10.00"),
        at=TOLD_AT,
        since=TOLD_AT,
    ),
)

Make = Callable[..., WebhookEvent]
Run = Callable[..., tuple[Outcome, ...] | Wait]
STORIES = fixtures(STRIPE)


def order_of(outcome: tuple[Outcome, ...] | Wait) -> Order:
    order, standing = outcome.otherwise if isinstance(outcome, Wait) else outcome
    assert isinstance(order, Order)
    assert isinstance(standing, CurrentTotals)
    assert standing.total == order.total
    return order


def stored(tale: Fixture) -> list[WebhookEvent]:
    when = datetime(2026, 11, 20, 11, 59, tzinfo=UTC)
    signed = [STRIPE.sign(replace(told, signed_at=when), "whsec_x") for told in tale.events]
    verified = [STRIPE.verify(request, "whsec_x") for request in signed]
    return [replace(event, received_at=RECEIVED) for event in verified]


@pytest.mark.parametrize("tale", STORIES, ids=lambda tale: tale.name)
@settings(max_examples=12)
@given(shuffle=st.randoms(use_true_random=False))
def test_neither_order_nor_repetition_changes_what_a_story_means(
    tale: Fixture, shuffle: Any
) -> None:
    events = stored(tale)
    again = [replace(event, key=f"{event.key}_again") for event in events]
    some = events + shuffle.sample(events + again, shuffle.randint(0, len(events)))
    shuffle.shuffle(some)
    known = Known(account="self", settings=STRIPE.settings())
    assert to_json(STRIPE.normalize(some, known)) == tale.outcomes


@pytest.mark.parametrize("tale", STORIES, ids=lambda tale: tale.name)
def test_the_events_of_a_story_are_linked_into_one_purchase(tale: Fixture) -> None:
    groups: list[set[str]] = []
    for event in stored(tale):
        ids = set(STRIPE.ids(event))
        joined = [group for group in groups if group & ids]
        groups = [group for group in groups if not group & ids] + [ids.union(*joined)]
    assert len(groups) == 1


def test_a_bare_charge_waits_for_its_siblings_and_then_stands_alone(
    event: Make, normalize: Run
) -> None:
    at = BARE.placed_at + timedelta(seconds=1)
    standing = CurrentTotals(at=at, state="10.00", total=BARE.total, reason="capture")
    told = (BARE, standing)
    expected = Wait("its checkout session or invoice", RECEIVED + timedelta(seconds=60), told)
    assert normalize(event("charge.succeeded", CHARGE)) == expected


@pytest.mark.parametrize(
    "unlinked", [{}, {"charge": "payment_intent"}, {"intent": "latest_charge"}]
)
def test_charge_and_payment_intent_are_one_payment(
    event: Make, normalize: Run, unlinked: dict[str, str]
) -> None:
    charge = CHARGE | ({unlinked["charge"]: None} if "charge" in unlinked else {})
    intent = INTENT | ({unlinked["intent"]: None} if "intent" in unlinked else {})
    both = event("charge.succeeded", charge), event("payment_intent.succeeded", intent)
    assert order_of(normalize(*both)) == BARE


def test_a_repetition_does_not_lengthen_the_wait(event: Make, normalize: Run) -> None:
    first = event("charge.succeeded", CHARGE)
    late = replace(first, key="evt_later", received_at=RECEIVED + timedelta(hours=1))
    earlier = event("payment_intent.created", INTENT | {"amount_received": 0})
    earlier = replace(earlier, received_at=RECEIVED - timedelta(hours=1))
    outcome = normalize(first, late, earlier, settle_seconds=5)
    assert isinstance(outcome, Wait)
    assert outcome.until == RECEIVED + timedelta(seconds=5)


def test_a_customer_that_is_an_account_shares_a_counterpart_with_its_invoice(
    event: Make, normalize: Run
) -> None:
    account = {"customer": None, "customer_account": "acct_7"}
    sides = [
        [event("invoice.paid", INVOICE | account)],
        [
            event("charge.succeeded", CHARGE | {"customer": None}),
            event("payment_intent.succeeded", INTENT | account),
        ],
    ]
    halves = [order_of(normalize(*side)).match_candidate for side in sides]
    assert [half and half.group for half in halves] == ["self|acct_7|USD"] * 2


def test_a_guests_charge_has_no_counterpart(event: Make, normalize: Run) -> None:
    order = order_of(normalize(event("charge.succeeded", CHARGE | {"customer": None})))
    assert order == replace(BARE, customer_id=None, match_candidate=None)


def test_a_payment_intent_alone_is_dated_by_its_event(event: Make, normalize: Run) -> None:
    order = order_of(normalize(event("payment_intent.succeeded", INTENT)))
    assert order.placed_at == datetime(2026, 11, 20, 10, 0, 1, tzinfo=UTC)


def test_a_test_clock_ahead_of_ours_does_not_date_an_order_after_its_receipt(
    event: Make, normalize: Run
) -> None:
    order = order_of(normalize(event("charge.succeeded", CHARGE | {"created": AT + 10**7})))
    assert order.placed_at == RECEIVED


@pytest.mark.parametrize(
    ("topic", "thing", "reason"),
    [
        ("charge.succeeded", CHARGE | {"amount_captured": 0}, "authorised, not captured"),
        ("charge.succeeded", CHARGE | {"status": "pending"}, "authorised, not captured"),
        ("charge.succeeded", CHARGE | {"paid": False}, "authorised, not captured"),
        ("charge.pending", CHARGE, "charge.pending shows no payment"),
        ("charge.failed", CHARGE, "charge.failed shows no payment"),
        ("charge.updated", CHARGE, "charge.updated shows no payment"),
        ("charge.refunded", CHARGE, "charge.refunded shows no payment"),
        ("payment_intent.created", INTENT, "payment_intent.created shows no payment"),
        (
            "checkout.session.completed",
            SESSION | {"payment_status": "unpaid"},
            "the session is not paid yet: checkout.session.async_payment_succeeded decides",
        ),
        (
            "checkout.session.completed",
            SESSION | {"mode": "subscription"},
            "a subscription's session: its invoice decides",
        ),
        ("invoice.created", INVOICE | {"status": "open"}, "the invoice is not paid"),
        ("invoice.upcoming", {"total": 5}, "the invoice is not paid"),
        (
            "invoice.paid",
            INVOICE | {"total": 0},
            "an invoice of nothing (a trial, all discounted or credited) is no order",
        ),
        (
            "invoice.paid",
            INVOICE | {"pre_payment_credit_notes_amount": INVOICE["total"], "amount_paid": 0},
            "an invoice of nothing (a trial, all discounted or credited) is no order",
        ),
        ("invoice_payment.paid", LINK, "invoice_payment only links: its invoice decides"),
    ],
)
def test_what_belongs_to_a_purchase_may_decide_nothing(
    event: Make, normalize: Run, topic: str, thing: dict[str, Any], reason: str
) -> None:
    assert normalize(event(topic, thing)) == (Ignored(reason),)


@pytest.mark.parametrize(
    ("topic", "thing", "reason"),
    [
        ("customer.created", {"id": "cus_1"}, "customer.created: this topic tells of no order"),
        ("invoiceitem.created", {}, "invoiceitem.created: this topic tells of no order"),
        ("ping", {}, "a ping: the destination works"),
        (
            "checkout.session.completed",
            SESSION | {"mode": "setup"},
            "a session of mode setup saves a card and sells nothing",
        ),
    ],
)
def test_what_is_of_no_purchase_has_no_ids(
    event: Make, normalize: Run, topic: str, thing: dict[str, Any], reason: str
) -> None:
    given_event = event(topic, thing)
    assert (STRIPE.ids(given_event), normalize(given_event)) == ((), (Ignored(reason),))


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (b'{"object": "v2.core.event", "type": "v1.charge.succeeded"}', "thin events"),
        (b'{"object": "v2.core.event", "type": "v2.core.event_destination.ping"}', "a ping"),
        (b'{"object": "v2.core.event", "type": "v2.core.account.updated"}', "no order"),
        (b'{"id": "1", "detail-type": "charge.succeeded", "detail": {}}', "EventBridge"),
        (b'{"specversion": "1.0", "type": "charge.succeeded", "data": {}}', "Event Grid"),
        (b'{"specversion": "1.0", "type": "v1.charge.succeeded", "data": {}}', "Event Grid"),
    ],
)
def test_other_kinds_of_payload_are_told_to_the_operator(
    normalize: Run, body: bytes, named: str
) -> None:
    (outcome,) = tuple(normalize(WebhookEvent(key="k", topic="", body=body)))  # type: ignore[arg-type]  # no Wait here
    assert isinstance(outcome, Ignored)
    assert named in outcome.reason


@pytest.mark.parametrize(
    ("topic", "thing", "ids"),
    [
        ("charge.succeeded", CHARGE | {"invoice": "in_1"}, ("in_1", "pi_1", "ch_1")),
        ("charge.succeeded", CHARGE | {"payment_intent": {"id": "pi_9"}}, ("pi_9", "ch_1")),
        ("payment_intent.succeeded", INTENT, ("pi_1", "ch_1")),
        (
            "payment_intent.succeeded",
            {
                "id": "pi_1",
                "invoice": "in_1",
                "charges": {"data": [{"id": "ch_1"}, {"id": "ch_2"}]},
            },
            ("in_1", "pi_1", "ch_1", "ch_2"),
        ),
        ("checkout.session.completed", SESSION | {"subscription": "sub_1"}, ("pi_1", "cs_1")),
        (
            "invoice.paid",
            INVOICE | {"payment_intent": "pi_1", "charge": "ch_1"},
            ("in_1", "pi_1", "ch_1"),
        ),
        (
            "invoice.paid",
            INVOICE
            | {"payments": {"data": [{"payment": {"payment_intent": "pi_1", "charge": "ch_1"}}]}},
            ("in_1", "pi_1", "ch_1"),
        ),
        ("invoice_payment.paid", LINK, ("in_1", "pi_1")),
        ("invoice_payment.paid", LINK | {"payment": {"charge": "ch_1"}}, ("in_1", "ch_1")),
    ],
)
def test_an_event_knows_its_purchase_by_every_id_it_names(
    event: Make, topic: str, thing: dict[str, Any], ids: tuple[str, ...]
) -> None:
    plain = STRIPE.ids(event(topic, thing))
    connected = STRIPE.ids(event(topic, thing, account="acct_1"))
    assert plain == tuple(f"self:{one}" for one in ids)
    assert connected == tuple(f"acct_1:{one}" for one in ids)


def test_an_organisations_event_names_its_account_in_its_context(
    event: Make, normalize: Run
) -> None:
    within = event("checkout.session.completed", SESSION, context="org_1/acct_1")
    assert STRIPE.ids(within) == ("acct_1:pi_1", "acct_1:cs_1")
    assert order_of(normalize(within)).account == "acct_1"


def test_an_event_is_no_envelope_whatever_keys_come_to_it(event: Make, normalize: Run) -> None:
    later = event("checkout.session.completed", SESSION, detail={}, specversion="2.0")
    assert order_of(normalize(later)).id == "pi_1"


def test_a_paid_session_waits_for_nothing(event: Make, normalize: Run) -> None:
    outcome = normalize(event("checkout.session.completed", SESSION))
    assert isinstance(outcome, tuple)
    assert (order_of(outcome).id, order_of(outcome).channel) == ("pi_1", "checkout")


@pytest.mark.parametrize("status", ["paid", "unpaid"])
@pytest.mark.parametrize("authorized", [1000, 1300])
def test_what_was_captured_beyond_a_sessions_total_counts(
    event: Make, normalize: Run, status: str, authorized: int
) -> None:
    charge = CHARGE | {"amount": authorized, "amount_captured": 1300}
    session = event("checkout.session.completed", SESSION | {"payment_status": status})
    captured = event("charge.captured", charge)
    for events in ([session, captured], [captured, session, captured]):
        order = order_of(normalize(*events))
        assert (order.total, order.uncaptured) == (Decimal("13.00"), Decimal("-3.00"))
        assert [line.net_price for line in order.lines] == [Decimal("10.00")]
        assert order.contradiction is None


def test_an_unpaid_session_is_an_order_once_its_charge_is_captured(
    event: Make, normalize: Run
) -> None:
    unpaid = event("checkout.session.completed", SESSION | {"payment_status": "unpaid"})
    part = event("charge.captured", CHARGE | {"amount_captured": 400})
    order = order_of(normalize(unpaid, part))
    assert (order.total, order.uncaptured, order.contradiction) == (
        Decimal("4.00"),
        Decimal("6.00"),
        None,
    )


def test_a_bare_charge_captured_in_part_keeps_what_was_ordered(event: Make, normalize: Run) -> None:
    order = order_of(normalize(event("charge.captured", CHARGE | {"amount_captured": 400})))
    assert (order.total, order.uncaptured, order.lines) == (
        Decimal("4.00"),
        Decimal("6.00"),
        (GOODS,),
    )


def test_what_was_captured_beyond_the_authorization_leaves_the_lines_as_ordered(
    event: Make, normalize: Run
) -> None:
    order = order_of(normalize(event("charge.captured", CHARGE | {"amount_captured": 1200})))
    assert (order.total, order.uncaptured) == (Decimal("12.00"), Decimal("-2.00"))
    assert order.lines == (GOODS,)


def test_a_tip_on_the_receipt_is_ordered_although_it_was_not_authorized(
    event: Make, normalize: Run
) -> None:
    tipped = INTENT | {"amount_received": 1200, "amount_details": {"tip": {"amount": 200}}}
    order = order_of(normalize(event("payment_intent.succeeded", tipped)))
    assert (order.total, order.tip, order.uncaptured) == (Decimal("12.00"), Decimal("2.00"), None)
    assert [line.net_price for line in order.lines] == [Decimal("10.00")]


@pytest.mark.parametrize("older", ["evt_1", "evt_3"])
def test_of_one_moment_told_in_two_shapes_the_newer_shape_counts(
    event: Make, normalize: Run, older: str
) -> None:
    old = event("invoice.paid", INVOICE, id=older, api_version="2017-04-06")
    new = event("invoice.paid", INVOICE | {"number": "A-1"}, id="evt_2")
    assert order_of(normalize(old, new)).order_name == "A-1"


def test_before_2020_what_was_not_captured_stood_under_refunded(
    event: Make, normalize: Run
) -> None:
    old = {key: value for key, value in CHARGE.items() if key != "amount_captured"}
    order = order_of(normalize(event("charge.captured", old | {"amount_refunded": 600})))
    assert (order.total, order.uncaptured) == (Decimal("4.00"), Decimal("6.00"))


def test_a_paid_invoice_with_its_link_waits_for_nothing(event: Make, normalize: Run) -> None:
    outcome = normalize(event("invoice.paid", INVOICE), event("invoice_payment.paid", LINK))
    assert isinstance(outcome, tuple)
    assert (order_of(outcome).id, order_of(outcome).match_candidate) == ("in_1", None)


def test_an_unlinked_invoice_and_its_charge_share_a_counterpart(
    event: Make, normalize: Run
) -> None:
    invoice, charge = event("invoice.paid", INVOICE), event("charge.succeeded", CHARGE)
    outcome = normalize(invoice)
    assert isinstance(outcome, Wait)
    halves = [order_of(outcome).match_candidate, order_of(normalize(charge)).match_candidate]
    assert BARE.match_candidate is not None
    assert halves == [replace(BARE.match_candidate, side="invoice"), BARE.match_candidate]


def test_an_unlinked_invoice_may_have_been_paid_in_parts_since_it_was_made_final(
    event: Make, normalize: Run
) -> None:
    moves = {"finalized_at": AT - 86_400, "paid_at": AT}
    bill = order_of(normalize(event("invoice.paid", INVOICE | {"status_transitions": moves})))
    assert bill.match_candidate is not None
    assert (bill.match_candidate.since, bill.match_candidate.at) == (
        datetime(2026, 11, 19, 10, tzinfo=UTC),
        TOLD_AT,
    )


@pytest.mark.parametrize(
    "otherwise", [{"amount_paid": 0}, {"paid_out_of_band": True}, {"amount_paid_off_stripe": 1000}]
)
def test_what_was_paid_without_a_charge_has_none_to_look_for(
    event: Make, normalize: Run, otherwise: dict[str, Any]
) -> None:
    outcome = normalize(event("invoice.paid", INVOICE | otherwise))
    assert isinstance(outcome, tuple)
    assert order_of(outcome).total == Decimal("10.00")


def test_the_invoice_speaks_before_the_charge_it_is_linked_to(event: Make, normalize: Run) -> None:
    charge, link = event("charge.succeeded", CHARGE), event("invoice_payment.paid", LINK)
    waiting = normalize(charge, link)
    assert isinstance(waiting, Wait)
    assert (order_of(waiting).id, order_of(waiting).match_candidate) == ("in_1", None)
    whole = order_of(normalize(charge, link, event("invoice.paid", INVOICE)))
    assert [line.id for line in whole.lines] == ["il_1"]


@pytest.mark.parametrize(
    "mark",
    [
        {"parent": {"type": "subscription_details"}},
        {"subscription": "sub_1"},
        {"billing_reason": "subscription_update"},
    ],
)
def test_a_subscriptions_invoice_is_known_by_any_of_its_marks(
    event: Make, normalize: Run, mark: dict[str, Any]
) -> None:
    told = [event("invoice.paid", INVOICE | more) for more in ({}, mark)]
    channels = [order_of(normalize(one)).channel for one in told]
    assert channels == ["invoice", "subscription"]


def test_renewals_count_unless_switched_off(event: Make, normalize: Run) -> None:
    renewal = event("invoice.paid", INVOICE | {"billing_reason": "subscription_cycle"})
    others = event("invoice_payment.paid", LINK), event("charge.succeeded", CHARGE)
    assert order_of(normalize(renewal, *others)).channel == "subscription"
    assert normalize(renewal, *others, renewals="off") == (
        Ignored("a subscription's renewal, and renewals are switched off"),
    )


@pytest.mark.parametrize(
    ("reference", "metadata", "order_id"),
    [
        (None, {}, "pi_1"),
        ("cart-7", {}, "cart-7"),
        ("cart-7", {"order_id": "A1"}, "A1"),
        ("heap1-12-34_A2", {}, "A2"),
        ("heap1-0-34_a_b-c", {}, "a_b-c"),
        ("heap1-12-34", {}, "pi_1"),
        ("heap1-12-34_", {}, "pi_1"),
    ],
)
def test_the_order_id_is_the_shops_own_where_it_gave_one(
    event: Make, normalize: Run, reference: str | None, metadata: dict[str, str], order_id: str
) -> None:
    session = SESSION | {"client_reference_id": reference, "metadata": metadata}
    assert order_of(normalize(event("checkout.session.completed", session))).order_id == order_id


def test_the_order_id_may_stand_in_any_objects_metadata(event: Make, normalize: Run) -> None:
    charge = event("charge.succeeded", CHARGE | {"metadata": {"shop_ref": "A1"}})
    session = event("checkout.session.completed", SESSION | {"client_reference_id": "cart-7"})
    assert order_of(normalize(charge, session, order_id_metadata="shop_ref")).order_id == "A1"


def test_the_email_is_taken_from_where_the_shopper_typed_it_last_from_the_receipt(
    event: Make, normalize: Run
) -> None:
    intent = event("payment_intent.succeeded", INTENT | {"receipt_email": "e@example.com"})
    charge = event(
        "charge.succeeded",
        CHARGE | {"receipt_email": "d@example.com", "billing_details": {"email": "c@example.com"}},
    )
    link = event("invoice_payment.paid", LINK)
    invoice = event("invoice.paid", INVOICE | {"customer_email": "b@example.com"})
    session = event(
        "checkout.session.completed",
        SESSION
        | {"customer_details": {"email": "a@example.com"}, "customer_email": "x@example.com"},
    )
    chain = [intent, charge, link, invoice, session]
    found = [order_of(normalize(*chain[: end + 1])).email for end in (0, 1, 3, 4)]
    assert found == [f"{letter}@example.com" for letter in "ecba"]


def test_what_the_shopper_saw_is_carried_beside(event: Make, normalize: Run) -> None:
    seen = {"presentment_amount": 1500, "presentment_currency": "jpy"}
    order = order_of(normalize(event("charge.succeeded", CHARGE | {"presentment_details": seen})))
    assert (order.presentment_total, order.presentment_currency) == (Decimal(1500), "JPY")


def test_before_2025_a_session_was_in_the_shoppers_currency_itself(
    event: Make, normalize: Run
) -> None:
    converted = {"amount_total": 990, "source_currency": "usd", "fx_rate": "151.5"}
    session = SESSION | {"currency": "jpy", "currency_conversion": converted}
    order = order_of(normalize(event("checkout.session.completed", session)))
    assert (order.total, order.currency) == (Decimal(1000), "JPY")
    assert (order.presentment_total, order.presentment_currency) == (order.total, "JPY")


def test_test_mode_is_told(event: Make, normalize: Run) -> None:
    assert order_of(normalize(event("charge.succeeded", CHARGE, livemode=False))).test


@pytest.mark.parametrize(
    ("topic", "thing", "path"),
    [
        ("charge.succeeded", {"id": "ch_1", "captured": True}, "$.data.object.amount"),
        ("charge.succeeded", CHARGE | {"currency": "dollar"}, "$.data.object.currency"),
        ("charge.succeeded", CHARGE | {"id": None}, "$.data.object.id"),
        (
            "checkout.session.completed",
            SESSION | {"amount_total": None},
            "$.data.object.amount_total",
        ),
        ("invoice.paid", INVOICE | {"total": None}, "$.data.object.total"),
        (
            "invoice.paid",
            INVOICE | {"lines": {"data": [{"id": "il_1"}]}},
            "$.data.object.lines.data[0].amount",
        ),
        (
            "invoice.paid",
            INVOICE | {"lines": {"data": [{"amount": 1000}]}},
            "$.data.object.lines.data[0].id",
        ),
    ],
)
def test_a_missing_figure_is_named_by_its_path(
    event: Make, normalize: Run, topic: str, thing: dict[str, Any], path: str
) -> None:
    with pytest.raises(MalformedPayload) as raised:
        normalize(event(topic, thing))
    assert raised.value.path == path


def test_an_invoices_own_words_describe_its_lines_without_a_key(event, normalize):
    line = {"id": "il_1", "amount": 1000, "quantity": 1} | {
        "metadata": {"sku": "CH-1", "shelf": "Chairs"},
        "price": {"id": "price_1", "nickname": "Oak", "product": "prod_1"},
    }
    invoice = INVOICE | {"lines": {"has_more": False, "data": [line]}}
    found = normalize(
        event("invoice.paid", invoice),
        event("invoice_payment.paid", LINK),
        metadata_map="sku=sku,category=shelf",
    )
    order = order_of(found)
    (told,) = order.lines
    assert (told.sku, told.category, told.variant) == ("CH-1", "Chairs", "Oak")
    assert order.billing_reason == "manual"


def test_a_plan_describes_a_line_where_prices_are_not_yet(event, normalize):
    plan = {"id": "gold", "nickname": "Gold", "product": "prod_1", "metadata": {"sku": "G"}}
    line = {"id": "il_1", "amount": 1000, "quantity": 1, "plan": plan}
    invoice = INVOICE | {"charge": "ch_1", "lines": {"has_more": False, "data": [line]}}
    (told,) = order_of(normalize(event("invoice.paid", invoice))).lines
    assert (told.sku, told.variant, told.product_id) == ("G", "Gold", "prod_1")


def test_a_session_without_amounts_leaves_them_to_its_payment(event, normalize):
    bare = {"id": "cs_1", "mode": "payment", "payment_status": "paid", "payment_intent": "pi_1"}
    told = event("checkout.session.completed", bare), event("charge.succeeded", CHARGE)
    assert order_of(normalize(*told)).total == Decimal("10.00")


def test_an_invoice_whose_list_of_lines_is_empty_of_all_is_told_by_its_sums(event, normalize):
    found = normalize(event("invoice.paid", INVOICE | {"charge": "ch_1", "lines": {}}))
    assert [line.unknown for line in order_of(found).lines] == [True]
