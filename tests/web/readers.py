"""Other programs' readings of the bytes that a client sends: llhttp (Node's parser) and h11."""

from dataclasses import dataclass, field

import h11
import httptools

Request = tuple[str, str, bytes]
"""Method, target and body."""


@dataclass
class Reading:
    """The requests that were read.

    silent: whether the reader says nothing about what follows these.
    """

    requests: list[Request] = field(default_factory=list)
    silent: bool = False

    def agrees(self, accepted: list[Request]) -> bool:
        """Whether every accepted request begins and ends as here."""
        common = len(self.requests)
        return accepted[:common] == self.requests[: len(accepted)] and (
            self.silent or len(accepted) <= common
        )


class _Llhttp:
    def __init__(self) -> None:
        self.reading = Reading()
        self._parser = httptools.HttpRequestParser(self)
        self._target = self._body = b""

    def on_message_begin(self) -> None:
        self._target = self._body = b""

    def on_url(self, part: bytes) -> None:
        self._target += part

    def on_body(self, part: bytes) -> None:
        self._body += part

    def on_message_complete(self) -> None:
        if self._parser.should_upgrade():
            # It leaves what follows, body included, to whoever reads the other protocol.
            return
        method = self._parser.get_method().decode()
        self.reading.requests.append((method, self._target.decode("latin-1"), self._body))

    def read(self, raw: bytes) -> Reading:
        try:
            self._parser.feed_data(raw)
        except (httptools.HttpParserInvalidMethodError, httptools.HttpParserUpgrade):
            # It knows a list of methods, and leaves a connection to the other protocol.
            self.reading.silent = True
        except httptools.HttpParserError:
            pass
        return self.reading


def llhttp(raw: bytes) -> Reading:
    """Read with llhttp."""
    return _Llhttp().read(raw)


def h11_(raw: bytes) -> Reading:
    """Read with h11."""
    reading = Reading()
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(raw)
    try:
        while (event := connection.next_event()) is not h11.NEED_DATA:
            match event:
                case h11.Request():
                    asked, body = event, b""
                case h11.Data():
                    body += bytes(event.data)
                case h11.EndOfMessage():
                    target = asked.target.decode("latin-1")
                    reading.requests.append((asked.method.decode(), target, body))
                    connection.send(
                        h11.Response(status_code=200, headers=[("content-length", "0")])
                    )
                    connection.send(h11.EndOfMessage())
                    connection.start_next_cycle()
                case _:
                    break
    except h11.ProtocolError:
        # It refuses the empty line that RFC 9112 section 2.2 allows before a request.
        reading.silent = True
    return reading
