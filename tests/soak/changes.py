"""Small changes to Python source, one at a time: what a test suite should notice (mutants).

Each change replaces one node of the syntax tree by other source text. Left alone is what no test
is meant to hold: docstrings, annotations, log lines, and the words of messages.
"""

import ast
import copy
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

_COMPARED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
_COMPUTED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
}
# Codes, states and SQL; anything else with a space in it is words for people.
_CODE = re.compile(r"\S+|SET .*", re.DOTALL)
_LOGGED = {"log", "logger", "warnings"}


@dataclass(frozen=True, slots=True)
class Change:
    """One change. span: the bytes of the file that it replaces, from and to; new: by what."""

    line: int
    span: tuple[int, int]
    old: str
    new: str

    def applied(self, source: bytes) -> bytes:
        """Return the file with this change."""
        start, end = self.span
        return source[:start] + self.new.encode() + source[end:]

    def __str__(self) -> str:
        old, new = (" ".join(text.split())[:70] for text in (self.old, self.new))
        return f"{self.line}: {old} → {new}"


def changes(source: bytes) -> list[Change]:
    """Return every change to a file, each once; a few may not compile (`is_one`)."""
    lines = [0]
    for line in source.splitlines(keepends=True):
        lines.append(lines[-1] + len(line))
    found: dict[tuple[tuple[int, int], str], Change] = {}
    for node in _judged(ast.parse(source)):
        end_line, end_column = node.end_lineno or node.lineno, node.end_col_offset or 0
        span = (
            lines[node.lineno - 1] + node.col_offset,
            lines[end_line - 1] + end_column,
        )
        old = source[slice(*span)].decode()
        for new in _instead(node):
            found[span, new] = Change(node.lineno, span, old, new)
    return list(found.values())


def is_one(source: bytes, change: Change) -> bool:
    """Return whether a change compiles and means something else."""
    try:
        changed = ast.parse(change.applied(source))
    except SyntaxError:
        return False
    return ast.dump(changed) != ast.dump(ast.parse(source))


def _judged(tree: ast.AST) -> Iterator[Any]:
    """Walk over the nodes that may be changed."""
    for name, value in ast.iter_fields(tree):
        if name in {"annotation", "returns", "decorator_list", "type_params"}:
            continue
        for node in value if isinstance(value, list) else [value]:
            if not isinstance(node, ast.AST) or _is_spared(node):
                continue
            if isinstance(node, ast.expr | ast.stmt):
                yield node
            # Python 3.11 does not know where the parts of an f-string are.
            if not isinstance(node, ast.JoinedStr):
                yield from _judged(node)


def _is_spared(node: ast.AST) -> bool:
    match node:
        case ast.Import() | ast.ImportFrom():
            return True
        case ast.Expr(value=ast.Constant()):
            return True
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id=name)))):
            return name in _LOGGED
    return False


def _instead(node: Any) -> Iterator[str]:  # noqa: C901, PLR0912 - a table, one line for each kind
    """Return the sources that may replace a node."""
    match node:
        case ast.Raise() | ast.Expr() | ast.AugAssign() | ast.Continue() | ast.Break():
            yield "pass"
        case ast.Constant(value=bool() as value):
            yield repr(not value)
        case ast.Constant(value=int() | float() as value):
            yield from {repr(value + 1), "0"} - {repr(value)}
        case ast.Constant(value=str() as value) if value and _CODE.fullmatch(value):
            yield '""'
        case ast.JoinedStr() if "SET LOCAL" in ast.unparse(node):
            yield '""'
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield f"({ast.unparse(operand)})"
        case ast.Compare(ops=[compared]) if type(compared) in _COMPARED:
            yield _with(node, "ops", [_COMPARED[type(compared)]()])
        case ast.BinOp(op=ast.BitAnd(), left=left, right=right):
            yield from (f"({ast.unparse(one)})" for one in (left, right))
        case ast.BinOp(op=op) if type(op) in _COMPUTED:
            yield _with(node, "op", _COMPUTED[type(op)]())
        case ast.BoolOp(values=values):
            yield from (f"({ast.unparse(one)})" for one in values)
        case ast.IfExp(body=body, orelse=orelse):
            yield from (f"({ast.unparse(one)})" for one in (body, orelse))
        case ast.Call(args=args, keywords=keywords):
            if len(args) > 1:
                yield from (_with(node, "args", _without(args, at)) for at in range(len(args)))
            for at in range(len(keywords)):
                yield _with(node, "keywords", _without(keywords, at))


def _with(node: Any, field: str, value: object) -> str:
    """Return the source of a node with another value in one field."""
    new = copy.copy(node)
    setattr(new, field, value)
    return f"({ast.unparse(new)})"


def _without(items: Sequence[Any], at: int) -> list[Any]:
    return [*items[:at], *items[at + 1 :]]
