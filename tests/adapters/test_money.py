import ast
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.money import allocate, digits, from_minor, rounded

PLACES = st.integers(0, 4)
UNITS = st.integers(-(10**15), 10**15)
WEIGHTS = st.lists(
    st.decimals(-10_000, 10**9, places=2) | st.decimals(0, 1, places=7), min_size=1, max_size=60
)


@pytest.mark.parametrize(
    ("currency", "places"),
    [
        ("USD", 2),
        ("JPY", 0),  # no minor unit
        ("KWD", 3),  # a thousand fils
        ("CLF", 4),  # a unit of account
        ("ISK", 0),  # none since 2007
        ("HUF", 2),  # by ISO; providers round it as they like
        ("XYZ", 2),  # unknown: what nearly all have
    ],
)
def test_a_currency_has_the_digits_of_iso_4217(currency: str, places: int) -> None:
    assert digits(currency) == places


@pytest.mark.parametrize(
    ("amount", "places", "major"),
    [
        (1999, 2, "19.99"),
        (1999, 0, "1999"),
        (1, 3, "0.001"),
        (-500, 2, "-5.00"),  # money going back
        (0, 2, "0.00"),
    ],
)
def test_minor_units_become_major_units(amount: int, places: int, major: str) -> None:
    assert str(from_minor(amount, places)) == major


@given(UNITS, PLACES)
def test_minor_units_survive_the_way_there_and_back(units: int, places: int) -> None:
    assert from_minor(units, places).scaleb(places) == units


@pytest.mark.parametrize(
    ("amount", "places", "expected"),
    [
        ("1.005", 2, "1.00"),  # halves to the even digit
        ("1.015", 2, "1.02"),
        ("-1.005", 2, "-1.00"),
        ("2.5", 0, "2"),
        ("7", 2, "7.00"),
    ],
)
def test_rounding_is_to_the_minor_unit(amount: str, places: int, expected: str) -> None:
    assert str(rounded(Decimal(amount), places)) == expected


@pytest.mark.parametrize(
    ("total", "weights", "places", "shares"),
    [
        ("10.00", ["1", "1", "1"], 2, ["3.34", "3.33", "3.33"]),  # the earlier line first
        ("0.05", ["30", "70"], 2, ["0.02", "0.03"]),  # 1.5 and 3.5: the earlier of equals
        ("100", ["1", "2"], 0, ["33", "67"]),  # no minor unit: whole yen
        ("-10.00", ["1", "1", "1"], 2, ["-3.34", "-3.33", "-3.33"]),  # money going back
        ("5.00", ["10", "-10", "10"], 2, ["2.50", "0.00", "2.50"]),  # a negative line takes none
        ("5.00", ["0", "0"], 2, ["5.00", "0.00"]),  # nothing to go by: the first takes all
        ("5.00", [], 2, []),  # nobody to share
        ("0.00", ["1", "1"], 2, ["0.00", "0.00"]),
    ],
)
def test_an_amount_is_shared_to_the_minor_unit(
    total: str, weights: list[str], places: int, shares: list[str]
) -> None:
    shared = allocate(Decimal(total), [Decimal(weight) for weight in weights], places)

    assert [str(share) for share in shared] == shares


@given(UNITS, WEIGHTS, PLACES)
def test_shares_add_up_to_the_amount(units: int, weights: list[Decimal], places: int) -> None:
    shares = allocate(from_minor(units, places), weights, places)

    assert len(shares) == len(weights)
    assert sum(int(share.scaleb(places)) for share in shares) == units


@given(UNITS, WEIGHTS, PLACES)
def test_no_share_is_a_unit_away_from_the_exact_one(
    units: int, weights: list[Decimal], places: int
) -> None:
    positive = [max(Fraction(weight), Fraction(0)) for weight in weights]
    shares = allocate(from_minor(units, places), weights, places)
    if whole := sum(positive):
        exact = [units * weight / whole for weight in positive]

        assert all(
            abs(Fraction(share.scaleb(places)) - wanted) < 1
            for share, wanted in zip(shares, exact, strict=True)
        )


@given(UNITS, WEIGHTS, PLACES)
def test_a_negative_weight_gets_nothing(units: int, weights: list[Decimal], places: int) -> None:
    all_weights = [*weights, Decimal(1), Decimal(-1)]
    shares = allocate(from_minor(units, places), all_weights, places)
    of_negative = [s for s, weight in zip(shares, all_weights, strict=True) if weight < 0]

    assert not any(of_negative)


ROOT = Path(__file__).parents[2]
# Rooms that money passes through. Elsewhere a float is a number of seconds.
MONEY = [
    *(path for path in (ROOT / "adapters").rglob("*.py") if "api" not in path.parts),
    *(
        ROOT / "bridge" / "heap" / f"{name}.py"
        for name in ("adjustment_events", "context", "events", "form")
    ),
    *(ROOT / "bridge" / "orders").glob("*.py"),
]


def test_no_float_is_near_money():
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in MONEY
        if path.name != "errors.py"  # a wait, in seconds
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if (isinstance(node, ast.Constant) and isinstance(node.value, float))
        or (isinstance(node, ast.Name) and node.id == "float")
    ]
    assert found == []
    assert len(MONEY) > 40
