"""Remove what customers ask to have removed, and gather what they ask to see.

Here at once, in slices that a killed worker goes on with; at Heap only once the operator has said
so, or BRIDGE_ERASE_AT_HEAP says so for them.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from adapters.conventions import Conventions
from bridge.config import Config
from bridge.delivery.deletion import MOST_USERS, Deletion, NotDeleted
from bridge.logs import logger
from bridge.privacy.nameless import nameless
from bridge.store import Store, data_export, erasures, scrub
from bridge.store.erasures import KEPT, Demand, Export, User
from bridge.store.pii import PiiMatcher

log = logger()

_AGAIN = timedelta(minutes=15)
_LOOK = timedelta(minutes=1)
_NO_KEY = "set HEAP_API_KEY and restart, or delete these users at Heap by hand"


@dataclass(frozen=True, slots=True)
class Eraser:
    """The timed job's one step. clock: the time of day."""

    store: Store
    config: Config
    clock: Callable[[], datetime]

    def step(self) -> int:
        """Go a slice further with each demand; gives how many were gone on with."""
        went_on = 0
        for demand in erasures.demands(self.store, "asked", "records"):
            went_on += self._scrub(demand)
        for demand in erasures.demands(self.store, "approved", "deleting"):
            if demand.due_at is None or demand.due_at <= self.clock():
                self._delete(demand)
        for export in erasures.exports(self.store):
            if export.text is None:
                self._disclose(export)
                went_on += 1
        if self.store.write(lambda c: erasures.forget(c, self.clock() - KEPT)):
            self.store.forget()
        return went_on

    # --- here ------------------------------------------------------------------------------------

    def _scrub(self, demand: Demand) -> int:
        if scrub.is_new(self.store, demand.event_id):
            return 0  # what came before the demand is normalised first
        rest = self.store.write(lambda c: self._slice(c, demand))
        if not rest:
            self.store.forget()
            log.info("erased", source=demand.source, demand=demand.id, kind=demand.kind)
        return 1

    def _slice(self, connection: Connection, demand: Demand) -> bool:
        """Go through one slice of one table; False once all is done."""
        traces = PiiMatcher(demand.whose, self._customer_keys(demand.source))
        if demand.state == "asked":
            found = scrub.in_inbox(
                connection, demand.source, traces, demand.cursor, demand.event_id
            )
            scrub.empty(connection, found.alone)
            rows = set(found.orders)
            if demand.cursor == 0 and demand.whose:
                rows |= scrub.named(connection, demand.source, demand.whose.order_ids)
        else:
            found = scrub.in_records(connection, demand.source, traces, demand.cursor)
            rows = set(found.orders)
        users = set(demand.users)
        theirs = {row for row in rows if scrub.is_theirs(connection, row, traces)}
        for row in sorted(rows - theirs):
            scrub.blank(connection, row, traces)
        for row in sorted(theirs):
            users |= scrub.scrub(connection, row, self._nameless(demand))
        values: dict[str, Any] = {
            "orders": demand.orders + len(theirs),
            "users": sorted(users) or None,
            "cursor": found.last or 0,
        }
        if found.last is None:
            values |= self._next(connection, demand, traces, users)
        erasures.save(connection, demand.id, **values)
        return bool(values.get("state", demand.state) in {"asked", "records"})

    def _next(
        self, connection: Connection, demand: Demand, traces: PiiMatcher, users: set[User]
    ) -> dict[str, Any]:
        """Say what follows once a table has been gone through."""
        if demand.state == "asked":
            return {"state": "records"}
        scrub.scrub_rest(connection, demand.source, traces)
        if not users:
            return {"state": "done", "whose": None, "done_at": self.clock()}
        allowed = demand.kind == "customer" and self.config.erase_at_heap
        state = "approved" if allowed else "waiting"
        return {"state": state, "whose": None, "due_at": self.clock()}

    def _customer_keys(self, name: str) -> tuple[str, ...]:
        """Return the keys under which bodies of a source, configured or not, name a customer."""
        source = self.config.sources.get(name)
        conventions = source.adapter.conventions if source else Conventions()
        return conventions.customer_keys

    def _nameless(self, demand: Demand) -> Callable[[bytes, str], bytes]:
        """Give what writes an order's events without the person."""
        source = self.config.sources.get(demand.source)
        provider = source.adapter.name if source else demand.source
        return lambda body, order: nameless(body, f"{provider}:{order}")

    # --- at Heap ---------------------------------------------------------------------------------

    def _delete(self, demand: Demand) -> None:
        """Ask Heap for the deletion, or how far it is."""
        source = self.config.sources.get(demand.source)
        key = self.config.heap_api_key
        destination = source.destination if source else self.config.destination
        if key is None or destination.app_id is None:
            self._later(demand, _AGAIN, _NO_KEY)
            return
        heap = Deletion(destination.url, destination.app_id, key)
        try:
            if demand.state == "approved":
                request = heap.begin(demand.users[:MOST_USERS])
                self._saved(demand, state="deleting", request=request, reason=None)
                self._later(demand, _LOOK, None)
            elif not heap.is_done(demand.request or ""):
                self._later(demand, _LOOK, None)
            elif rest := demand.users[MOST_USERS:]:
                self._saved(demand, state="approved", users=rest, request=None)
            else:
                done = {"state": "done", "users": None, "reason": None, "done_at": self.clock()}
                self._saved(demand, **done)
                self.store.forget()
                log.info("deleted at Heap", source=demand.source, demand=demand.id)
        except NotDeleted as error:
            log.warning("not deleted at Heap", source=demand.source, demand=demand.id)
            if error.is_over:
                self._saved(demand, state="approved", request=None)
            self._later(demand, _AGAIN, str(error))

    def _later(self, demand: Demand, after: timedelta, reason: str | None) -> None:
        self._saved(demand, due_at=self.clock() + after, reason=reason)

    def _saved(self, demand: Demand, **values: Any) -> None:
        self.store.write(lambda c: erasures.save(c, demand.id, **values))

    # --- for the customer ------------------------------------------------------------------------

    def _disclose(self, export: Export) -> None:
        """Gather what is stored of a customer who asked."""

        def work(connection: Connection) -> str:
            orders, alone = data_export.of_person(
                connection, export.source, export.whose, self._customer_keys(export.source)
            )
            stored = {
                "source": export.source,
                "request": export.request,
                "stored": data_export.told_of(connection, orders),
                "other_webhooks": data_export.webhooks(connection, alone),
            }
            return json.dumps(stored, ensure_ascii=False, indent=2)

        text = self.store.read(work)
        self.store.write(lambda c: erasures.made(c, export.id, text))
        log.info("export made", source=export.source, export=export.id)
