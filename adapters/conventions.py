"""How a provider writes what lies beside its webhooks: credentials, field names, exported files.

Every part has a default that works; an adapter states what it knows.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Credential:
    """One kind of credential, recognized by how it begins.

    title: such as `a Stripe secret key`. signs_webhooks: it is the secret that signs webhooks.
    """

    prefix: str
    title: str
    signs_webhooks: bool = False


@dataclass(frozen=True, slots=True)
class FileBody:
    """The webhook that a payload file stands for.

    value: the body if it differs from the file; None if the file is the body.
    difference: how the file differs from a webhook's body; empty if it does not.
    """

    topic: str
    value: Mapping[str, Any] | None = None
    difference: str = ""


def no_hints(_settings: Any) -> tuple[str, ...]:
    """Return no hints."""
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Conventions:
    """What the bridge cannot guess of a provider, and needs only for messages, privacy and tools.

    credentials: every kind a provider hands out, so that one in the wrong place is recognized and
        none is shown. Without any, every text may be a webhook secret.
    account_setting: the field of the adapter's `settings` that names the source's one account.
    order_fields: names of order values that the operator may choose for extra properties and, if
        the shop makes them up, as customer ID; `metadata.NAME` means every name in `metadata`.
    customer_keys: keys under which a body names its customer: by ID, by address, or by an object
        with an `id`.
    hints(settings): what `bridge check` should advise for a source with these settings.
    from_file(value, name, topic): the webhook that a JSON object from a file stands for, or why it
        is none; None if it does not look like this provider's. name: the file's. topic: as an
        index beside the file names it, else empty.
    """

    credentials: tuple[Credential, ...] = ()
    account_setting: str | None = None
    order_fields: tuple[str, ...] = ()
    customer_keys: tuple[str, ...] = ("customer", "customer_id")
    hints: Callable[[Any], tuple[str, ...]] = no_hints
    from_file: Callable[[Mapping[str, Any], str, str], FileBody | str | None] | None = None
