"""Read the whole configuration and tell every fault of it at once."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from adapters.registry import adapters, providers
from bridge.config import database, values
from bridge.config.faults import ConfigErrors, either
from bridge.config.file import of_file
from bridge.config.options import variable
from bridge.config.order_fields import customer_field, extra_names
from bridge.config.settings import Config, Destination, EventNames, Source
from bridge.config.sources import Choices, of_variables
from bridge.config.variables import Variables

_HEAP = "https://heapanalytics.com"
_FILE = "bridge.toml"
_NO_APP_ID = (
    "not set; write the id of your Heap environment, digits only (in Heap under Account, Manage, "
    "Projects)"
)
_PROCESSES = "a number of web processes, 1 to 64"
_FEWEST = 6
_CONNECTIONS = f"the number of connections that the database allows, {_FEWEST} or more"
_DAYS = values.whole("a whole number of days, 1 to 36500", 1, 36_500)


def load(environ: Mapping[str, str], folder: Path, *, to_heap: bool = False) -> Config:
    """Read the variables, and bridge.toml where it exists.

    folder: where bridge.toml and a relative SQLite path are looked for.
    to_heap: every source needs a Heap environment, because there is no sandbox to deliver to.
    Raises ConfigurationError with every fault at once.
    """
    faults = ConfigErrors()
    known = adapters().values()
    variables = Variables(environ, faults)
    url = _database_url(variables, environ, folder, faults)
    choices = Choices(destination=Destination(app_id=None, url=_HEAP)).of_variables(variables)
    sources = _sources(variables, folder, choices, faults)
    on_sqlite = url.startswith("sqlite")
    web = _web_concurrency(variables, faults, on_sqlite=on_sqlite)
    config = Config(
        database_url=url,
        database_connections=_connections(variables, faults, web, on_sqlite=on_sqlite),
        port=variables.read("PORT", values.whole("a port, 1 to 65535", 1, 65535), 8000),
        web_concurrency=web,
        sources=MappingProxyType({source.name: source for source in sources}),
        destination=choices.destination,
        email_case=choices.email_case,
        names=_names(variables, faults),
        # Heap takes 15,000 a minute for everything that writes to an app; some room is left.
        events_per_minute=variables.read(
            "HEAP_EVENTS_PER_MINUTE", values.whole("a whole number, 1 or more", 1, 10**9), 14_000
        ),
        alert_url=variables.read("BRIDGE_ALERT_URL", values.alert_url, None),
        heap_api_key=variables.read("HEAP_API_KEY", values.api_key, None),
        erase_at_heap=variables.read("BRIDGE_ERASE_AT_HEAP", values.erase_at_heap, default=False),
        customer_id_field=variables.read("BRIDGE_CUSTOMER_ID_FIELD", customer_field(known), None),
        hash_identity=variables.read("BRIDGE_HASH_IDENTITY", values.switch, default=False),
        extra_properties=variables.read("BRIDGE_EXTRA_PROPERTIES", extra_names(known), default=()),
        user_properties=variables.read("HEAP_USER_PROPERTIES", values.switch, default=False),
        identify=variables.read("HEAP_IDENTIFY", values.switch, default=False),
        payload_days=variables.read("BRIDGE_PAYLOAD_DAYS", _DAYS, 30),
        ledger_days=variables.read("BRIDGE_LEDGER_DAYS", _DAYS, 400),
        hosted=database.host(environ),
        warnings=(),
    )
    sandbox = any(one.is_sandbox for one in config.destinations)
    if to_heap and sandbox and not variables.text("HEAP_APP_ID"):
        faults.add("HEAP_APP_ID", _NO_APP_ID)
    if config.ledger_days < config.payload_days:
        faults.add(
            "BRIDGE_LEDGER_DAYS",
            f"is {config.ledger_days}; an order's details are kept at least as long as payloads "
            f"(BRIDGE_PAYLOAD_DAYS is {config.payload_days})",
        )
    faults.tell()
    if config.erase_at_heap and config.heap_api_key is None:
        faults.warn("BRIDGE_ERASE_AT_HEAP", "no user is deleted at Heap before HEAP_API_KEY is set")
    if not sources:
        secrets = [variable(adapter, "webhook_secret") for adapter in providers()]
        faults.warn("no source", f"set {either(secrets)}")
    prefixes = (variable(adapter, "") for adapter in known)
    variables.warn_of_misspelled(("BRIDGE_", "HEAP_", *prefixes))
    return replace(config, warnings=tuple(faults.warnings))


def _database_url(
    variables: Variables, environ: Mapping[str, str], folder: Path, faults: ConfigErrors
) -> str:
    given = variables.text("DATABASE_URL") or database.DEFAULT
    url = faults.read("DATABASE_URL", given, lambda text: database.database_url(text, folder), "")
    allowed = variables.read("BRIDGE_ALLOW_EPHEMERAL", values.switch, default=False)
    problem = None if allowed else database.why_not_kept(environ, url)
    if problem:
        faults.add("DATABASE_URL", problem)
    return url


def _web_concurrency(variables: Variables, faults: ConfigErrors, *, on_sqlite: bool) -> int:
    asked = variables.read("WEB_CONCURRENCY", values.whole(_PROCESSES, 1, 64), None)
    if not on_sqlite:
        return asked or 2
    if asked and asked > 1:
        faults.warn("WEB_CONCURRENCY", f"is {asked}, but on SQLite there is one web process")
    return 1


def _connections(
    variables: Variables, faults: ConfigErrors, web_concurrency: int, *, on_sqlite: bool
) -> int:
    name = "BRIDGE_DB_CONNECTIONS"
    allowed = variables.read(name, values.whole(_CONNECTIONS, _FEWEST, 10_000), 20)
    # Two for each web process and a worker, one to migrate, one for a command.
    needed = 2 * web_concurrency + 4
    if not on_sqlite and allowed < needed:
        faults.warn(
            name,
            f"is {allowed}, but WEB_CONCURRENCY={web_concurrency} and a worker need {needed}; "
            "those for which there is no room wait",
        )
    return allowed


def _names(variables: Variables, faults: ConfigErrors) -> EventNames:
    names = EventNames(
        order=variables.named("HEAP_ORDER_EVENT", values.event_name, "Order"),
        purchase=variables.named("HEAP_PURCHASE_EVENT", values.event_name, "Purchase"),
        change=variables.named("HEAP_CHANGE_EVENT", values.event_name, "Order Changed"),
        refund=variables.named("HEAP_REFUND_EVENT", values.event_name, "Refund"),
        refunded_item=variables.named(
            "HEAP_REFUNDED_ITEM_EVENT", values.event_name, "Refunded Item"
        ),
        cancellation=variables.named(
            "HEAP_CANCELLATION_EVENT", values.event_name, "Order Cancelled"
        ),
    )
    if names.order is not None and names.order == names.purchase:
        faults.warn("HEAP_PURCHASE_EVENT", "named like HEAP_ORDER_EVENT; sums count money twice")
    return names


def _sources(
    variables: Variables, folder: Path, choices: Choices, faults: ConfigErrors
) -> list[Source]:
    known = adapters()
    named = variables.text("BRIDGE_CONFIG")
    path = folder / (named or _FILE)
    sources = of_variables(known, variables, choices, faults)
    if named or path.exists():
        sources += of_file(path, known, variables, choices, faults)
    return sources
