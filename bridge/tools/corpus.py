"""Run the adapters over a folder of payloads, as `make corpus` does.

For whoever has real payloads at hand and wants to know what the bridge would make of them. One
line per file: its outcomes, or the path at which it is malformed, or the meaning that its figures
break. Exit status 1 where an adapter failed or a meaning is broken, 2 for wrong use.
"""

import sys
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel

from adapters.contract import Adapter, Known, WebhookEvent, meaning
from adapters.errors import MalformedPayload
from adapters.schema import (
    Cancellation,
    CurrentTotals,
    Disclosure,
    Erasure,
    Ignored,
    LinkedIds,
    LookupFact,
    Order,
    Outcome,
    Parked,
    Refund,
    Standalone,
    Wait,
    outcomes_of,
)
from bridge.orders.invariants import broken
from bridge.tools.corpus_files import Body, read
from bridge.tools.samples import SHOP

_SECRET = "corpus"  # noqa: S105 - signs nothing that leaves this process
_BAD = ("failed", "breaks the law")


@dataclass(frozen=True, slots=True)
class CorpusResult:
    """What came of one file: a kind to count, and the line to print."""

    kind: str
    line: str


def look(path: Path) -> CorpusResult:
    """Return what the bridge would make of one file."""
    body = read(path)
    if isinstance(body, str):
        return CorpusResult("not a webhook body", body)
    result = _normalized(body)
    if body.wrapped:
        return replace(result, line=f"not a webhook body: {body.wrapped}; {result.line}")
    return result


def _normalized(body: Body) -> CorpusResult:
    now = datetime.now(UTC)
    account = SHOP if body.adapter.one_account else None
    unsigned = WebhookEvent("", body.topic, body.raw, account, signed_at=now)
    try:
        request = body.adapter.sign(unsigned, _SECRET)
        event = replace(body.adapter.verify(request, _SECRET), received_at=now)
        known = Known(account=event.account or "self", settings=_settings(body.adapter))
        return _told(meaning(body.adapter, [event], known))
    except MalformedPayload as refused:
        return CorpusResult("malformed", f"MalformedPayload {refused}")
    except Exception as failure:  # noqa: BLE001 - to find these is what the corpus is run for
        place = traceback.extract_tb(failure.__traceback__)[-1]
        where = f"{Path(place.filename).name}:{place.lineno}"
        return CorpusResult("failed", f"failed: {type(failure).__name__} at {where}")


def _settings(adapter: Adapter) -> BaseModel:
    """Return settings with which most payloads show what they hold: unpaid orders count too."""
    held = {"order_on": "created"} if "order_on" in adapter.settings.model_fields else {}
    return adapter.settings(**held)


def _told(found: tuple[Outcome | Standalone, ...] | Wait) -> CorpusResult:
    # Of one file alone an order stands where it stood.
    held = tuple(one for one in outcomes_of(found) if not isinstance(one, CurrentTotals))
    laws = [law for outcome in held for law in broken(outcome)]
    if laws:
        return CorpusResult("breaks the law", f"breaks the law: {'; '.join(laws)}")
    line = ", ".join(map(_line, held)) or "nothing"
    if isinstance(found, Wait):
        return CorpusResult("wait", f"wait for {found.what}, otherwise {line}")
    return CorpusResult(_kind(held), line)


def _kind(held: tuple[Outcome | Standalone, ...]) -> str:
    kinds = {type(outcome).__name__.lower() for outcome in held}
    if any(isinstance(outcome, Order) and outcome.contradiction for outcome in held):
        return "order, figures disagree"
    return " and ".join(sorted(kinds)) or "nothing"


def _line(outcome: Outcome | Standalone) -> str:
    match outcome:
        case Order():
            text = f"order of {outcome.total} {outcome.currency}, {len(outcome.lines)} lines"
            return text + (f" ({outcome.contradiction})" if outcome.contradiction else "")
        case Refund():
            taken_back = ", which failed later" if outcome.steps else ""
            return f"refund of {outcome.amount} {outcome.currency}{taken_back}"
        case Cancellation():
            return f"cancelled: {outcome.reason}"
        case LookupFact():
            return f"fact: {outcome.lookup_key.kind}"
        case Erasure(whose):
            return f"erasure of {'a customer' if whose else 'the shop'}"
        case Disclosure() | CurrentTotals() | LinkedIds():
            return type(outcome).__name__.lower()
        case Ignored(reason):
            return f"ignored: {reason}"
        case Parked(reason):
            return f"parked: {reason}"


def run(folder: Path, say: Callable[[str], None]) -> bool:
    """Say one line per file below the folder, then a table of what came how often.

    Gives whether every file came to an outcome, or to a MalformedPayload, that breaks no law.
    """
    counts: Counter[tuple[str, str]] = Counter()
    for path in sorted(folder.rglob("*.json")):
        result = look(path)
        counts[path.parent.name, result.kind] += 1
        say(f"{path.relative_to(folder)}: {result.line}")
    say("")
    for (where, kind), count in sorted(counts.items()):
        say(f"{count:6}  {where}: {kind}")
    say(f"{counts.total():6}  files")
    return not any(kind in _BAD for _, kind in counts)


def main(arguments: list[str]) -> int:
    """Look through the folder that is named; return the exit status."""
    if len(arguments) != 1 or not Path(arguments[0]).is_dir():
        print("use: make corpus DIR=<a folder of payloads>", file=sys.stderr)  # noqa: T201 - a command
        return 2
    return 0 if run(Path(arguments[0]), print) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
