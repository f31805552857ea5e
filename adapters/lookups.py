"""Asking a provider's API for what a webhook does not say.

    LookupKey -Api.fetch-> plain JSON | None   (the worker, outside every transaction)
    LookupKey -Lookup-> Payload | ABSENT | None  (normalize, from what was fetched)

A look-up is the one thing of an adapter that does I/O. It goes through a provider's own package,
in the adapter's `api` room and nowhere else; what comes back is plain JSON that can be stored.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Protocol, runtime_checkable

from adapters.payload import Payload

# One JSON object as the provider wrote it: amounts are integers or strings, never floats.
Json = dict[str, Any]

SELF = "self"


@dataclass(frozen=True, slots=True)
class LookupKey:
    """One thing to look up.

    kind: which look-up of the adapter, such as `charge`.
    id: of what; the provider's id or, for some kinds, an email address, so it is in no repr.
    account: whose it is: `self`, or the connected account's id.
    """

    kind: str
    id: str = field(repr=False)
    account: str = SELF


class Absent(Enum):
    """The provider was asked, and has no such thing."""

    ABSENT = "absent"


ABSENT = Absent.ABSENT


class Lookup(Protocol):
    """What is known of the provider's answers; pure, it asks nobody."""

    def __call__(self, lookup_key: LookupKey, /) -> Payload | Absent | None:
        """Give the answer; ABSENT where there is no such thing, None where it was not asked yet."""


def nothing_known(_need: LookupKey) -> None:
    """Be the Lookup of a source without a key."""


class Api(Protocol):
    """A provider's API as the bridge sees it; many threads may use one at the same time."""

    def fetch(self, lookup_key: LookupKey) -> Json | None:
        """Look one thing up, now; None where the provider has no such thing.

        Raises LookUpFailed: TryAgain where waiting helps, KeyRefused where the operator must act.
        """

    def close(self) -> None:
        """Let go of the connections."""


@runtime_checkable
class BatchApi(Api, Protocol):
    """An API that answers several look-ups of one kind and account in one call.

    together: the kinds it can so ask, and how many at most.
    """

    together: Mapping[str, int]

    def fetch_together(self, lookup_keys: Sequence[LookupKey]) -> Sequence[Json | None]:
        """Look things of one kind and account up, now; answers in the order of the needs.

        Raises as `fetch` does, and then for all of them.
        """
