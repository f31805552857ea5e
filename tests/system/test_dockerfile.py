"""The Dockerfile's steps, one by one, in a fresh folder as another user: no engine builds here."""

import json
import os
import pwd
import shlex
import shutil
import subprocess
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.processes.plugin import Processes

ROOT = Path(__file__).parents[2]
HOME = "/home/bridge"
USER = "nobody"


class Image:
    """A folder in place of the image, and the Dockerfile's words carried out in it."""

    def __init__(self, folder: Path, python: str) -> None:
        self.folder = folder
        self.python = python
        self.where = folder
        self.environ = {"PATH": "/usr/bin:/bin", "HOME": str(folder)}
        self.rights: dict[str, Any] = {}
        self.command: list[str] = []
        self.health: list[str] = []
        if os.getuid() == 0:
            user = pwd.getpwnam(USER)
            self.rights = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
            shutil.chown(folder, user.pw_uid, user.pw_gid)

    def here(self, text: str) -> str:
        return text.replace(HOME, str(self.folder))

    def build(self, lines: Iterator[tuple[str, str]]) -> None:
        started = False
        for word, rest in lines:
            # What stands before is root's: the base image, and the user that is made.
            started = started or word == "USER"
            if started:
                getattr(self, f"_{word.lower()}")(rest)

    def run(self, command: list[str], **environ: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            command,
            cwd=self.where,
            env=self.environ | environ,
            check=False,
            capture_output=True,
            timeout=300,
            **self.rights,
        )

    def _user(self, name: str) -> None:
        assert name not in {"root", "0"}

    def _workdir(self, path: str) -> None:
        self.where = Path(self.here(path))
        self.where.mkdir()
        if self.rights:
            shutil.chown(self.where, self.rights["user"], self.rights["group"])

    def _env(self, pairs: str) -> None:
        for pair in shlex.split(self.here(pairs)):
            name, _, value = pair.partition("=")
            self.environ[name] = value.replace("$PATH", self.environ["PATH"])

    def _copy(self, rest: str) -> None:
        chown, *sources, target = rest.split()
        assert chown == "--chown=bridge:bridge"
        for source in sources:
            # As the repository holds it, without what lies about in this folder.
            listed = subprocess.run(
                ["git", "ls-files", "-z", source], cwd=ROOT, capture_output=True, check=True
            ).stdout.decode()
            for name in filter(None, listed.split("\0")):
                inside = Path(name).relative_to(source) if name != source else Path(source)
                to = self.where / target / inside
                self._folders(to.parent)
                shutil.copy(ROOT / name, to)
                self._own(to)

    def _folders(self, folder: Path) -> None:
        if not folder.exists():
            self._folders(folder.parent)
            folder.mkdir()
            self._own(folder)

    def _own(self, path: Path) -> None:
        if self.rights:
            shutil.chown(path, self.rights["user"], self.rights["group"])

    def _run(self, command: str) -> None:
        # Before its own environment is there, the image's Python is the system's.
        words = shlex.split(self.here(command))
        if words[0] == "python" and not (self.folder / "venv").exists():
            words[0] = self.python
        done = self.run(words)
        assert done.returncode == 0, f"{command}: {done.stderr.decode()[-2000:]}"

    def _expose(self, _port: str) -> None:
        pass

    def _stopsignal(self, name: str) -> None:
        assert name == "SIGTERM"

    def _healthcheck(self, rest: str) -> None:
        self.health = json.loads(rest.partition("CMD ")[2])

    def _cmd(self, rest: str) -> None:
        self.command = json.loads(rest)


@pytest.fixture
def image() -> Iterator[Image]:
    python = shutil.which("python3", path="/usr/bin")
    # One that the other user can run too, as the image's is.
    assert python, "python3 is not installed: it is in Debian's python3-venv"
    # Not pytest's folder, which is for the tests' user alone.
    with tempfile.TemporaryDirectory(prefix="bridge-image-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        found = Image(folder, python)
        text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
        lines = [line for line in text.splitlines() if line and not line.startswith("#")]
        found.build((word, rest) for line in lines for word, _, rest in [line.partition(" ")])
        yield found


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_image_migrates_serves_and_is_healthy(image: Image, processes: Processes) -> None:
    environ = {
        "PORT": str(processes.port),
        "DATABASE_URL": f"sqlite:///{image.folder}/bridge.db",
        "HEAP_APP_ID": "1234567890",
        "SHOPIFY_WEBHOOK_SECRET": "of-the-image",
    }
    # As the hosts' files run it: the same words behind another role.
    assert image.run([*image.command[:-1], "migrate"], **environ).returncode == 0
    web = subprocess.Popen(
        image.command, cwd=image.where, env=image.environ | environ, **image.rights
    )
    try:
        processes.until_alive()
        assert image.run(image.health, **environ).returncode == 0
        with urllib.request.urlopen(f"http://127.0.0.1:{processes.port}/readyz") as answer:
            assert answer.status == 200
    finally:
        web.terminate()
        assert web.wait(25) == 0
    assert image.run(image.health, **environ).returncode != 0
