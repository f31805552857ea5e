"""Run the web process: gunicorn, started from here with the settings this service needs."""

import errno
import socket
import time
from pathlib import Path
from typing import Any

from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]  # it has no types
from gunicorn.arbiter import Arbiter  # type: ignore[import-untyped]  # it has no types
from gunicorn.glogging import Logger  # type: ignore[import-untyped]  # it has no types
from gunicorn.workers.base import Worker as AnyWorker  # type: ignore[import-untyped]  # it has no types

from bridge.config import Config
from bridge.errors import ConfigurationError, StoreUnavailable
from bridge.http.worker import hold_signals
from bridge.logs import logger
from bridge.memory import search_seldom
from bridge.store import Store
from bridge.store.accept import Acceptor
from bridge.store.processes import Heartbeat
from bridge.web.app import create_app
from bridge.web.health import Readiness

# A process that was killed lets its port go within this time.
_PORT_SECONDS = 2.0

log = logger()


def run(config: Config, host: str | None = None) -> None:
    """Serve until a signal ends the process; leaves by SystemExit.

    host: the one address to listen at; None for every address of the machine.
    Raises ConfigurationError where the port is taken, or another web process has the SQLite file,
    and StoreOutdated before the first request.
    """
    bind = _bind(host, config.port)
    _check(config)
    door = Store.open(config.database_url)
    door.only("web")
    hold_signals()
    Arbiter(_Server(config, bind, door)).run()


def _check(config: Config) -> None:
    """Look at the schema once; in a store of its own, because no connection survives a fork."""
    store = Store.open(config.database_url)
    try:
        store.check_schema()
    except StoreUnavailable as unavailable:
        # The process starts all the same, and answers 503 until the database is back.
        log.warning("the database does not answer", reason=unavailable.reason)
    finally:
        store.close()


class _Server(BaseApplication):  # type: ignore[misc]  # it has no types
    """Gunicorn's application: its settings, and one Flask application per web process."""

    def __init__(self, config: Config, bind: str, door: Store) -> None:
        self._config = config
        self._bind = bind
        self._door = door
        self._worker: AnyWorker | None = None
        self._store: Store | None = None
        self._acceptor: Acceptor | None = None
        self._presence: Heartbeat | None = None
        super().__init__()

    def load_config(self) -> None:
        """Set everything that gunicorn would otherwise take from the environment."""
        for name, value in settings(self._config, self._bind).items():
            self.cfg.set(name, value)
        self.cfg.set("post_fork", self._forked)
        self.cfg.set("post_worker_init", lambda _worker: search_seldom())
        self.cfg.set("worker_exit", self._ended)

    def load(self) -> Any:
        """Make the application, in the web process: a thread would not survive the fork."""
        worker = self._worker
        # What it writes is webhooks, whole groups of them in statements of their own.
        self._store = Store.open(self._config.database_url, statements=0)
        self._store.keep_room()
        allowed = self._config.database_connections
        self._presence = Heartbeat(self._store, "web", allowed=allowed)
        self._presence.start()
        self._acceptor = Acceptor(self._store)
        ready = Readiness(self._store, draining=lambda: not getattr(worker, "alive", True))
        return create_app(self._config, self._acceptor, ready)

    def _forked(self, _arbiter: Arbiter, worker: AnyWorker) -> None:
        self._worker = worker
        # The right to be the one web process stays with the parent alone, so that it ends with it.
        self._door.close()

    def _ended(self, _arbiter: Arbiter, _worker: AnyWorker) -> None:
        """Write what was accepted, after the last request was answered."""
        if self._acceptor and self._presence and self._store:
            self._acceptor.close()
            self._presence.stop()
            self._store.close()


def settings(config: Config, bind: str) -> dict[str, object]:
    """Return gunicorn's settings, each with its reason."""
    return {
        "bind": bind,
        "worker_class": "bridge.http.worker.Worker",
        # SQLite allows one process that writes webhooks.
        "workers": config.web_concurrency,
        "asgi_loop": "uvloop",
        # Nothing is started or ended by it: threads and the store belong to the whole process.
        "asgi_lifespan": "off",
        # Each process accepts its own connections: the tail of the answers is shorter than if all
        # wake for each. With one process, its parent keeps the socket if the process dies.
        "reuse_port": config.web_concurrency > 1,
        # No connection ever changes its protocol.
        "http2_cleartext": "off",
        # The Acceptor's thread and the database connections must begin after the fork.
        "preload_app": False,
        # A web process that gives no sign for so long is stuck and is replaced.
        "timeout": 20,
        # Hosts kill 30 s after they asked to stop; what is accepted is written before.
        "graceful_timeout": 20,
        # Longer than the 90 s after which Heroku's router drops an idle connection: whoever
        # closes first must not be the one that still may be sent a request.
        "keepalive": 95,
        # A leak is to be found, not hidden by restarts.
        "max_requests": 0,
        # Providers send some twenty headers and proxies add a few.
        "limit_request_line": 4094,
        "limit_request_fields": 60,
        "limit_request_field_size": 8190,
        # `X_Shopify_Hmac_Sha256` is not `X-Shopify-Hmac-Sha256`, and no proxy may rename the path.
        "header_map": "drop",
        "forwarder_headers": "",
        # No answer depends on whether a request came encrypted.
        "secure_scheme_headers": {},
        # The parser in C is another release with other faults, and no faster behind a database.
        "http_parser": "python",
        # On by default, in the home folder; nothing here uses it.
        "control_socket_disable": True,
        # The heartbeat's file; on a disk a slow write would look like a stuck process.
        "worker_tmp_dir": "/dev/shm" if Path("/dev/shm").is_dir() else None,  # noqa: S108
        "logger_class": _Log,
        # One line per webhook would be a log of who buys when; refusals are logged where they are.
        "accesslog": None,
    }


class _Log(Logger):  # type: ignore[misc]  # it has no types
    """Gunicorn's own words in our log's form."""

    def setup(self, cfg: Any) -> None:
        """Leave the writing to the log that is configured for the whole process."""
        super().setup(cfg)
        self.error_log.handlers.clear()
        self.error_log.propagate = True


def _bind(host: str | None, port: int) -> str:
    """Return the address in gunicorn's form, once it is sure to be free."""
    host = host or ("::" if socket.has_dualstack_ipv6() else "0.0.0.0")  # noqa: S104 - a host's router comes from outside
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    give_up = time.monotonic() + _PORT_SECONDS
    while True:
        try:
            with socket.socket(family) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((host, port))
        except OSError as error:
            if time.monotonic() > give_up or error.errno != errno.EADDRINUSE:
                fault = f"PORT: cannot listen at {host} port {port} ({error.strerror})"
                raise ConfigurationError([fault]) from None
            time.sleep(0.1)
        else:
            return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
