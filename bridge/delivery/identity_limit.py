"""Events per identity and minute in little room: never too few, and exact while there are few.

Half-minute slots, each a map from an identity's hash to its events. Up to _ENTRIES identities in a
slot are kept apart by 20 bits of their hash, which is nearly exact; when there are more, bits are
dropped and what falls together is added up. An identity is then taken for more than it sent, never
for less, so it may wait without need but never exceeds Heap's limit. At 14,000 events a minute in
orders of five nothing is dropped; at 300,000 a slot falls into 2,048 groups of some 75 events,
which leaves an order of 600 lines room. No identity can be read back from a slot.
"""

import hashlib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

_SLOT_SECONDS = 30
_BITS = 20
_ENTRIES = 2048


@dataclass(frozen=True, slots=True)
class _Slot:
    """The events of one half minute: the lowest `bits` of an identity's hash → events."""

    bits: int = _BITS
    counts: Mapping[int, int] = field(default_factory=dict)

    def of(self, number: int) -> int:
        return self.counts.get(number & _mask(self.bits), 0)

    def plus(self, more: Iterable[tuple[int, int]]) -> "_Slot":
        counts = _summed(self.counts, more, self.bits)
        bits = self.bits
        while len(counts) > _ENTRIES:
            bits -= 1
            counts = _summed({}, counts.items(), bits)
        return _Slot(bits, counts)


@dataclass(frozen=True, slots=True)
class Slots:
    """Half-minute slots by number: slot k holds events stamped from 30 k to 30 k + 30 seconds."""

    _slots: Mapping[int, _Slot] = field(default_factory=dict)

    @classmethod
    def of(cls, state: Mapping[str, Any]) -> "Slots":
        """Read what `state` wrote."""
        return cls({int(k): _Slot(bits, _unpacked(text)) for k, (bits, text) in state.items()})

    def state(self) -> dict[str, Any]:
        """Write it as plain values: slot → [bits, {events: the hashes with so many, joined}]."""
        return {str(k): [slot.bits, _packed(slot.counts)] for k, slot in self._slots.items()}

    def room(self, identity: str, most: int) -> int:
        """Return how many events of an identity may leave. most: in a minute."""
        number = _number(identity)
        return max(0, most - sum(slot.of(number) for slot in self._slots.values()))

    def free_at(self, identity: str, n: int, most: int) -> float:
        """Return when the stamps end that leave n events of an identity no room; 0 where none do.

        Infinite where n is more than a minute takes at all.
        """
        if n > most:
            return math.inf
        number, end = _number(identity), 0.0
        over = sum(slot.of(number) for slot in self._slots.values()) + n - most
        for k, slot in sorted(self._slots.items()):
            if over <= 0:
                break
            over -= slot.of(number)
            end = _end(k)
        return end

    def add(self, counts: Mapping[str, int], stamp: float) -> "Slots":
        """Add a request's events, identity by identity."""
        k = int(stamp // _SLOT_SECONDS)
        numbered = [(_number(identity), n) for identity, n in counts.items()]
        return Slots({**self._slots, k: self._slots.get(k, _Slot()).plus(numbered)})

    def at(self, since: float, latest: float) -> "Slots":
        """Drop slots that ended by `since`, and bring in those that begin after `latest`."""
        last = int(latest // _SLOT_SECONDS)
        kept: dict[int, _Slot] = {}
        for k, slot in self._slots.items():
            if _end(k) > since:
                kept[min(k, last)] = _joined(kept.get(min(k, last)), slot)
        return Slots(kept)


def _end(k: int) -> float:
    return float((k + 1) * _SLOT_SECONDS)


def _joined(one: _Slot | None, other: _Slot) -> _Slot:
    if one is None:
        return other
    bits = min(one.bits, other.bits)
    return _Slot(bits, _summed({}, one.counts.items(), bits)).plus(other.counts.items())


def _summed(
    counts: Mapping[int, int], more: Iterable[tuple[int, int]], bits: int
) -> dict[int, int]:
    summed = dict(counts)
    for number, n in more:
        group = number & _mask(bits)
        summed[group] = summed.get(group, 0) + n
    return summed


def _mask(bits: int) -> int:
    return (1 << bits) - 1


def _number(identity: str) -> int:
    digest = hashlib.sha256(identity.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:4], "big") & _mask(_BITS)


def _packed(counts: Mapping[int, int]) -> dict[str, str]:
    """Join hashes, five hexadecimal digits each, under the number of events they have."""
    packed: dict[str, list[str]] = {}
    for number, n in counts.items():
        packed.setdefault(str(n), []).append(f"{number:05x}")
    return {n: "".join(numbers) for n, numbers in packed.items()}


def _unpacked(packed: Mapping[str, str]) -> dict[int, int]:
    return {
        int(text[i : i + 5], 16): int(n)
        for n, text in packed.items()
        for i in range(0, len(text), 5)
    }
