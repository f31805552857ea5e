"""The sandbox enforces Heap's rules, plays its faults, and leaves nothing behind."""

import json
import threading
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
import requests

from bridge.sandbox.local_heap import Sandbox, run

Body = Callable[..., bytes]
Make = Callable[..., Sandbox]


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1_795_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def make() -> Iterator[Make]:
    made: list[Sandbox] = []

    def start(**options: Any) -> Sandbox:
        made.append(Sandbox(**options).start())
        return made[-1]

    yield start
    for sandbox in made:
        sandbox.stop()


def post(sandbox: Sandbox, content: Any, path: str = "/api/track") -> tuple[int, str, str | None]:
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    answer = requests.post(f"{sandbox.url}{path}", data=raw, timeout=60, allow_redirects=False)
    return answer.status_code, answer.text, answer.headers.get("Retry-After")


def event(number: int = 1, **changed: Any) -> dict[str, Any]:
    made = {
        "identity": f"user{number}",
        "event": "Order",
        "timestamp": "2026-11-20T10:00:00+00:00",
        "idempotency_key": f"shop:a:{number}:order",
        "properties": {"order_id": str(number), "total": 19.99},
        **changed,
    }
    return {name: value for name, value in made.items() if value is not ...}


def bulk(*events: Any, app_id: Any = "1") -> dict[str, Any]:
    return {"app_id": app_id, "events": list(events)}


def test_a_refused_request_leaves_nothing_and_its_reason_is_told(sandbox: Sandbox) -> None:
    assert post(sandbox, bulk(event(1), event(2, identity=""))) == (400, "Bad request", None)
    assert post(sandbox, b"{") == (400, "Bad request", None)
    assert sandbox.events() == []
    assert sandbox.refusals == [
        "identity: not a string of 1 to 255 characters",
        "not JSON",
    ]


def test_a_sandbox_that_is_not_strict_takes_what_heap_leaves_open(make: Make) -> None:
    sent = bulk(event(1, properties={"a": None}))
    assert [post(make(strict=strict), sent)[0] for strict in (True, False)] == [400, 200]


def test_a_partial_sandbox_keeps_the_good_events_of_a_refused_request(make: Make) -> None:
    sandbox = make(partial=True)
    assert post(sandbox, bulk(event(1), event(2, identity="")))[0] == 400
    assert [kept["idempotency_key"] for kept in sandbox.events()] == ["shop:a:1:order"]


def test_the_first_event_of_a_key_stays_and_other_bytes_are_told(
    sandbox: Sandbox, body: Body
) -> None:
    first, other = body(1, total="19.90"), body(1, total="19.9")
    sent = [b'{"app_id": "1", "events": [ %b ]}' % each for each in (first, first, other)]
    assert [post(sandbox, each)[0] for each in sent] == [200, 200, 200]
    assert sandbox.repeats == 2
    assert [(c.app_id, c.key, c.first, c.again) for c in sandbox.conflicts] == [
        ("1", "shop:a:1:order", first, other)
    ]
    assert [str(kept["properties"]["total"]) for kept in sandbox.events()] == ["19.90"]


def test_keys_are_each_apps_own(sandbox: Sandbox) -> None:
    for app_id in ("1", "2"):
        post(sandbox, bulk(event(), app_id=app_id))
    assert [kept["app_id"] for kept in sandbox.events()] == ["1", "2"]
    assert [kept["app_id"] for kept in sandbox.events("2")] == ["2"]


def test_single_events_of_an_identity_are_thirty_in_thirty_seconds(make: Make) -> None:
    clock = Clock()
    sandbox = make(clock=clock)

    def single(number: int, identity: str) -> int:
        return post(sandbox, {"app_id": "1", **event(number, identity=identity)})[0]

    assert [single(n, "ada") for n in range(31)] == [200] * 30 + [429]
    assert single(40, "bob") == 200
    clock.now += 30
    assert single(41, "ada") == 200


def test_bulk_events_of_an_identity_are_a_thousand_a_minute(make: Make) -> None:
    clock = Clock()
    sandbox = make(clock=clock)
    full = bulk(*(event(n, identity="ada") for n in range(1000)))
    one = bulk(event(2000, identity="ada"))
    assert post(sandbox, full)[0] == 200
    assert post(sandbox, one) == (429, "Slow down", "60")
    assert post(sandbox, bulk(event(2001)))[0] == 200
    clock.now += 59.9
    assert post(sandbox, one)[0] == 429
    clock.now += 0.1
    assert post(sandbox, one)[0] == 200


def test_an_app_takes_so_many_a_minute(make: Make) -> None:
    clock = Clock()
    sandbox = make(per_minute=5, clock=clock, retry_after=False)
    assert post(sandbox, bulk(*map(event, range(3))))[0] == 200
    assert post(sandbox, bulk(*map(event, range(10, 13)))) == (429, "Slow down", None)
    assert post(sandbox, bulk(event(20), app_id="2"))[0] == 200
    assert post(sandbox, bulk(event(21), event(22)))[0] == 200
    clock.now += 60
    assert post(sandbox, bulk(*map(event, range(10, 15))))[0] == 200
    assert [(seen.n, seen.status) for seen in sandbox.requests] == [
        (3, 200),
        (3, 429),
        (1, 200),
        (2, 200),
        (5, 200),
    ]


def test_faults_are_played_one_after_the_other(sandbox: Sandbox) -> None:
    faults = [{"status": 500, "times": 2, "body": "<p>"}, {"status": 429, "retry_after": 3}]
    assert post(sandbox, faults, "/sandbox/faults")[0] == 204
    assert [post(sandbox, bulk(event())) for _ in range(4)] == [
        (500, "<p>", None),
        (500, "<p>", None),
        (429, "", "3"),
        (200, "", None),
    ]
    assert [(seen.n, seen.status) for seen in sandbox.requests] == [
        (1, 500),
        (1, 500),
        (1, 429),
        (1, 200),
    ]


@pytest.mark.parametrize(("drop", "stored"), [("before", 0), ("after", 1)])
def test_a_dropped_connection_leaves_the_sender_without_an_answer(
    sandbox: Sandbox, drop: str, stored: int
) -> None:
    sandbox.faults.add(drop=drop)
    with pytest.raises(requests.ConnectionError):
        post(sandbox, bulk(event()))
    assert len(sandbox.events()) == stored


def test_a_poisoned_key_is_refused_until_the_faults_are_cleared(sandbox: Sandbox) -> None:
    sandbox.faults.add(refuse_key="shop:a:1:order")
    sent = [bulk(event(2), event(1)), bulk(event(2)), bulk(event(1))]
    assert [post(sandbox, each)[0] for each in sent] == [400, 200, 400]
    assert requests.delete(f"{sandbox.url}/sandbox/faults", timeout=60).status_code == 204
    assert post(sandbox, bulk(event(1)))[0] == 200


def test_everything_is_refused_until_the_faults_are_cleared(sandbox: Sandbox) -> None:
    sandbox.faults.add(refuse_all=True)
    assert [post(sandbox, bulk(event()))[0] for _ in range(2)] == [400, 400]
    sandbox.faults.clear()
    assert post(sandbox, bulk(event()))[0] == 200


@pytest.mark.parametrize("fault", [[{"stauts": 500}], {}, [5], "x"])
def test_a_fault_that_is_none_is_refused(sandbox: Sandbox, fault: Any) -> None:
    status = post(sandbox, fault, "/sandbox/faults")[0]
    assert status == (204 if fault == {} else 400)


def test_an_onlooker_sees_events_requests_and_counts(sandbox: Sandbox) -> None:
    post(sandbox, b'{"app_id":"1","events":[%b]}' % json.dumps(event(1)).encode())
    post(sandbox, bulk(event(1), event(2, event="Purchase"), app_id="2"))
    post(sandbox, bulk(event(1, identity="other"), app_id="2"))

    def get(path: str) -> Any:
        answer = requests.get(f"{sandbox.url}/sandbox/{path}", timeout=60)
        return json.loads(answer.text, parse_float=Decimal)

    assert get("events") == sandbox.events()
    assert [kept["app_id"] for kept in get("events?order_id=1")] == ["1", "2"]
    assert get("events?app_id=2&event=Purchase&order_id=2") == sandbox.events("2")[1:]
    assert get("events?event=Refund") == []
    assert [(seen["n"], seen["status"]) for seen in get("requests")] == [
        (1, 200),
        (2, 200),
        (1, 200),
    ]
    assert get("summary") == {
        "events": 3,
        "by_event": {"Order": 2, "Purchase": 1},
        "requests": 3,
        "repeats": 1,
        "conflicts": 1,
        "refusals": [],
        "refused": 0,
    }
    assert requests.delete(f"{sandbox.url}/sandbox/events", timeout=60).status_code == 204
    assert (get("events"), get("requests"), sandbox.conflicts) == ([], [], [])


@pytest.mark.parametrize("method", ["get", "post", "delete"])
def test_another_path_is_not_found(sandbox: Sandbox, method: str) -> None:
    answer = requests.request(method, f"{sandbox.url}/api/other", data=b"{}", timeout=60)
    assert answer.status_code == 404


def test_a_stopped_sandbox_leaves_no_thread_however_many_connections_it_had() -> None:
    before = threading.active_count()
    sandbox = Sandbox().start()
    url = sandbox.url
    sessions = [requests.Session() for _ in range(5)]
    for session in sessions:
        session.get(f"{url}/sandbox/summary", timeout=60)
    assert threading.active_count() > before
    sandbox.stop()
    assert threading.active_count() == before
    for session in sessions:
        session.close()
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{url}/sandbox/summary", timeout=60)


def test_a_sandbox_of_its_own_says_where_it_is_and_ends_when_interrupted() -> None:
    seen = []

    def announce(url: str) -> None:
        seen.append(requests.get(f"{url}/sandbox/summary", timeout=60).status_code)
        raise KeyboardInterrupt

    run("127.0.0.1", 0, announce)
    assert seen == [200]
