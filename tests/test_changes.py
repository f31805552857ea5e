"""The changes that `make soak` tries on the code are such as the tests should notice."""

import pytest

from tests.soak.changes import changes, is_one
from tests.soak.mutants import PARTS, ROOT, files


def made(source: str) -> set[str]:
    raw = source.encode()
    return {change.applied(raw).decode() for change in changes(raw) if is_one(raw, change)}


@pytest.mark.parametrize(
    ("source", "changed"),
    [
        ("LOW_WATER = 32 * MB", {"LOW_WATER = 33 * MB", "LOW_WATER = 0 * MB"}),
        ('_READ_ONLY = "25006"', {'_READ_ONLY = ""'}),
        ("LIMITS = (f'{B}; SET LOCAL x = 5;' ' SET LOCAL y = 7')", {'LIMITS = ("")'}),
        ("if a < b: raise LeaseLost", {"if (a <= b): raise LeaseLost", "if a < b: pass"}),
        ("q.where(a == 1, mine)", {"(q.where(a == 1))", "(q.where(mine))"}),
        ("if again or (kept and died): x()", {"if again or ((kept)): x()", "if (again): x()"}),
        ("x = held & mine", {"x = (held)", "x = (mine)"}),
        ("x = not y", {"x = (y)"}),
        ("x = 1 if y else z", {"x = (1)", "x = (z)"}),
        ("x = sorted(y, key=len, reverse=True)", {"x = sorted(y, key=len, reverse=False)"}),
        ("ä = 'ö'; x = a + b", {"ä = 'ö'; x = (a - b)"}),
    ],
)
def test_a_source_is_changed_in_one_place_at_a_time(source, changed):
    assert {one for one in made(source) if any(one.endswith(new) for new in changed)}
    assert {new for new in changed if not any(new in one for one in made(source))} == set()


def test_words_for_people_annotations_and_log_lines_stay():
    source = '''
"""A docstring."""
import os
log = logger
def f(x: "int" = None) -> "str":
    """Another."""
    log.info("it happened", count=3)
    message = "two words"
'''
    assert made(source) == set()


@pytest.mark.parametrize("part", PARTS)
def test_every_change_to_what_is_sampled_compiles_and_differs(part):
    found = files(ROOT, part)
    assert len(found) >= sum(len(names) for names in PARTS[part])
    assert {
        test for tests in found.values() for test in tests if not (ROOT / test).exists()
    } == set()
    source = (ROOT / max(found, key=lambda one: (ROOT / one).stat().st_size)).read_bytes()
    made = changes(source)
    assert len(made) > 20
    assert [str(one) for one in made[::20] if not is_one(source, one)] == []
