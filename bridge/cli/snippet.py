"""`bridge snippet`: the browser's side, to be pasted into the merchant's own pages."""

from collections.abc import Iterator, Mapping

import click

from bridge.cli import paper
from bridge.cli.opened import configured
from bridge.config import Config, EventNames, values
from bridge.config.faults import Unfit
from bridge.errors import ConfigurationError
from bridge.storefront import Snippet, snippets

_NO_APP_ID = (
    "HEAP_APP_ID: not set; a snippet reads what one Heap environment has stored: set it, or give "
    "--app-id"
)
_NOTHING_LEFT = (
    "note: the bridge sends Order and Purchase itself, so this snippet sends neither; set "
    "HEAP_ORDER_EVENT or HEAP_PURCHASE_EVENT to nothing, for the bridge too, and print it again"
)
_OWN_IDS = (
    "note: BRIDGE_CUSTOMER_ID_FIELD is set, and the pixel knows only the site's own identity and "
    "the email: have identityOf give that id"
)


def snippet(name: str | None, app_id: str | None, source: str | None, *, as_json: bool) -> None:
    """List the snippets, or print one; exit 2 where nothing says for which Heap environment."""
    if name is None:
        _list(as_json=as_json)
        return
    config = configured()
    known = snippets(hashed=config.hash_identity)
    if name not in known:
        raise click.BadParameter(f"one of {', '.join(known)}", param_hint="NAME")
    one = known[name]
    text = one.written(_told(config, _app_id(app_id), source))
    for note in _notes(config, one):
        click.echo(note, err=True)
    if as_json:
        paper.as_json({"name": one.name, "about": one.about, "text": text})
    else:
        click.echo(text, nl=False)


def _list(*, as_json: bool) -> None:
    every = [(one.name, one.about) for one in snippets().values()]
    if as_json:
        paper.as_json([{"name": name, "about": about} for name, about in every])
    else:
        paper.table("Snippets", ("name", "for"), every)


def _told(config: Config, app_id: str | None, source: str | None) -> Mapping[str, str]:
    """Return what is filled in; the browser sends the events that the bridge does not."""
    if source is not None and source not in config.sources:
        raise click.BadParameter("no such source is configured", param_hint="--source")
    of = config.sources[source] if source else config
    app_id = app_id or of.destination.app_id
    if app_id is None:
        raise ConfigurationError([_NO_APP_ID])
    names = EventNames()
    return {
        "app_id": app_id,
        "order_event": "" if config.names.order else str(names.order),
        "purchase_event": "" if config.names.purchase else str(names.purchase),
        "email": of.email_case,
        "cdn": f"cdn.{'eu' if '.eu.' in of.destination.url else 'us'}.heap-api.com",
    }


def _app_id(given: str | None) -> str | None:
    try:
        return None if given is None else values.app_id(given)
    except Unfit as unfit:
        raise click.BadParameter(unfit.wanted, param_hint="--app-id") from None


def _notes(config: Config, one: Snippet) -> Iterator[str]:
    if one.name == "purchases" and config.names.order and config.names.purchase:
        yield _NOTHING_LEFT
    if one.name == "shopify-pixel" and config.customer_id_field:
        yield _OWN_IDS
