"""`bridge events` and `bridge parked`: what came, and what a person has to look at."""

from bridge.cli import paper
from bridge.cli.opened import configured, store_of
from bridge.store import find
from bridge.store.order_view import EventView

# How a reason begins -> what to do about it. {id} is what `bridge replay` takes.
_ADVICE = (
    ("cannot be read", "`bridge show {id}`; tell the project, replay after the next release"),
    ("names shop", "add that shop as a source, let it post there, then `bridge replay {id}`"),
    ("source ", "set its secret again, then `bridge replay {id}`"),
    ("no identity", "set BRIDGE_NO_IDENTITY=pseudonym, then `bridge replay {id}`"),
    ("unlinked", "tick invoice_payment.paid and resend it; then it goes by itself"),
    ("order unknown", "resend what was paid from the provider's dashboard; then it goes"),
    ("look-up given up", "`bridge status` says what look-ups meet; then `bridge replay {id}`"),
    ("renewals are switched off", "tick invoice.paid and resend it; then it goes by itself"),
    ("fault in the bridge", "tell the project; `bridge replay {id}` after the next release"),
    ("its events contradict", "`bridge show {id}`; once mended, `bridge replay {id}`"),
    ("no event of it", "replay its events: `bridge show {id}` names them"),
)
_USUAL = "`bridge show {id}`; once mended, `bridge replay {id}`"
_HEAP = "Heap refused this event and took others; `bridge replay {id}` tries it again"


def events(source: str | None, state: str | None, limit: int, *, as_json: bool) -> None:
    """List the webhooks that came, the newest first."""
    with store_of(configured()) as store:
        found = find.events(store, source=source, state=state, limit=limit)
    if as_json:
        paper.as_json([event.listed() for event in found])
        return
    paper.table(
        "Events (times in UTC)",
        ("id", "when", "source", "topic", "state", "order or reason"),
        [
            (
                f"e{event.id}",
                event.received_at,
                event.source,
                event.topic,
                event.state,
                _order_or_reason(event),
            )
            for event in found
        ],
    )
    if not found:
        paper.say("No such event has come.")


def parked(*, as_json: bool) -> None:
    """List everything parked: events, orders, Heap events."""
    with store_of(configured()) as store:
        rows = [
            *(
                ("event", f"e{one.id}", one.source, one.topic, one.reason or "")
                for one in find.parked_events(store)
            ),
            *(
                ("order", f"o{row}", source, f"o{row}", reason)
                for row, source, reason in find.parked_orders(store)
            ),
            *(
                ("Heap event", f"h{one.id}", one.source, one.key, one.reason or "")
                for one in find.parked_heap_events(store)
            ),
        ]
    columns = ("kind", "id", "source", "what", "reason", "what to do")
    advised = [(*row, _advice(row[0], row[1], row[4])) for row in rows]
    if as_json:
        names = [column.replace(" ", "_") for column in columns]
        paper.as_json([dict(zip(names, row, strict=True)) for row in advised])
        return
    paper.table("Parked", columns, advised)
    paper.say("`bridge replay --parked` tries all of it again." if rows else "Nothing is parked.")


def _order_or_reason(event: EventView) -> str:
    """Return the order that an event joined, with what is wrong with the event, if anything is."""
    order = f"o{event.order_id}" if event.order_id else ""
    if event.state == "joined" and event.reason:
        return f"{order}: {event.reason}"
    return event.reason or order


def _advice(kind: str, id_: str, reason: str) -> str:
    if kind == "Heap event":
        return _HEAP.format(id=id_)
    found = (advice for beginning, advice in _ADVICE if reason.startswith(beginning))
    return next(found, _USUAL).format(id=id_)
