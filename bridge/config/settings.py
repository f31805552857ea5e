"""What the operator decided, as frozen values; nothing here reads the environment."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType
from typing import Literal

from pydantic import BaseModel, SecretStr

from adapters.contract import Adapter

EmailCase = Literal["lower", "keep"]
NoIdentity = Literal["pseudonym", "park"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Where events go: one Heap environment.

    app_id: its id, digits; None where none is set, and then only the sandbox takes events.
    url: without a slash at its end.
    """

    app_id: str | None
    url: str

    @property
    def is_sandbox(self) -> bool:
        """Whether there is no Heap app to deliver to, and a local sandbox takes the events."""
        return self.app_id is None

    @property
    def name(self) -> str:
        """What the store calls it; another app or another host is another destination."""
        return f"{self.app_id}@{self.url}" if self.app_id else "sandbox"


@dataclass(frozen=True, slots=True, kw_only=True)
class EventNames:
    """What the events are called at Heap; None switches one off."""

    order: str | None = "Order"
    purchase: str | None = "Purchase"
    change: str | None = "Order Changed"
    refund: str | None = "Refund"
    refunded_item: str | None = "Refunded Item"
    cancellation: str | None = "Order Cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One shop or account that sends webhooks.

    secrets: any of them may have signed a delivery.
    account: the shop it must be, in lower case; None where that is not fixed.
    settings: an instance of the adapter's `settings`.
    since: what happened before is recorded and not sent, UTC; None for the store's own default.
    """

    name: str
    adapter: Adapter
    secrets: tuple[SecretStr, ...]
    account: str | None
    settings: BaseModel
    destination: Destination
    since: datetime | None
    no_identity: NoIdentity
    email_case: EmailCase
    send_test_orders: bool

    @property
    def path(self) -> str:
        """Where its webhooks are posted."""
        provider = self.adapter.name
        own = "" if self.name == provider else f"/{self.name}"
        return f"/webhooks/{provider}{own}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The whole configuration; its repr shows no secret.

    database_url: as SQLAlchemy takes it: `sqlite:////…` or `postgresql+psycopg://…`.
    database_connections: what the database allows, over all processes.
    web_concurrency: web processes; 1 on SQLite whatever was asked for.
    sources: by name; those of the variables are named like their adapter.
    destination, email_case: as the variables have them; a source of bridge.toml may have its own.
    heap_api_key: only for deleting users. erase_at_heap: a customer's without the operator's word.
    customer_id_field: where the shop's own customer id stands; None where it is not used.
    hash_identity: the identity is a hash of the email, which then is told nowhere.
    extra_properties: names of values that are copied onto Order and Purchase.
    user_properties, identify: whether users are told of beside their orders, and their browsers.
    payload_days: so long bodies and sent bytes are kept of what is done with.
    ledger_days: so long an order's details are.
    hosted: the name of the host it runs on, where that is a known one.
    warnings: one sentence each, for the operator at start.
    """

    database_url: str = field(repr=False)
    database_connections: int
    port: int
    web_concurrency: int
    sources: Mapping[str, Source]
    destination: Destination
    email_case: EmailCase
    names: EventNames
    events_per_minute: int
    alert_url: str | None = field(repr=False)
    heap_api_key: str | None = field(repr=False)
    erase_at_heap: bool
    customer_id_field: str | None
    hash_identity: bool
    extra_properties: tuple[str, ...]
    user_properties: bool
    identify: bool
    payload_days: int
    ledger_days: int
    hosted: str | None
    warnings: tuple[str, ...]

    @property
    def on_sqlite(self) -> bool:
        """Whether the database is one file on this machine."""
        return self.database_url.startswith("sqlite")

    @property
    def destinations(self) -> tuple[Destination, ...]:
        """Every destination that a source names, each once; the common one without sources."""
        named = (source.destination for source in self.sources.values())
        return tuple(dict.fromkeys(named)) or (self.destination,)

    def with_sandbox(self, url: str) -> "Config":
        """Deliver to a sandbox at this address wherever no Heap environment is set."""

        def turned(one: Destination) -> Destination:
            return Destination(app_id=None, url=url) if one.is_sandbox else one

        sources = {
            name: replace(source, destination=turned(source.destination))
            for name, source in self.sources.items()
        }
        return replace(
            self,
            sources=MappingProxyType(sources),
            destination=turned(self.destination),
        )
