"""Every host's file against the Procfile: the same roles, hook, health, time to stop, variables."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from honcho.environ import parse_procfile

from bridge.config import load
from bridge.web.server import settings

ROOT = Path(__file__).parents[2]
PROCFILE = parse_procfile((ROOT / "Procfile").read_text(encoding="utf-8")).processes
ROLES = {"web": PROCFILE["web"], "worker": PROCFILE["worker"]}
HEALTH = "/healthz"
# Providers' secrets and Heap's app, which an operator is asked for.
ASKED = {
    *("HEAP_APP_ID", "HEAP_API_URL", "STRIPE_WEBHOOK_SECRET", "STRIPE_API_KEY"),
    *("SHOPIFY_WEBHOOK_SECRET", "SHOPIFY_SHOP", "SHOPIFY_ACCESS_TOKEN"),
}


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def stops_in_time(seconds: Any) -> bool:
    """A number, not a text: longer than the 25 seconds in which every process ends."""
    return isinstance(seconds, int) and seconds > 25


def test_the_procfile_has_the_three_roles():
    commands = {"web": "web", "worker": "worker", "release": "migrate"}
    assert {role: f"python -m bridge {what}" for role, what in commands.items()} == PROCFILE


def test_heroku():
    app = json.loads(read("app.json"))
    assert app["formation"].keys() == ROLES.keys()
    # An Eco dyno sleeps.
    assert {one["size"] for one in app["formation"].values()} == {"basic"}
    # The add-on sets DATABASE_URL, the platform PORT; the release phase and both roles are the
    # Procfile's own. Heroku always waits 30 seconds.
    assert [one["plan"] for one in app["addons"]] == ["heroku-postgresql:essential-0"]
    assert set(app["env"]) == ASKED | {"BRIDGE_SINCE"}
    assert "scripts" not in app


def test_render():
    blueprint = yaml.safe_load(read("render.yaml"))
    services = {one["type"]: one for one in blueprint["services"]}
    assert {type_: one["startCommand"] for type_, one in services.items()} == ROLES
    (database,) = blueprint["databases"]
    for one in services.values():
        assert stops_in_time(one["maxShutdownDelaySeconds"])
        assert one["plan"] != "free"
        assert one["buildCommand"] == "pip install --require-hashes -r requirements.txt"
        given = {variable["key"]: variable for variable in one["envVars"]}
        assert set(given) == ASKED | {"DATABASE_URL"}
        from_ = given["DATABASE_URL"]["fromDatabase"]
        assert from_ == {"name": database["name"], "property": "connectionString"}
    web, worker = services["web"], services["worker"]
    assert web["preDeployCommand"] == PROCFILE["release"]
    assert "preDeployCommand" not in worker
    assert web["healthCheckPath"] == HEALTH
    for variable in worker["envVars"]:
        if variable["key"] != "DATABASE_URL":
            told = variable["fromService"]
            assert told == {"type": "web", "name": web["name"], "envVarKey": variable["key"]}


def test_fly():
    app = tomllib.loads(read("fly.toml"))
    assert app["processes"] == ROLES
    assert app["deploy"]["release_command"] == PROCFILE["release"]
    assert app["kill_signal"] == "SIGTERM"
    assert stops_in_time(app["kill_timeout"])
    service = app["http_service"]
    assert service["processes"] == ["web"]
    assert int(app["env"]["PORT"]) == service["internal_port"]
    assert service["auto_stop_machines"] == "off"
    assert [one["path"] for one in service["checks"]] == [HEALTH]
    assert (ROOT / app["build"]["dockerfile"]).is_file()


def test_railway():
    web, worker = (json.loads(read(name)) for name in ("railway.json", "railway.worker.json"))
    for role, config in (("web", web), ("worker", worker)):
        assert config["deploy"]["startCommand"] == ROLES[role]
        assert stops_in_time(config["deploy"]["drainingSeconds"])
        assert (ROOT / config["build"]["dockerfilePath"]).is_file()
    assert web["deploy"]["preDeployCommand"] == [PROCFILE["release"]]
    assert "preDeployCommand" not in worker["deploy"]
    assert web["deploy"]["healthcheckPath"] == HEALTH


def test_the_image_is_webs_and_not_roots():
    lines = dockerfile()
    assert lines[-1][0] == "CMD"
    assert ROLES["web"] == " ".join(json.loads(lines[-1][1]))
    assert lines.index(("USER", "bridge")) < min(
        number for number, (word, _) in enumerate(lines) if word in {"COPY", "CMD"}
    )
    health = next(rest for word, rest in lines if word == "HEALTHCHECK")
    assert HEALTH in health
    assert "PORT" in health
    assert ("STOPSIGNAL", "SIGTERM") in lines
    version = read(".python-version").strip()
    assert ("FROM", f"python:{version}-slim") == lines[0]
    # Only what the build is sent can be copied.
    sent = {
        line.removeprefix("!") for line in read(".dockerignore").splitlines() if line[:1] == "!"
    }
    copied = {rest.split()[-2] for word, rest in lines if word == "COPY"}
    assert copied == sent


def dockerfile() -> list[tuple[str, str]]:
    text = read("Dockerfile").replace("\\\n", " ")
    lines = (line.strip() for line in text.splitlines())
    return [
        (word, rest)
        for line in lines
        if line and not line.startswith("#")
        for word, _, rest in [line.partition(" ")]
    ]


def test_one_file_only_says_what_is_installed():
    # Heroku's build stops where it finds two.
    others = ("uv.lock", "poetry.lock", "Pipfile", "Pipfile.lock", "runtime.txt", "setup.py")
    assert [name for name in others if (ROOT / name).exists()] == []
    assert re.fullmatch(r"3\.\d+\n", read(".python-version"))


@pytest.mark.parametrize("database", ["sqlite:///x.db", "postgresql://user:x@host/name"])
def test_gunicorn_ends_before_any_host_kills(tmp_path, database):
    config = load({"HEAP_APP_ID": "1", "DATABASE_URL": database}, tmp_path)
    given = settings(config, "127.0.0.1:1")
    assert given["graceful_timeout"] == 20
    # Heroku's router keeps an idle connection for 90 seconds.
    assert given["keepalive"] == 95
