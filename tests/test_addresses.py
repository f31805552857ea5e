"""That no e-mail address is left in a text, and nothing but addresses is taken out."""

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.addresses import is_address, without_addresses


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("ada@example.com", "[email]"),
        ("Charge for Ada.B+news@mail.example.co.uk, paid", "Charge for [email], paid"),
        ("/?email=ada%40example.com&utm_source=news", "/?email=[email]&utm_source=news"),
        ("/?email=ada%2Bnews%40example.com", "/?email=[email]"),
        ("/?next=%2Flogin%3Fe%3Dada%2540example.com", "/?next=[email]"),
        ("<ada@example.com>, bob@example.org", "<[email]>, [email]"),
        ("ada@localhost", "[email]"),
        ("ådå@exämple.com", "[email]"),
        ("ada\uff20example.com", "[email]"),
        ("two @ 3.50 each", "two @ 3.50 each"),
        ("follow @shop", "follow @shop"),
        ("100%40", "100%40"),
        ("a plain text", "a plain text"),
        ("", ""),
    ],
)
def test_addresses_are_marked_and_the_rest_stays(text, left):
    assert without_addresses(text) == left


def test_what_holds_an_address_is_told_from_what_does_not():
    assert is_address("ada@example.com")
    assert is_address("ada%40example.com")
    assert not is_address("member-7")


@given(
    before=st.text(max_size=20),
    name=st.from_regex(r"[a-z][a-z0-9.+_-]{0,20}", fullmatch=True),
    after=st.text(max_size=20),
    times=st.integers(0, 2),
)
def test_an_address_is_found_wherever_it_stands(before, name, after, times):
    address = f"{name}@example.com"
    for _ in range(times):
        address = quote(address, safe="")
    left = without_addresses(f"{before} {address} {after}")
    assert address not in left
    assert "example.com" not in left
