"""`bridge send-sample`: post samples as their provider would, signed and dated today."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from http import HTTPStatus
from urllib.parse import urlsplit

import click
import requests

from adapters.contract import Adapter, SignedRequest
from adapters.registry import adapters
from bridge.cli import paper
from bridge.cli.group import WRONG
from bridge.cli.opened import configured
from bridge.config import Config, Source
from bridge.errors import ConfigurationError
from bridge.tools.samples import Fixture, fixtures, fresh

_TIMEOUT = (3.05, 30)


@dataclass(frozen=True, slots=True)
class PostResult:
    """What a bridge answered to one event of a sample. status: None where nothing answered."""

    sample: str
    topic: str
    status: int | None
    text: str


def send(provider: str, sample: str | None, to: str | None, *, as_json: bool) -> None:
    """Send one sample, or all; exit 1 where any event was not answered 200."""
    adapter = _adapter(provider)
    chosen = _chosen(adapter, sample)
    config = configured()
    source = source_of(config, adapter)
    base = _base(to) if to else f"http://127.0.0.1:{config.port}"
    with requests.Session() as session:
        session.trust_env = False
        answers = [a for sample in chosen for a in post(session, base, source, sample)]
    if as_json:
        paper.as_json(answers)
    else:
        paper.table(
            f"Sent to {base}{source.path}",
            ("sample", "topic", "status", "answer"),
            [(one.sample, one.topic, one.status, one.text) for one in answers],
            right=("status",),
        )
        if any(one.status is None for one in answers):
            paper.say(f"Nothing answers at {base}: `bridge serve` starts a bridge.")
    if any(one.status != HTTPStatus.OK for one in answers):
        sys.exit(WRONG)


def list_samples(provider: str, *, as_json: bool) -> None:
    """List the samples of a provider."""
    told = fixtures(_adapter(provider))
    if as_json:
        paper.as_json(
            [{"sample": one.name, "about": one.about, "events": len(one.events)} for one in told]
        )
        return
    paper.table(
        f"Samples of {provider}",
        ("sample", "events", "about"),
        [(one.name, len(one.events), one.about) for one in told],
        right=("events",),
    )


def source_of(config: Config, adapter: Adapter) -> Source:
    """Return the source to send as: that of the variables, else the first of bridge.toml.

    Raises ConfigurationError where there is none, because only its secret can sign.
    """
    own = [one for one in config.sources.values() if one.adapter.name == adapter.name]
    for source in sorted(own, key=lambda one: one.name != adapter.name):
        return source
    variable = f"{adapter.name}_WEBHOOK_SECRET".upper().replace("-", "_")
    raise ConfigurationError(
        [f"{variable}: not set; samples are signed with the secret that the bridge verifies with"]
    )


def post(
    session: requests.Session, base: str, source: Source, sample: Fixture
) -> Iterator[PostResult]:
    """Post a story's events in their order. base: scheme and host of the bridge."""
    for event in sample.events:
        now = datetime.now(UTC)
        # Without a configured shop none is named: the first that is named would be kept as the
        # source's own, and the real shop's deliveries then parked.
        account = source.account if source.adapter.one_account else event.account
        today = replace(event, body=fresh(event.body, now.date()), account=account, signed_at=now)
        request = source.adapter.sign(today, source.secrets[0].get_secret_value())
        yield _post(session, base + source.path, request, sample.name, event.topic)


def _post(
    session: requests.Session, url: str, request: SignedRequest, sample: str, topic: str
) -> PostResult:
    headers = {**request.headers, "Content-Type": "application/json"}
    try:
        answer = session.post(
            url, data=request.body, headers=headers, timeout=_TIMEOUT, allow_redirects=False
        )
    except requests.RequestException as error:
        return PostResult(sample, topic, None, f"no answer ({type(error).__name__})")
    return PostResult(sample, topic, answer.status_code, answer.text.strip()[:200])


def _adapter(provider: str) -> Adapter:
    known = adapters()
    if provider not in known:
        raise click.BadParameter(f"one of {', '.join(known)}", param_hint="PROVIDER")
    return known[provider]


def _chosen(adapter: Adapter, sample: str | None) -> list[Fixture]:
    told = fixtures(adapter)
    chosen = [one for one in told if sample in (None, one.name)]
    if not chosen:
        names = ", ".join(one.name for one in told)
        raise click.BadParameter(f"one of {names}", param_hint="SAMPLE")
    return chosen


def _base(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise click.BadParameter("write https://…, or http://…", param_hint="--to")
    return url.rstrip("/")
