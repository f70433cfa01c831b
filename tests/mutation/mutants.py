"""Mutants: each a small change of behaviour at one spot of a Python module or SQL model.

Texts of errors and of the log, annotations, decorators and docstrings are no behaviour and are left as they are.
"""

import ast
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import sqlglot
from sqlglot import exp

COMPARED = {
    ast.Lt: "<=", ast.LtE: "<", ast.Gt: ">=", ast.GtE: ">", ast.Eq: "!=", ast.NotEq: "==",
    ast.In: "not in", ast.NotIn: "in", ast.Is: "is not", ast.IsNot: "is",
}  # fmt: skip
COMPUTED = {ast.Add: "-", ast.Sub: "+", ast.Mult: "/", ast.Div: "*", ast.FloorDiv: "/", ast.Mod: "*", ast.Pow: "*"}
CALLED = {"min": "max", "max": "min", "any": "all", "all": "any", "sorted": "list"}
FLIPPED = {exp.EQ: exp.NEQ, exp.NEQ: exp.EQ, exp.LT: exp.LTE, exp.LTE: exp.LT, exp.GT: exp.GTE, exp.GTE: exp.GT}
SWAPPED = {exp.Min: exp.Max, exp.Max: exp.Min, exp.And: exp.Or, exp.Or: exp.And, exp.Add: exp.Sub, exp.Sub: exp.Add}
HEADER_END = "---*/"


@dataclass(frozen=True)
class Mutant:
    """One change.

    Attributes:
        file: The file, relative to the tree.
        line: Where the change is; in SQL the line is not known and is 0.
        change: What was changed, in words.
        text: The whole file with the change.
    """

    file: str
    line: int
    change: str
    text: str

    @property
    def id(self) -> str:
        """A name that is the same as long as file and change are."""
        return hashlib.sha256(f"{self.file}\0{self.text}".encode()).hexdigest()[:12]


def python_mutants(root: Path, path: Path) -> Iterator[Mutant]:
    """Yield every mutant of a module."""
    source = path.read_text(encoding="utf-8")
    lines = source.splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line.encode()))
    body = source.encode()

    def place(node: ast.AST) -> tuple[int, int]:
        return starts[node.lineno - 1] + node.col_offset, starts[node.end_lineno - 1] + node.end_col_offset  # type: ignore[attr-defined]

    for node, first, last, new in _edits(ast.parse(source), body, place):
        old = body[first:last].decode()
        text = (body[:first] + new.encode() + body[last:]).decode()
        change = f"{' '.join(old.split())[:60]} -> {' '.join(new.split())[:60]}"
        yield Mutant(path.relative_to(root).as_posix(), node.lineno, change, text)  # type: ignore[attr-defined]


def _edits(tree: ast.Module, body: bytes, place: Callable[[ast.AST], tuple[int, int]]) -> Iterator[tuple[ast.AST, int, int, str]]:  # noqa: C901, PLR0912
    """Yield a node, the bytes it replaces, and by what."""

    def text(node: ast.AST) -> str:
        first, last = place(node)
        return body[first:last].decode()

    for node in _behaviour(tree):
        if isinstance(node, ast.Compare) and len(node.ops) == 1:
            left, right = place(node.left)[1], place(node.comparators[0])[0]
            gap = body[left:right].decode()
            operator = gap.strip(" ()\n")
            if operator and type(node.ops[0]) in COMPARED and gap.count(operator) == 1:
                yield node, left, right, gap.replace(operator, COMPARED[type(node.ops[0])])
        elif isinstance(node, ast.BinOp) and type(node.op) in COMPUTED:
            left, right = place(node.left)[1], place(node.right)[0]
            gap = body[left:right].decode()
            operator = gap.strip(" ()\n")
            if operator and gap.count(operator) == 1:
                yield node, left, right, gap.replace(operator, COMPUTED[type(node.op)])
        elif isinstance(node, ast.BoolOp):
            left, right = place(node.values[0])[1], place(node.values[1])[0]
            gap, word = body[left:right].decode(), "and" if isinstance(node.op, ast.And) else "or"
            if gap.count(word) == 1 and len(node.values) == 2:
                yield node, left, right, gap.replace(word, "or" if word == "and" else "and")
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            yield node, *place(node), f"({text(node.operand)})"
        elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
            yield node, *place(node), str(not node.value)
        elif isinstance(node, ast.Constant) and isinstance(node.value, int | float):
            yield node, *place(node), f"({text(node)} + 1)"
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CALLED:
            yield node, *place(node.func), CALLED[node.func.id]
        elif isinstance(node, ast.If | ast.IfExp | ast.While):
            yield node, *place(node.test), f"not ({text(node.test)})"
        elif isinstance(node, ast.Return) and node.value is not None and text(node.value) != "None":
            yield node, *place(node.value), "None"
        elif isinstance(node, ast.Break | ast.Continue):
            yield node, *place(node), "continue" if isinstance(node, ast.Break) else "break"
        elif isinstance(node, ast.AugAssign) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)):
            yield node, *place(node), "pass"


def _behaviour(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes that are behaviour."""
    if isinstance(node, ast.JoinedStr | ast.Raise | ast.AnnAssign) and not (isinstance(node, ast.AnnAssign) and node.value):
        return
    if isinstance(node, ast.Call) and _is_words(node.func):
        return
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and _is_words(node.value.func):
        return
    yield node
    for name, value in ast.iter_fields(node):
        if name in {"annotation", "returns", "decorator_list", "type_params"}:
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from _behaviour(child)


def _is_words(called: ast.expr) -> bool:
    """Return whether a call only writes: to the log, to a person, or an error's text."""
    name = ast.unparse(called)
    return name.startswith(("log.", "_stdlib.", "typer.", "TypeVar")) or name.endswith(("Error", ".note", "add_argument"))


def sql_places(root: Path, path: Path) -> list[tuple[str, int, int]]:
    """Return the spots of a SQL model at which a mutant can be made: file, number of the node, kind of change."""
    tree = _statement(path)[1]
    file = path.relative_to(root).as_posix()
    return [
        (file, number, kind) for number, node in enumerate(tree.walk()) for kind in (0, 1) if _changed(node, kind, is_trial=True)
    ]


def sql_mutant(root: Path, file: str, number: int, kind: int) -> Mutant:
    """Return the mutant at one spot of a SQL model: the header stays, the statement is written again by sqlglot."""
    header, tree = _statement(root / file)
    node = next(one for place, one in enumerate(tree.walk()) if place == number)
    before = " ".join(node.sql(dialect="duckdb")[:80].split())
    change = _changed(node, kind)
    return Mutant(file, 0, f"{change}: {before}", f"{header}\n{tree.sql(dialect='duckdb', pretty=True)}\n")


def _statement(path: Path) -> tuple[str, exp.Expression]:
    header, end, sql = path.read_text(encoding="utf-8").partition(HEADER_END)
    return header + end, sqlglot.parse_one(sql, dialect="duckdb")


def _changed(node: exp.Expression, kind: int, *, is_trial: bool = False) -> str | None:  # noqa: C901, PLR0911, PLR0912
    """Change one node in place and return how, or None where there is nothing to change in it; a trial only returns how."""

    def replace(other: exp.Expression) -> None:
        if not is_trial:
            node.replace(other)

    if kind == 1:
        if isinstance(node, exp.And) and node.find_ancestor(exp.Where, exp.Join, exp.Qualify):
            replace(node.left)
            return "condition dropped"
        return None
    if type(node) in FLIPPED | SWAPPED:
        other = (FLIPPED | SWAPPED)[type(node)]
        replace(other(**node.args))
        return f"{type(node).__name__} to {other.__name__}"
    if isinstance(node, exp.Coalesce) and node.expressions:
        replace(node.this)
        return "coalesce dropped"
    if isinstance(node, exp.Literal) and node.is_number and not node.find_ancestor(exp.DataType):
        replace(exp.Literal.number(str(float(node.this) + 1) if "." in node.this else str(int(node.this) + 1)))
        return "constant plus one"
    if isinstance(node, exp.Join) and (node.side == "LEFT" or node.kind == "INNER"):
        if not is_trial:
            side, kind_of = ("", "INNER") if node.side == "LEFT" else ("LEFT", "")
            node.set("side", side)
            node.set("kind", kind_of)
        return "another kind of join"
    if isinstance(node, exp.Where) and isinstance(node.parent, exp.Select):
        if not is_trial:
            node.pop()
        return "where dropped"
    if isinstance(node, exp.Not):
        replace(node.this)
        return "not dropped"
    if isinstance(node, exp.Ordered) and node.find_ancestor(exp.Window, exp.AggFunc):
        if not is_trial:
            node.set("desc", not node.args.get("desc"))
        return "order turned round"
    if isinstance(node, exp.If) and isinstance(node.parent, exp.Case) and len(node.parent.args["ifs"]) > 1:
        if not is_trial:
            node.pop()
        return "case branch dropped"
    if isinstance(node, exp.Boolean):
        replace(exp.Boolean(this=not node.this))
        return "true and false swapped"
    if isinstance(node, exp.Distinct) and not isinstance(node.parent, exp.Select) and node.expressions:
        replace(node.expressions[0])
        return "distinct dropped"
    return None
