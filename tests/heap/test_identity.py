"""Whose an order is, and that strangers are never made one user."""

import hashlib
from dataclasses import replace

import pytest

from adapters.schema import Order
from bridge.heap.identity import (
    IDENTITY_LIMIT,
    Choice,
    EmailCase,
    Identity,
    identify,
    is_pseudonym,
)
from bridge.heap.session import Session

CUSTOMER = "shopify:example.myshopify.com:customer:7"
ORDER = "shopify:example.myshopify.com:order:450789469"


@pytest.mark.parametrize(
    ("email", "case", "value"),
    [
        (" Ada@Example.com ", "lower", "ada@example.com"),
        (" Ada@Example.com ", "keep", "Ada@Example.com"),
        (f"{'a' * 243}@example.com", "lower", f"{'a' * 243}@example.com"),
    ],
)
def test_an_email_is_the_identity(order: Order, email: str, case: EmailCase, value: str) -> None:
    known = replace(order, email=email)
    identity = identify(
        known, provider="shopify", choice=Choice(email_case=case, no_identity="park")
    )
    assert identity == Identity(value)
    assert not is_pseudonym(Identity(value), known, provider="shopify")


@pytest.mark.parametrize(
    "email",
    [
        None,
        "",
        " ",
        "null",
        "guest",
        "@",
        "ada@",
        "@example.com",
        "n@null",
        f"{'a' * 244}@example.com",
    ],
)
def test_without_a_telling_email_the_customer_stands_in_or_the_order_is_parked(
    order: Order, email: str | None
) -> None:
    unknown = replace(order, email=email, customer_id="7")
    made = identify(unknown, provider="shopify", choice=Choice())
    assert made == Identity(CUSTOMER)
    assert is_pseudonym(made, unknown, provider="shopify")
    assert identify(unknown, provider="shopify", choice=Choice(no_identity="park")) is None


@pytest.mark.parametrize("customer_id", [None, "", "null", "0"])
def test_without_a_customer_the_order_stands_in(order: Order, customer_id: str | None) -> None:
    guest = replace(order, email=None, customer_id=customer_id)
    made = identify(
        guest, provider="shopify", choice=Choice(email_case="lower", no_identity="pseudonym")
    )
    assert made == Identity(ORDER)


@pytest.mark.parametrize("field", ["id", "customer_id", "account"])
def test_a_pseudonym_too_long_for_heap_is_shortened_by_hash(order: Order, field: str) -> None:
    fields = {"email": None, "customer_id": None}
    long, other = ({**fields, field: "1" * 254 + end} for end in "12")
    made = [
        identify(replace(order, **one), provider="shopify", choice=Choice())  # type: ignore[arg-type] # names and values of the table above
        for one in (long, other, long)
    ]
    assert made[0] == made[2] != made[1]
    for one in made:
        assert one is not None
        assert one.value.startswith("shopify:")
        assert len(one.value) == IDENTITY_LIMIT
    assert made[0] is not None
    assert is_pseudonym(made[0], replace(order, **long), provider="shopify")  # type: ignore[arg-type] # as above


# --- what the browser and the shop say -------------------------------------------------------

HASH = hashlib.sha256(b"ada@example.com").hexdigest()
MEMBER = Choice(customer_id_field="metadata.member")


@pytest.mark.parametrize(
    ("session", "choice", "expected"),
    [
        (Session(identity="member-7"), Choice(), Identity("member-7")),
        (Session(identity=" Member 7 "), Choice(), Identity(" Member 7 ")),
        (Session(identity="ADA@example.com"), Choice(), Identity("ADA@example.com")),
        (Session(identity="bob@example.com"), Choice(), Identity("ada@example.com")),
        (Session(identity="bob%40example.com"), Choice(), Identity("ada@example.com")),
        (Session(identity="guest"), Choice(), Identity("ada@example.com")),
        (Session(user_id="812"), Choice(), Identity("ada@example.com")),
        (Session(user_id="812"), Choice(email_case="keep"), Identity("Ada@Example.com")),
        (Session(identity="member-7"), Choice(customer_id_field="customer_id"), Identity("7")),
        (Session(identity="member-7"), MEMBER, Identity("M-1")),
        (Session(), Choice(customer_id_field="metadata.none"), Identity("ada@example.com")),
        # With a hash the email is told nowhere, whoever names it.
        (Session(identity="ada@example.com"), Choice(hashed=True), Identity(HASH)),
        (Session(identity=HASH), Choice(hashed=True), Identity(HASH)),
        (Session(identity="member-7"), Choice(hashed=True), Identity("member-7")),
        (
            Session(),
            Choice(hashed=True, customer_id_field="metadata.email"),
            Identity(HASH),
        ),
    ],
)
def test_the_best_that_is_known_of_the_shopper_comes_first(
    order: Order, session: Session, choice: Choice, expected: Identity
) -> None:
    told = (("metadata.member", "M-1"), ("metadata.email", " ADA@example.com "))
    known = replace(order, email="Ada@Example.com", customer_id="7", extra=told)
    assert identify(known, provider="shopify", choice=choice, session=session) == expected


@pytest.mark.parametrize("hashed", [True, False])
def test_without_an_email_the_anonymous_browser_is_the_user(order: Order, *, hashed: bool) -> None:
    guest = replace(order, email=None)
    session = Session(user_id="812", identity="bob@example.com")
    choice = Choice(hashed=hashed, no_identity="park")
    made = identify(guest, provider="shopify", choice=choice, session=session)
    assert made == Identity("812", "user_id")
    assert Identity.read(made.written()) == made


PLACEHOLDERS = [
    *("null", "NULL", " undefined ", '"undefined"', "(none)", "<guest>", "NaN", "n/a", "-1"),
    *("0", "0000", "-", "...", "00000000-0000-0000-0000-000000000000", "{{ customer.id }}"),
    *("${user.id}", "<%= id %>", "[object Object]", "Anonymous", "not_set"),
]


@pytest.mark.parametrize("text", PLACEHOLDERS)
def test_a_placeholder_is_never_an_identity(order: Order, text: str) -> None:
    guest = replace(order, email=text, customer_id=text, extra=(("metadata.member", text),))
    for choice in (Choice(), MEMBER, Choice(customer_id_field="customer_id")):
        made = identify(guest, provider="shopify", choice=choice, session=Session(identity=text))
        assert made == Identity(ORDER)


def test_nobodys_address_is_no_identity(order: Order) -> None:
    for email in ("undefined@example.com", "null@null", "None@none.example"):
        made = identify(replace(order, email=email), provider="shopify", choice=Choice())
        assert made == Identity(ORDER)


def test_no_identity_stands_in_a_repr() -> None:
    assert "ada" not in repr(Identity("ada@example.com")) + repr(Session(identity="ada"))
