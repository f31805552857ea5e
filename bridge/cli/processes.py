"""Web and worker as child processes: started together, ended together."""

import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

import bridge

# A web process answers what it has in hand for at most 20 s before it ends.
_GRACE_SECONDS = 25.0
_LOOK_SECONDS = 0.1
_FOLDER = str(Path(bridge.__file__).parents[1])


class Processes:
    """The child processes of one command; each runs a command of the bridge.

    environ: theirs. folder: where they run.
    """

    def __init__(self, environ: Mapping[str, str], folder: Path) -> None:
        found = [_FOLDER, *filter(None, [environ.get("PYTHONPATH")])]
        # They run in another folder, where a bridge that is not installed is not found.
        self._environ = {**environ, "PYTHONPATH": os.pathsep.join(found)}
        self._folder = folder
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, *arguments: str, output: int | None = None) -> None:
        """Start `bridge NAME …`. output: where its lines go; this process's output if None."""
        self._running[name] = subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, "-m", "bridge", name, *arguments],
            env=self._environ,
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            # Not in the terminal's group: Ctrl-C comes to the parent, which ends them in order.
            process_group=0,
        )

    def ended(self) -> tuple[str, int] | None:
        """Return name and exit status of a child that has ended, None while all run."""
        for name, process in self._running.items():
            status = process.poll()
            if status is not None:
                return name, status
        return None

    def wait(self, stop: threading.Event) -> tuple[str, int] | None:
        """Wait until one ends, or `stop` is set; return the one that ended."""
        while not stop.wait(_LOOK_SECONDS):
            if found := self.ended():
                return found
        return None

    def stop(self) -> None:
        """End all, in order where they let it; what does not end in time is killed."""
        for process in self._running.values():
            process.terminate()
        for process in self._running.values():
            try:
                process.wait(_GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
