"""Read the global statistics of the enforcement report: from the zip, its CSV or spreadsheet, or a tidy conversion in JSON."""

import csv
import io
import re
from decimal import Decimal
from functools import cache
from typing import Any

import polars as pl

from datamoat.parsing import (
    MISSING,
    Response,
    Row,
    changed,
    header_of,
    load_csv,
    load_json,
    mapping,
    open_zip,
    parse_count,
    parse_number,
    refuse_error,
)

ALIASES = {
    "metric": ("Metric", "metric"),
    "period_type": ("Period type", "Period Type", "period_type"),
    "period": ("Period", "period"),
    "policy_type": ("Policy type", "Policy Type", "policy_type"),
    "issue": ("Issue", "issue"),
    "task_type": ("Task type", "Task Type", "task_type"),
    "task": ("Task", "task"),
    "location": ("Location", "location"),
    "market": ("Market", "market"),
    "result": ("Result", "Value", "value", "result"),
}
NEEDED = ("metric", "period", "result")
WHOLE = {  # a value is of the whole where each of these is such a word or blank; the others are parts of it
    "policy_type": ("", "all"),
    "issue": ("", "all"),
    "task_type": ("", "all"),
    "task": ("", "all"),
    "location": ("", "all", "global"),
    "market": ("", "all", "global"),
}
SERIES = (  # what the models read; each has had every quarter since its first
    "Total videos removed",
    "Video: Removal rate of published",
    "Videos removed from fake accounts",
    "Videos restored",
)
MONTHS = ("jan", "apr", "jul", "oct")  # the first of each quarter
SCIENTIFIC = re.compile(r"\d(?:\.\d{1,17})?[eE][+-]?\d{1,2}")
GROUPED_FRACTION = re.compile(r"\d{1,3}(?:,\d{3}){1,6}\.\d{1,9}")
QUARTER = re.compile(
    r"(?:(?P<before>\d{4}) )?(?P<name>q[1-4]|jan(?:uary)?-mar(?:ch)?|apr(?:il)?-june?|july?-sep(?:tember)?|oct(?:ober)?-dec(?:ember)?)"
    r"(?: (?P<after>\d{4}))?"
)


def statistics(response: Response) -> list[Row]:
    """Return one row per metric and period for the whole of TikTok; statistics by policy, task or market are left aside.

    Raises:
        SourceChangedError: Not the report, truncated, or without a statistic of the whole: the word for all was renamed.
    """
    rows = _read(response)
    if not rows:
        raise changed(
            "no statistic is of all policies, tasks and markets: the word for all of them was renamed, or the table is empty"
        )
    _doubt(response, rows)
    return rows


def _doubt(response: Response, rows: list[Row]) -> None:
    """Record a quarter that a series skips, and a series that ends before another."""
    quarters: dict[str, set[int]] = {}
    for row in rows:
        if row["metric"] in SERIES and (quarter := re.fullmatch(r"(\d{4}) Q([1-4])", row["period"])):
            quarters.setdefault(row["metric"], set()).add(4 * int(quarter[1]) + int(quarter[2]) - 1)
    newest = max((max(known) for known in quarters.values()), default=0)
    for metric, known in quarters.items():
        skipped = [f"{number // 4} Q{number % 4 + 1}" for number in range(min(known), newest + 1) if number not in known]
        if skipped:
            response.doubt(
                f"{metric} has no {', '.join(skipped[:3])}, and quarters before it; other series go on, or it does itself"
            )


def _read(response: Response) -> list[Row]:
    """Read the report in whatever format it came."""
    body = response.body
    if body.startswith(b"PK\x03\x04"):
        members = open_zip(body)
        if "[Content_Types].xml" in members:
            return _table(response, *_sheet(body))
        found = _member(response, members, ".csv")
        found = _member(response, members, ".xlsx") if found is None else found  # spreadsheets beside a CSV are templates
        if found is None:
            raise changed(f"no table in the zip has the columns of the report; it holds {', '.join(members)[:200]}")
        return found
    if body.lstrip()[:1] == b"{":
        return _tidy(response)
    return _table(response, *load_csv(response))


def _member(response: Response, members: dict[str, bytes], ending: str) -> list[Row] | None:
    """Read the tables of one format in the zip, None if there is none; a file without the report's columns is left aside."""
    found: list[Row] | None = None
    for name in sorted(name for name in members if name.lower().endswith(ending)):
        header, lines = _sheet(members[name]) if ending == ".xlsx" else load_csv(Response(members[name]))
        if header_of(header, ALIASES["metric"], optional=True) is None:
            response.note(f"{name} has no column Metric and is left aside")
            continue
        found = (found or []) + _table(response, header, lines)
    return found


def _tidy(response: Response) -> list[Row]:
    """Read the conversion: columns and rows, the global cut."""
    page = mapping(load_json(response), "the response")
    refuse_error(page, ("rows",))
    if "scope" not in page:
        raise changed("the key 'scope' is not there: whether the rows are of the whole is not stated")
    columns, rows = page.get("columns"), page.get("rows")
    if not isinstance(columns, list) or not isinstance(rows, list):
        raise changed("the keys 'columns' and 'rows' are not there, or are no lists")
    if not all(isinstance(row, list) and len(row) == len(columns) for row in rows):
        raise changed("a row has another width than the columns: truncated")
    scope = str(page["scope"]).capitalize()
    header = [str(name) for name in columns] + ["location"]
    return _table(response, header, [[_plain(cell) for cell in row] + [scope] for row in rows])


def _table(response: Response, header: list[str], lines: list[list[str]]) -> list[Row]:
    places: dict[str, int] = {}
    for name, aliases in ALIASES.items():
        column = header_of(header, aliases, optional=name not in NEEDED)
        if column is not None:
            places[name] = header.index(column)
    parts = [(places[name], words) for name, words in WHOLE.items() if name in places]
    rows = []
    aside = 0
    for line in lines:
        if any(line[place].strip().lower() not in words for place, words in parts):
            aside += 1
            continue
        written = line[places["result"]].strip()
        value = _value(written)
        rows.append(
            {
                "metric": line[places["metric"]].strip(),
                "period": period_name(line[places["period"]].strip()),
                "result": written,
                "value": None if value is None else float(value),
            }
        )
    if aside:
        response.note(f"{aside:,} statistics by policy, task or market are left aside")
    return rows


@cache
def period_name(written: str) -> str:
    """Return a quarter as `2025 Q1`, whatever way it is written; other periods verbatim.

    >>> period_name("Jan-Mar 2025"), period_name("2020 Q3"), period_name("Q4 2021")
    ('2025 Q1', '2020 Q3', '2021 Q4')
    """
    plain = " ".join(written.replace("–", "-").replace("_", " ").split()).lower()
    match = QUARTER.fullmatch(plain)
    if not match or bool(match["before"]) == bool(match["after"]):
        return written
    year, name = match["before"] or match["after"], match["name"]
    return f"{year} Q{name[1] if name[0] == 'q' else MONTHS.index(name[:3]) + 1}"


def _value(written: str) -> Decimal | int | None:
    """Return a statistic: a fraction of one with its decimals, or a count; blank where the publisher withheld it."""
    plain = written.strip()
    if plain.lower() in MISSING or plain.startswith("<"):
        return None
    if plain.endswith("%"):
        share = parse_number(plain[:-1])
        return None if share is None else share / 100
    if SCIENTIFIC.fullmatch(plain):
        return Decimal(plain)
    if GROUPED_FRACTION.fullmatch(plain):
        return Decimal(plain.replace(",", ""))
    return parse_number(plain) if plain.count(".") == 1 and "," not in plain else parse_count(plain)


def _plain(cell: Any) -> str:  # noqa: ANN401
    """Return a JSON cell as it would be printed: a count without a fraction, a share with its decimals."""
    if cell is None:
        return ""
    if isinstance(cell, float) and cell == int(cell) and abs(cell) >= 1:
        return str(int(cell))
    if isinstance(cell, float) and 0 < abs(cell) < 1:
        return f"{cell:.3f}" if round(cell, 3) == cell else repr(cell)
    return str(cell)


def _sheet(body: bytes) -> tuple[list[str], list[list[str]]]:
    """Return header and lines of the sheet that has a column called Metric, wherever its table begins."""
    sheets = pl.read_excel(io.BytesIO(body), sheet_id=0, has_header=False, infer_schema_length=0, raise_if_empty=False)
    for frame in sheets.values():
        lines = [["" if cell is None else str(cell) for cell in row] for row in frame.iter_rows()]
        for number, line in enumerate(lines[:30]):
            if "Metric" in [cell.strip() for cell in line]:
                width = max(index for index, cell in enumerate(line) if cell.strip()) + 1
                out = io.StringIO()
                writer = csv.writer(out)
                writer.writerows(
                    [cell.strip() for cell in row[:width]] for row in lines[number:] if any(cell.strip() for cell in row[:width])
                )
                return load_csv(Response(out.getvalue().encode()))
    raise changed("no sheet has a column called Metric")
