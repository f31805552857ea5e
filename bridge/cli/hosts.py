"""What known hosts do that an operator of the bridge must know, told by `bridge check`.

Source: the hosts' own pages on stopping, sleeping and routing, read November 2026.
"""

from collections.abc import Iterator, Mapping

import requests

from bridge.config import Config

_TRAPS = {
    "Heroku": (
        "no worker runs until it is scaled up (heroku ps:scale web=1 worker=1); Eco dynos sleep, "
        "and a sleeping one answers webhooks too late: take Basic or larger"
    ),
    "Render": (
        "free services sleep, and a sleeping one answers webhooks too late; they run no "
        "preDeployCommand either, so that `bridge migrate` is yours to run: take a paid plan"
    ),
    "Railway": (
        "a process that is replaced is killed at once unless drainingSeconds is at least 25, as "
        "railway.json has it; and a service with Serverless on sleeps: turn that off"
    ),
    "Cloud Run": (
        "an instance is killed 10 s after it was asked to stop, so what it was answering breaks "
        "off and comes again; and it has no CPU between requests: run the worker as a worker "
        "pool, or with CPU always allocated and at least one instance"
    ),
    "Fly.io": (
        "a machine is killed 5 s after it was asked to stop unless kill_timeout is at least 25, "
        "as fly.toml has it; and auto_stop_machines must be off: a stopped machine answers "
        "webhooks too late"
    ),
}
_GUNICORN = (
    "GUNICORN_CMD_ARGS is set and changes nothing here: keep-alive (95 s, longer than routers keep "
    "an idle connection), time limits and threads are the bridge's own, as docs/deploying.md says"
)
_TIMEOUT = (3.05, 10)


def notes(config: Config, environ: Mapping[str, str]) -> Iterator[str]:
    """Tell what this host does that matters here; nothing of it is a fault."""
    if config.hosted in _TRAPS:
        yield f"{config.hosted}: {_TRAPS[config.hosted]}"
    if environ.get("GUNICORN_CMD_ARGS"):
        yield _GUNICORN
    if config.hosted and config.on_sqlite:
        yield (
            f"SQLite on {config.hosted}: one machine alone, and the file must lie on a disk that "
            "is kept; back it up with `bridge backup`"
        )


def wrong_from_outside(url: str) -> Iterator[str]:
    """Ask the public address how the bridge is; it must answer itself, without a redirect."""
    with requests.Session() as session:
        session.trust_env = False
        try:
            answer = session.get(f"{url}/healthz", timeout=_TIMEOUT, allow_redirects=False)
        except requests.RequestException:
            yield f"--url: nothing answers at {url}"
            return
    if answer.is_redirect:
        yield f"--url: {url} redirects, which loses webhooks: give the address it leads to"
    elif answer.status_code != requests.codes.ok or answer.text.strip() != '{"status":"alive"}':
        yield f"--url: what answers at {url} is not the bridge (status {answer.status_code})"
