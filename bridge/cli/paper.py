"""Put tables and JSON on standard output, for people and for programs."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, is_dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import click
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

# Where nobody looks on, a line of a table is one line, however long.
_UNBOUNDED = 10_000
# In less a table of figures is better cut by the terminal than folded by us.
_NARROWEST = 104


def console() -> Console:
    """Make a console for standard output."""
    made = Console(highlight=False)
    width = max(made.width, _NARROWEST) if made.is_terminal else _UNBOUNDED
    return Console(highlight=False, width=width)


def errors() -> Console:
    """Make a console for standard error, where progress is shown and results are not."""
    return Console(highlight=False, stderr=True)


def table(
    title: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    right: Sequence[str] = (),
) -> None:
    """Print a table; nothing where it has no rows. right: the columns that hold figures."""
    made = Table(
        title=title,
        title_justify="left",
        box=box.SIMPLE_HEAD,
        show_header=any(columns),
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    for column in columns:
        # Figures keep to one line; names give way where a terminal is narrow.
        figures = column in right
        made.add_column(
            column,
            justify="right" if figures else "left",
            no_wrap=figures,
            overflow="fold",
        )
    for row in rows:
        made.add_row(*(Text(plain(cell)) for cell in row))
    if made.row_count:
        paper = console()
        with paper.capture() as printed:
            paper.print(made)
        click.echo("\n".join(line.rstrip() for line in printed.get().splitlines()))


def say(text: str) -> None:
    """Print one line."""
    click.echo(plain(text))


def plain(value: object) -> str:
    """Return a value's text, without what a terminal would take as a command."""
    if value is None:
        return ""
    text = moment(value) if isinstance(value, datetime) else str(value)
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def moment(at: datetime) -> str:
    """Write a moment for people, in UTC."""
    return f"{at:%Y-%m-%d %H:%M:%S}"


def as_json(value: object) -> None:
    """Print a value, records and moments included, as JSON."""
    click.echo(json.dumps(value, default=_json, ensure_ascii=False, indent=2))


def _json(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    if isinstance(value, Decimal):
        return str(value)
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    raise TypeError(type(value).__name__)
