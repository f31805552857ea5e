"""How long a client may take with one request."""

import socket
from collections.abc import Iterator

import pytest

from bridge.web import patience
from bridge.web.patience import Bounded


@pytest.fixture
def pair(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Bounded, socket.socket]]:
    """Our end of a connection, on which a request has begun, and the client's."""
    monkeypatch.setattr(patience, "SECONDS", 0.2)
    given, client = socket.socketpair()
    ours = Bounded.of(given)
    ours.setblocking(True)
    with ours, client:
        yield ours, client


def test_what_has_come_is_read(pair: tuple[Bounded, socket.socket]) -> None:
    ours, client = pair
    client.sendall(b"POST")
    assert ours.recv(100) == b"POST"


def test_a_client_that_stalls_counts_as_lost(pair: tuple[Bounded, socket.socket]) -> None:
    ours, _client = pair
    with pytest.raises(ConnectionResetError):
        ours.recv(100)


def test_a_client_that_sends_byte_by_byte_counts_as_lost(
    pair: tuple[Bounded, socket.socket],
) -> None:
    ours, client = pair

    def read_on() -> None:
        while True:
            client.sendall(b"a")
            ours.recv(1)

    with pytest.raises(ConnectionResetError):
        read_on()


def test_the_next_request_has_its_own_time(pair: tuple[Bounded, socket.socket]) -> None:
    ours, client = pair
    with pytest.raises(ConnectionResetError):
        ours.recv(100)
    ours.setblocking(True)
    client.sendall(b"GET")
    assert ours.recv(100) == b"GET"


def test_a_connection_left_to_the_poller_does_not_wait(
    pair: tuple[Bounded, socket.socket],
) -> None:
    ours, _client = pair
    ours.setblocking(False)
    with pytest.raises(BlockingIOError):
        ours.recv(100)
