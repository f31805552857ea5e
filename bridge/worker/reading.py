"""Have the adapter say what the events of one purchase come to, whatever some of them hold."""

from collections.abc import Sequence

from adapters.contract import Known
from adapters.errors import MalformedPayload
from adapters.schema import Outcome, Parked, Wait
from bridge.config import Source
from bridge.store.inbox import End, Stored

Found = tuple[Outcome, ...] | Wait

_NONE_READABLE = Parked("no event of it can be read")


def normalized(
    source: Source, events: Sequence[Stored], known: Known, order_row: int
) -> tuple[Found, list[End]]:
    """Normalise a purchase from all its events; those that cannot be read are parked.

    Gives what it comes to, and how the unreadable ones end.
    """
    normalize = source.adapter.normalize
    ends: list[End] = []
    try:
        return _of(source, events, known), ends
    except MalformedPayload:
        readable = []
        for stored in events:
            try:
                normalize([stored.event], known)
                readable.append(stored)
            except MalformedPayload as error:
                reason = f"cannot be read: {error}"
                ends.append(End(stored.id, "parked", reason, order_row))
    try:
        return _of(source, readable, known), ends
    except MalformedPayload as error:
        return (Parked(f"its events contradict each other: {error}"),), ends


def _of(source: Source, events: Sequence[Stored], known: Known) -> Found:
    if not events:
        return (_NONE_READABLE,)
    return source.adapter.normalize([stored.event for stored in events], known)
