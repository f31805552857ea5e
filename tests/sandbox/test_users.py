"""Heap's rules for users' properties and for identifying browsers, over HTTP."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from bridge.sandbox.local_heap import Sandbox

PROPERTIES, IDENTIFY = "/api/add_user_properties", "/api/v1/identify"


class Clock:
    now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sandbox(clock: Clock) -> Iterator[Sandbox]:
    running = Sandbox(clock=clock).start()
    yield running
    running.stop()


def post(sandbox: Sandbox, path: str, **fields: Any) -> int:
    body = {"app_id": "1", **fields}
    return requests.post(sandbox.url + path, json=body, timeout=60).status_code


def user(name: str = "ada", **properties: Any) -> dict[str, Any]:
    return {"identity": name, "properties": properties}


def test_the_last_value_of_a_property_holds(sandbox: Sandbox) -> None:
    assert post(sandbox, PROPERTIES, users=[user(orders=1, plan="a"), user("bob")]) == 200
    assert post(sandbox, PROPERTIES, **user(orders=2)) == 200
    assert sandbox.users.given == {("1", "ada"): {"orders": 2, "plan": "a"}, ("1", "bob"): {}}
    shown = requests.get(f"{sandbox.url}/sandbox/users", timeout=60).json()
    assert [one["identity"] for one in shown["users"]] == ["ada", "bob"]


@pytest.mark.parametrize(
    "fields",
    [
        {"users": []},
        {"users": [user()] * 1001},
        {"users": ["ada"]},
        {"users": [{"identity": ""}]},
        {"users": [{"identity": "a" * 256}]},
        {"users": [{"user_id": "812"}]},
        {"users": [user(id="7")]},
        {"users": [user(Id="7")]},
        {"users": [user(user_id="7")]},
        {"users": [user(vip=True)]},
        {"users": [user(vip=None)]},
        {"users": [user(vip=["a"])]},
        {"users": [user(vip="a" * 256)]},
        {"users": [{"identity": "ada", "properties": "x"}]},
        {"app_id": None, "users": [user()]},
    ],
)
def test_what_the_reference_forbids_is_refused(sandbox: Sandbox, fields: dict[str, Any]) -> None:
    assert post(sandbox, PROPERTIES, **fields) == 400
    assert sandbox.users.given == {}
    assert len(sandbox.users.refusals) == 1


def test_thirty_requests_in_thirty_seconds_is_all_that_one_identity_gets(
    sandbox: Sandbox, clock: Clock
) -> None:
    assert [post(sandbox, PROPERTIES, users=[user(n=n)]) for n in range(31)] == [200] * 30 + [429]
    assert post(sandbox, PROPERTIES, users=[user("bob")]) == 200
    clock.now += 30
    assert post(sandbox, PROPERTIES, users=[user()]) == 200


def test_a_browser_has_one_identity_and_an_identity_ten_new_browsers_a_month(
    sandbox: Sandbox, clock: Clock
) -> None:
    for browser in (*range(1, 12), 1):
        assert post(sandbox, IDENTIFY, user_id=str(browser), identity="ada") == 200
    assert post(sandbox, IDENTIFY, user_id="1", identity="bob") == 200
    assert sandbox.users.identified == {("1", str(n)): "ada" for n in range(1, 11)}
    assert sandbox.users.ignored == [("1", "11", "ada"), ("1", "1", "bob")]
    clock.now += 31 * 86_400
    assert post(sandbox, IDENTIFY, user_id="11", identity="ada") == 200
    assert sandbox.users.identified["1", "11"] == "ada"


@pytest.mark.parametrize(
    "fields",
    [
        {"user_id": "812"},
        {"identity": "ada"},
        {"user_id": "x", "identity": "ada"},
        {"user_id": 812, "identity": "ada"},
        {"user_id": str(2**53), "identity": "ada"},
        {"user_id": "812", "identity": "ada", "timestamp": "today"},
    ],
)
def test_an_identification_that_lacks_something_is_refused(
    sandbox: Sandbox, fields: dict[str, Any]
) -> None:
    assert post(sandbox, IDENTIFY, **fields) == 400
    assert sandbox.users.identified == {}


def test_a_fault_may_be_for_one_path_alone(sandbox: Sandbox) -> None:
    sandbox.faults.add(status=503, times=2, path=IDENTIFY)
    assert post(sandbox, PROPERTIES, users=[user()]) == 200
    ada = {"user_id": "812", "identity": "ada"}
    assert [post(sandbox, IDENTIFY, **ada) for _ in range(3)] == [503, 503, 200]
    assert [(seen.path, seen.status) for seen in sandbox.requests] == [
        (PROPERTIES, 200),
        (IDENTIFY, 503),
        (IDENTIFY, 503),
        (IDENTIFY, 200),
    ]
