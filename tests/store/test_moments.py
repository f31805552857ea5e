"""Moments: aware, in UTC, and on SQLite as text that compares as time."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import String, cast, select
from sqlalchemy.exc import StatementError

from bridge.store import Store
from bridge.store.tables import probes
from bridge.store.types import db_now

WHOLE = datetime(2026, 11, 28, 10, 0, tzinfo=timezone(timedelta(hours=2)))


@pytest.fixture
def store(database_url):
    opened = Store.open(database_url)
    yield opened
    opened.close()


def keep(store, at: datetime) -> None:
    store.write(lambda c: c.execute(probes.insert().values(name=at.isoformat(), at=at)))


def test_a_moment_of_another_zone_comes_back_in_utc(store) -> None:
    keep(store, WHOLE)
    found = store.read(lambda c: c.execute(select(probes.c.at)).scalar_one())
    assert found == WHOLE
    assert found.tzinfo is UTC


def test_a_moment_without_a_zone_is_refused(store) -> None:
    with pytest.raises(StatementError, match="needs its time zone"):
        keep(store, WHOLE.replace(tzinfo=None))


def test_moments_compare_with_each_other_and_with_the_database_s_clock(store) -> None:
    for at in (WHOLE + timedelta(microseconds=1), WHOLE, WHOLE + timedelta(days=36_500)):
        keep(store, at)

    def before(moment) -> int:
        rows = select(probes.c.name).where(probes.c.at < moment)
        return len(store.read(lambda c: c.execute(rows).all()))

    assert before(WHOLE) == 0
    assert before(WHOLE + timedelta(microseconds=1)) == 1
    assert before(db_now()) == 2
    if store.on_sqlite:
        digits = select(cast(probes.c.at, String)).where(probes.c.at <= WHOLE)
        assert store.read(lambda c: c.execute(digits).scalar_one()) == "2026-11-28 08:00:00.000000"
