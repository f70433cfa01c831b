"""Rules over several columns or tables of the reference facts, each a query in `data/reference/rules/` that finds the rows that break it."""

from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datamoat.errors import ContentError
from datamoat.project.model import Snippet
from datamoat.project.reference import ReferenceTable
from datamoat.project.sql import read_snippet

if TYPE_CHECKING:
    import duckdb

FOLDER = "rules"
VIEWS = "views"  # below it: what several rules read
SHOWN = 5


def check_rules(folder: Path, facts: Iterable[ReferenceTable], today: date) -> int:
    """Run every rule over the facts, report all that are broken at once, and return how many there are.

    A rule sees every reference table by its name, with a column `line` that counts lines of the CSV; the table `cells`
    with every filled cell of a text or a date as `file_name`, `line`, `column_name` and `stated`; the views in `rules/views/`;
    and the variable `today`. It returns `file_name`, `line` and `wrong`, a sentence with the values that are wrong and what would be right.

    Args:
        folder: The folder of the reference facts.
        facts: The tables as read.
        today: The day after which nothing can have been seen.

    Raises:
        ContentError: Rows break rules, at most five shown for each, or a rule is malformed.
    """
    import duckdb
    from polars import selectors

    rules = [read_snippet(path, {"description", "fix"}) for path in sorted((folder / FOLDER).glob("*.sql"))]
    views = [read_snippet(path, {"description"}) for path in sorted((folder / FOLDER / VIEWS).glob("*.sql"))]
    if not rules:
        return 0
    with duckdb.connect(config={"threads": "2", "enable_external_access": "false"}) as con:
        con.execute("create table cells (file_name varchar, line bigint, column_name varchar, stated varchar)")
        for fact in facts:
            frame = fact.frame.with_row_index("line", 2)
            texts = frame.select("line", selectors.string(), selectors.date().dt.to_string("%Y-%m-%d"))
            cells = texts.unpivot(index="line", variable_name="column_name", value_name="stated").drop_nulls("stated")
            con.register("incoming", frame.to_arrow())
            con.register("incoming_cells", cells.to_arrow())
            con.execute(f'create table "{fact.name}" as from incoming')
            con.execute("insert into cells select $file, line, column_name, stated from incoming_cells", {"file": fact.name})
        con.unregister("incoming")
        con.unregister("incoming_cells")
        con.execute("set variable today = $today", {"today": today})
        for view in views:
            _run(con, view, f'create view "{view.name}" as {view.sql}')
        found = [
            (rule, rows)
            for rule in rules
            if (rows := _run(con, rule, f"select file_name, line, wrong from ({rule.sql}) order by file_name, line"))
        ]
    if found:
        messages = [_broken(rule, rows) for rule, rows in found]
        fixes = [str(rule.header["fix"]) for rule, _ in found]
        what = (
            "\n".join(f"{text}\n  fix: {fix}" for text, fix in zip(messages, fixes, strict=True))
            if len(found) > 1
            else messages[0]
        )
        name, line, _ = found[0][1][0]
        raise ContentError(
            what,
            f"{folder / name}.csv:{line}",
            fixes[0] if len(found) == 1 else f"{len(found)} rules are broken; the fix of each is below its rows.",
        )
    return len(rules)


def _broken(rule: Snippet, rows: list[tuple[Any, ...]]) -> str:
    """Return what a rule is, how many rows break it, and the first of them."""
    lines = "".join(f"\n  {name}.csv:{line}: {wrong}" for name, line, wrong in rows[:SHOWN])
    more = f"\n  … and {len(rows) - SHOWN} more" if len(rows) > SHOWN else ""
    return f"{rule.description} {len(rows)} row(s) break this rule:{lines}{more}"


def _run(con: "duckdb.DuckDBPyConnection", snippet: Snippet, statement: str) -> list[tuple[Any, ...]]:
    """Run the statement of a rule or view; an error names its file."""
    import duckdb

    try:
        return con.execute(statement).fetchall()
    except duckdb.Error as failure:
        raise ContentError(f"the rule does not run: {failure}", str(snippet.path), "fix the query.") from failure
