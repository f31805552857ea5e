import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

import bridge
from bridge.store.engine import REVISION

ROOT = Path(bridge.__file__).parents[1]
NO_APP_ID = (
    "HEAP_APP_ID: not set; write the id of your Heap environment, digits only (in Heap under "
    "Account, Manage, Projects)\n"
)


@pytest.mark.parametrize(
    "command", [["web"], ["worker"], ["serve", "--host", "192.0.2.1"]], ids=lambda words: words[0]
)
def test_without_an_app_id_nothing_starts_that_could_not_deliver(run, command):
    told = run(*command)
    assert (told.exit_code, told.stdout, told.stderr) == (2, "", NO_APP_ID)


def test_serve_wants_an_app_id_on_a_known_host(run, monkeypatch):
    monkeypatch.setenv("DYNO", "web.1")
    monkeypatch.setenv("DATABASE_URL", "postgres://u:p@127.0.0.1:1/bridge")
    told = run("serve")
    assert (told.exit_code, told.stderr) == (2, NO_APP_ID)


def test_every_fault_is_told_at_once_and_no_secret_with_it(run, monkeypatch):
    monkeypatch.setenv("PORT", "0")
    monkeypatch.setenv("HEAP_API_URL", "http://heap.example")
    monkeypatch.setenv("STRIPE_WEBHOOK_SECRET", "sk_live_not_this")
    told = run("web")
    assert told.exit_code == 2
    assert sorted(line.partition(":")[0] for line in told.stderr.splitlines()) == [
        "HEAP_API_URL",
        "HEAP_APP_ID",
        "PORT",
        "STRIPE_WEBHOOK_SECRET",
    ]
    assert "not_this" not in told.output


def test_web_tells_of_a_number_of_processes_that_is_none(tmp_path):
    told = subprocess.run(
        [sys.executable, "-m", "bridge", "web"],
        env={"PYTHONPATH": str(ROOT), "WEB_CONCURRENCY": "two", "HEAP_APP_ID": "12345"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (told.returncode, told.stderr) == (
        2,
        "WEB_CONCURRENCY: a number of web processes, 1 to 64; it is 'two'\n",
    )


@pytest.mark.parametrize(
    "command", ["status", "events", "parked", "replay --parked", "show e1", "erasures", "backup"]
)
def test_a_database_that_is_not_there_is_named_and_not_made(run, command, tmp_path):
    told = run(*command.split())
    assert (told.exit_code, told.stdout) == (2, "")
    assert told.stderr == (
        f"DATABASE_URL: there is no database at {tmp_path}/bridge.db yet: `bridge serve` or "
        "`bridge migrate` makes it\n"
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["status", "events", "parked", "replay --parked", "show e1"])
def test_a_database_without_tables_names_the_command_that_helps(run, command, tmp_path):
    (tmp_path / "bridge.db").touch()
    told = run(*command.split())
    assert (told.exit_code, told.stdout) == (2, "")
    assert told.stderr.splitlines() == [
        f"the database has schema none, this release needs {REVISION}: run `bridge migrate`"
    ]


@pytest.mark.parametrize("command", ["status", "migrate"])
def test_a_database_that_is_away_is_told_in_words(run, monkeypatch, command):
    monkeypatch.setenv("DATABASE_URL", "postgres://user:hidden@127.0.0.1:1/bridge")
    told = run(command)
    assert (told.exit_code, told.stdout) == (1, "")
    assert told.stderr == (
        "the database does not answer: look at DATABASE_URL, and whether it runs\n"
    )


def test_a_folder_that_is_not_there_is_a_fault_of_configuration(run, monkeypatch, tmp_path):
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/nowhere/bridge.db")
    told = run("migrate")
    assert (told.exit_code, told.stdout) == (2, "")
    assert told.stderr.startswith("DATABASE_URL: the folder of ")


@pytest.mark.parametrize(
    "command",
    [
        "replay",
        "replay e1 --parked",
        "show",
        "events --limit 0",
        "events --state lost",
        "send-sample nobody --list",
        "send-sample example no-such-sample",
        "send-sample example --to ftp://bridge.example",
        "check --url bridge.example",
        "web --sandbox-url https://elsewhere.example",
        "sandbox --port 99999",
        "nothing",
    ],
)
def test_wrong_use_ends_with_2(run, monkeypatch, command):
    monkeypatch.setenv("EXAMPLE_WEBHOOK_SECRET", "example-cli")
    told = run(*command.split())
    assert (told.exit_code, told.stdout) == (2, "")
    assert told.stderr


def test_a_sample_needs_the_secret_to_sign_with(run):
    told = run("send-sample", "stripe")
    assert (told.exit_code, told.stdout) == (2, "")
    assert told.stderr == (
        "STRIPE_WEBHOOK_SECRET: not set; samples are signed with the secret that the bridge "
        "verifies with\n"
    )


@pytest.mark.parametrize("command", ["migrate", "status", "check", "parked", "copy", "backup"])
def test_a_database_from_before_the_baseline_is_refused_by_every_command(run, command, tmp_path):
    path = tmp_path / "bridge.db"
    with closing(sqlite3.connect(path)) as old:
        old.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
        old.execute("INSERT INTO alembic_version VALUES ('0009')")
        old.commit()
    more = {
        "copy": [f"sqlite:///{path}", f"sqlite:///{tmp_path}/new.db"],
        "backup": [str(tmp_path / "file.db")],
    }

    result = run(command, *more.get(command, []))

    assert (result.exit_code, result.stdout) == (2, "")
    # `bridge copy` draws its bars first.
    refusal = result.stderr.splitlines()[-1]
    assert refusal.startswith("the database has schema 0009, made by code older than")
    assert "neither `bridge migrate` nor `bridge copy` can bring it over" in refusal
    with closing(sqlite3.connect(path)) as old:
        assert old.execute("SELECT name FROM sqlite_schema").fetchall() == [("alembic_version",)]
