import subprocess
import sys

import pytest

from bridge.cli import main

COMMANDS = (
    "serve web worker migrate check status events show replay parked send-sample sandbox demo "
    "snippet erasures backup copy"
).split()
LISTING = "check status events show replay parked send-sample snippet erasures".split()


def test_the_commands_are_these(run):
    assert list(main.commands) == COMMANDS
    told = run("--help")
    assert (told.exit_code, told.stderr) == (0, "")
    assert all(f"\n  {name} " in told.stdout for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_that_fits_a_line(run, name):
    told = run(name, "--help")
    assert told.exit_code == 0
    assert "..." not in main.commands[name].get_short_help_str(61)
    assert ("--json" in told.stdout) == (name in LISTING)
    assert "sandbox-url" not in told.stdout


def test_help_is_quick_because_it_imports_nothing_heavy():
    heavy = ["sqlalchemy", "pydantic", "flask", "gunicorn", "requests", "rich", "adapters"]
    program = (
        "import sys\n"
        "from bridge.cli import main\n"
        "main(['serve', '--help'], standalone_mode=False)\n"
        f"print([name for name in {heavy} if name in sys.modules])\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert told.stdout.splitlines()[-1] == "[]"
