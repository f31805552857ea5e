"""Logs: JSON on standard output, or readable lines where that is a terminal.

Nothing personal and no secret belongs in a log. Of an exception only its class and the places it
passed are told, because the text of a foreign library's exception may quote what it was given;
the bridge's own exceptions speak the operator's words.
"""

import logging
import sys
import traceback
from collections.abc import MutableMapping
from typing import Any, cast

from bridge.errors import BridgeError

# structlog imports rich where it is installed. That costs every web process 0.1 s and several MB,
# and its tracebacks would show local variables.
_HIDDEN = "rich" not in sys.modules
if _HIDDEN:
    sys.modules["rich"] = None  # type: ignore[assignment]  # how Python marks a module as absent
import structlog  # noqa: E402 - after rich is hidden

if _HIDDEN:
    del sys.modules["rich"]

# Foreign libraries that tell the operator something on a good day; of the others, warnings.
_TALKATIVE = ("gunicorn.error",)
# Control characters -> their pictures; what breaks a line -> the picture of a new line.
_PICTURES = {
    **{code: 0x2400 + code for code in range(32)},
    127: 0x2421,
    **dict.fromkeys((0x85, 0x2028, 0x2029), 0x2424),
}

_Line = MutableMapping[str, Any]


def logger() -> structlog.typing.FilteringBoundLogger:
    """Return what a module logs with, best at its top."""
    return cast("structlog.typing.FilteringBoundLogger", structlog.get_logger())


def configure() -> None:
    """Send every log line, foreign libraries' too, to standard output in one form."""
    readable = sys.stdout.isatty()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _without_traceback,
            *(_for_people() if readable else [structlog.processors.JSONRenderer()]),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stdout),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(handlers=[_Foreign()], level=logging.WARNING, force=True)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.INFO)


def _for_people() -> list[Any]:
    return [_on_one_line, structlog.dev.ConsoleRenderer()]


class _Foreign(logging.Handler):
    """Takes what libraries log by Python's own logging into the same lines."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record, with its exception as ours are written."""
        logger().log(
            record.levelno, record.getMessage(), logger=record.name, exc_info=record.exc_info
        )


def _without_traceback(_logger: object, _method: str, line: _Line) -> _Line:
    """Replace an exception by its class, the places it passed and, if it is ours, its words."""
    given = line.pop("exc_info", None)
    if isinstance(given, tuple):
        given = given[1]
    error = given if isinstance(given, BaseException) else sys.exc_info()[1] if given else None
    if error is None:
        return line
    line["error"] = type(error).__name__
    if isinstance(error, BridgeError):
        line["reason"] = str(error)
    cause = error.__cause__ or error.__context__
    if cause is not None:
        line["cause"] = type(cause).__name__
    line["places"] = [
        f"{frame.filename}:{frame.lineno} {frame.name}"
        for frame in traceback.extract_tb(error.__traceback__)
    ]
    return line


def _on_one_line(_logger: object, _method: str, line: _Line) -> _Line:
    """Show controls as pictures, so that no value can look like another line."""
    return {key: _pictured(value) for key, value in line.items()}


def _pictured(value: Any) -> Any:
    return value.translate(_PICTURES) if isinstance(value, str) else value
