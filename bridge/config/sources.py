"""Make sources: what the variables and a table of bridge.toml have in common."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeVar

from pydantic import BaseModel, SecretStr

from adapters.contract import Adapter
from bridge.config import values
from bridge.config.faults import ConfigErrors
from bridge.config.options import options, variable
from bridge.config.secrets import secrets
from bridge.config.settings import Destination, EmailCase, NoIdentity, Source
from bridge.config.variables import Variables

_T = TypeVar("_T")
_D = TypeVar("_D")

# Key of a source in bridge.toml -> the variable that holds it for every source.
_VARIABLES = {
    "heap_app_id": "HEAP_APP_ID",
    "heap_api_url": "HEAP_API_URL",
    "since": "BRIDGE_SINCE",
    "no_identity": "BRIDGE_NO_IDENTITY",
    "email_case": "BRIDGE_EMAIL_CASE",
    "send_test_orders": "BRIDGE_SEND_TEST_ORDERS",
}
CHOICES = frozenset(_VARIABLES)


class ReadSetting(Protocol):
    """Read the value under a key; the default where it is not set or unfit."""

    def __call__(self, key: str, reader: Callable[[Any], _T], default: _D) -> _T | _D:
        """Read it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What the operator chooses per source, with the variables as the default for all."""

    destination: Destination
    since: datetime | None = None
    no_identity: NoIdentity = "pseudonym"
    email_case: EmailCase = "lower"
    send_test_orders: bool = False

    def read(self, read: ReadSetting) -> "Choices":
        """Read each choice by its key; these are the defaults."""
        common = self.destination
        return Choices(
            destination=Destination(
                app_id=read("heap_app_id", values.app_id, common.app_id),
                url=read("heap_api_url", values.heap_url, common.url),
            ),
            since=read("since", values.moment, self.since),
            no_identity=read("no_identity", values.no_identity, self.no_identity),
            email_case=read("email_case", values.email_case, self.email_case),
            send_test_orders=read("send_test_orders", values.switch, self.send_test_orders),
        )

    def of_variables(self, variables: Variables) -> "Choices":
        """Read each choice from its variable."""

        def read(key: str, reader: Callable[[Any], _T], default: _D) -> _T | _D:
            return variables.read(_VARIABLES[key], reader, default)

        return self.read(read)

    def source(
        self,
        name: str,
        adapter: Adapter,
        verified_by: tuple[SecretStr, ...],
        settings: BaseModel,
    ) -> Source:
        """Make a source with these choices; its settings may name its account."""
        account = adapter.conventions.account_setting
        return Source(
            name=name,
            adapter=adapter,
            secrets=verified_by,
            account=getattr(settings, account) if account else None,
            settings=settings,
            destination=self.destination,
            since=self.since,
            no_identity=self.no_identity,
            email_case=self.email_case,
            send_test_orders=self.send_test_orders,
        )


def of_variables(
    adapters: Mapping[str, Adapter], variables: Variables, choices: Choices, faults: ConfigErrors
) -> list[Source]:
    """Read the source of each adapter whose webhook secret is set."""
    read = (_of_variables(adapter, variables, choices, faults) for adapter in adapters.values())
    return [source for source in read if source]


def _of_variables(
    adapter: Adapter, variables: Variables, choices: Choices, faults: ConfigErrors
) -> Source | None:
    def called(field: str) -> str:
        return variable(adapter, field)

    secret = called("webhook_secret")
    verified_by = variables.read(secret, lambda value: secrets(value, adapter), default=())
    given = variables.some({field: called(field) for field in adapter.settings.model_fields})
    settings = options(adapter, given, called, faults)
    if verified_by:
        return choices.source(adapter.name, adapter, verified_by, settings)
    account = adapter.conventions.account_setting
    if account in given and not variables.text(secret):
        faults.warn(called(account), f"has no effect without {secret}")
    return None
