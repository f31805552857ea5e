"""What stands in the log, for machines and for people."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

SCRIPT = """
import logging
from bridge.errors import StoreUnavailable
from bridge.logs import configure, logger

configure()
log = logger()
log.info("stored", source="eu\\r\\nFAKE line", count=2)
logging.getLogger("library").warning("from %s", "elsewhere\\nFAKE")
logging.getLogger("library").info("chatter")

def refuse():
    raise ValueError("canary@example.com")

try:
    refuse()
except ValueError:
    log.exception("failed")
try:
    try:
        refuse()
    except ValueError as cause:
        raise StoreUnavailable("disk") from cause
except StoreUnavailable as error:
    log.warning("not stored", exc_info=error)
"""
ENVIRON = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "TERM": "dumb"}
COMMAND = [sys.executable, "-c", SCRIPT]


def test_a_log_line_is_one_json_object_without_an_exceptions_own_text() -> None:
    ran = subprocess.run(COMMAND, env=ENVIRON, capture_output=True, text=True, check=True)
    lines = [json.loads(line) for line in ran.stdout.splitlines()]
    for line in lines:
        assert line.pop("timestamp").endswith("Z")
    assert lines == [
        {"event": "stored", "level": "info", "source": "eu\r\nFAKE line", "count": 2},
        {"event": "from elsewhere\nFAKE", "level": "warning", "logger": "library"},
        {
            "event": "failed",
            "level": "error",
            "error": "ValueError",
            "places": ["<string>:16 <module>", "<string>:13 refuse"],
        },
        {
            "event": "not stored",
            "level": "warning",
            "error": "StoreUnavailable",
            "reason": "the store takes no writes now: disk",
            "cause": "ValueError",
            "places": ["<string>:23 <module>"],
        },
    ]
    assert ran.stderr == ""


def test_on_a_terminal_no_value_can_look_like_another_line() -> None:
    controlling, terminal = pty.openpty()
    ran = subprocess.run(COMMAND, env=ENVIRON, stdout=terminal, check=True)
    os.close(terminal)
    shown = os.read(controlling, 65_536).decode()
    os.close(controlling)
    lines = shown.splitlines()
    assert ran.returncode == 0
    assert len(lines) == 4
    assert "canary" not in shown
    assert "eu␍␊FAKE line" in lines[0]
    assert "from elsewhere␊FAKE" in lines[1]
