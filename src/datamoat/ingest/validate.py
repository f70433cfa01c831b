"""Validate one snapshot against the last good vintage of the same request."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from datamoat.errors import SourceChangedError
from datamoat.ingest import parse as reading
from datamoat.ingest.anomaly_checks import compare, core, keyed, newest
from datamoat.ingest.check_values import late_rows
from datamoat.ingest.decisions import Decision
from datamoat.ingest.finding import KEY, Finding, rule_label, some
from datamoat.ingest.landings import Landing, read_landings, rows_of
from datamoat.ingest.status import Status
from datamoat.parsing import DOUBT, Row, shown
from datamoat.project.sources import Source, Table
from datamoat.settings import Settings
from datamoat.storage.snapshots import Receipt, Snapshots

HTTP_ERROR = 400


@dataclass
class Vintage:
    """The last good vintage of a request, as it is carried from one snapshot to the next."""

    day: date
    sha256: str
    rows_sha256: str
    core_sha256: str
    tables: dict[str, list[Row]]


@dataclass(frozen=True)
class Quarantined:
    """What was doubted in a quarantined vintage, compared with the last good one.

    Attributes:
        day: When it was captured.
        doubted: By table, the column (or `KEY`) and the rows of each suspicion whose bound may widen.
        late: By table and column of dates, the rows whose date was in the future then.
    """

    day: date
    doubted: dict[str, list[tuple[str, list[Row]]]]
    late: dict[tuple[str, str], list[Row]]


def validate(
    source: Source,
    store: Snapshots,
    receipt: Receipt,
    last: Vintage | None,
    seen: dict[str, date],
    quarantined: list[Quarantined],
    acceptance: Decision | None,
) -> tuple[Landing, dict[str, list[Row]]]:
    """Return what became of one snapshot, and its rows."""

    def landing(status: Status, reason: str, n_rows: int = 0, rows_sha256: str = "", core_sha256: str = "") -> Landing:
        remarks = "; ".join(filter(None, (reason, receipt.clock_note)))
        return Landing(
            receipt.snapshot_id, source.id, receipt.request, receipt.captured_on, receipt.retrieved_at, status,
            status.is_accepted, remarks, n_rows, receipt.n_bytes, receipt.sha256, receipt.url,
            rows_sha256, core_sha256, accepted=stamp(acceptance),
        )  # fmt: skip

    if receipt.status >= HTTP_ERROR:
        start = shown(store.body(receipt)[:200].decode(errors="replace"), 160)
        return landing(Status.ERROR, f"the publisher responded with HTTP {receipt.status}: {start}"), {}
    if last is not None and receipt.sha256 == last.sha256:
        return landing(
            Status.UNCHANGED,
            f"the same bytes as on {last.day}",
            sum(map(len, last.tables.values())),
            last.rows_sha256,
            last.core_sha256,
        ), last.tables
    try:
        tables, notes = reading.read_response(source, store.pages(receipt), receipt.request, receipt.captured_on)
        clashes = [clash for name, table in source.tables.items() for clash in _unique(tables, name, table, notes)]
    except SourceChangedError as failure:
        return landing(Status.ERROR, f"{failure.what}. {failure.fix}"), {}
    n_rows, rows_sha256 = (
        sum(map(len, tables.values())),
        _hash(
            {name: ([row[column] for column in table.columns] for row in tables[name]) for name, table in source.tables.items()}
        ),
    )
    core_sha256 = _hash({name: core(table, tables[name]) for name, table in source.tables.items()})
    doubts = sorted(text.removeprefix(DOUBT) for text in notes if text.startswith(DOUBT))
    remarks = [
        f"{text} ({times} times)" if times > 1 else text for text, times in sorted(notes.items()) if not text.startswith(DOUBT)
    ]
    other = (receipt.same_bytes_as or receipt.snapshot_id).split("/", 2)[1]
    if other != receipt.request and n_rows:
        clashes.append(f"the very bytes that {other} gave: two requests, one response")
    if last is not None and rows_sha256 == last.rows_sha256 and not (clashes or doubts):
        why = "; ".join([f"other bytes, the same rows as on {last.day}", *remarks])
        return landing(Status.UNCHANGED, why, n_rows, rows_sha256, core_sha256), last.tables
    found = Finding(suspicions=clashes) if clashes else _compare(source, receipt, tables, last)
    if last is not None and not found.suspicions:
        found.suspicions += _unresolved(source, tables, last, quarantined)
    if last is not None and core_sha256 in seen and core_sha256 != last.core_sha256 and not clashes:
        _old_copy(source, tables, seen[core_sha256], last.day, found)
    found.suspicions += doubts
    found.notes += remarks
    if acceptance is not None and n_rows:
        found = Finding(
            revisions=[f"accepted on {acceptance.decided_at:%Y-%m-%d} by {acceptance.decided_by}: {acceptance.reason}"],
            notes=[*found.suspicions, *found.revisions, *found.notes],
        )
    return landing(found.status, found.reason, n_rows, rows_sha256, core_sha256), tables


def changes_of(settings: Settings, source: Source, snapshot_id: str) -> list[tuple[str, str, str, str, str, str]]:
    """Return what a quarantined snapshot would change if it were served: table, change, key, column, served, offered.

    Raises:
        SourceChangedError: Its bytes cannot be read into rows.
    """
    store = Snapshots(settings.snapshots, source.id)
    receipt = store.get(snapshot_id)
    offered, _ = reading.read_response(source, store.pages(receipt), receipt.request, receipt.captured_on)
    good = last_good(settings, source, receipt.request, receipt)
    served = good[1] if good else {name: [] for name in source.tables}
    changes: list[tuple[str, str, str, str, str, str]] = []
    for name, table in source.tables.items():
        then, now = (
            {tuple(str(row[column]) for column in table.grain): row for row in rows} for rows in (served[name], offered[name])
        )
        changes += [
            (name, "gone", " ".join(key), "", rule_label(table.anomaly_checks, then[key]), "") for key in then if key not in now
        ]
        changes += [
            (name, "new", " ".join(key), "", "", rule_label(table.anomaly_checks, now[key])) for key in now if key not in then
        ]
        changes += [
            (name, "changed", " ".join(key), column, str(then[key][column]), str(now[key][column]))
            for key in now
            if key in then
            for column in table.columns
            if then[key][column] != now[key][column]
        ]
    return changes


def last_good(settings: Settings, source: Source, request: str, before: Receipt) -> tuple[Landing, dict[str, list[Row]]] | None:
    """Return the vintage a snapshot was compared with, and its rows."""
    good = [
        landing
        for landing in read_landings(settings, source)
        if landing.request == request
        and landing.files
        and landing.validation_status.is_accepted
        and (landing.captured_on, landing.retrieved_at, landing.snapshot_id) < before.moment
    ]
    return (good[-1], rows_of(settings, source, good[-1])) if good else None


def read_quarantined(source: Source, store: Snapshots, landings: list[Landing], last: Vintage) -> list[Quarantined]:
    """Return what was doubted in the vintages that are quarantined since the last good one, read from their bytes."""
    waiting: list[Landing] = []
    for landing in landings:
        if landing.validation_status.is_accepted:
            waiting = []
        elif landing.validation_status == Status.SUSPICIOUS and landing.n_rows:
            waiting.append(landing)
    found = []
    for landing in waiting:
        receipt = store.get(landing.snapshot_id)
        tables, _ = reading.read_response(source, store.pages(receipt), receipt.request, receipt.captured_on)
        found.append(doubts_of(source, receipt.captured_on, tables, last))
    return found


def doubts_of(source: Source, day: date, tables: dict[str, list[Row]], last: Vintage) -> Quarantined:
    """Return what is doubted in a vintage that is not served."""
    return Quarantined(
        day,
        {
            name: compare(table, tables[name], last.tables[name], day=day, last_day=last.day).doubted
            for name, table in source.tables.items()
        },
        {
            (name, when.column): late_rows(when, tables[name], day)
            for name, table in source.tables.items()
            for when in table.anomaly_checks.dates
        },
    )


def _unresolved(source: Source, tables: dict[str, list[Row]], last: Vintage, quarantined: list[Quarantined]) -> list[str]:
    """Return why a vintage stays in quarantine that only waiting would end: bounds widen with days and with votes, and dates come to pass.

    What was doubted in each vintage since the last good one must be otherwise: in most of its rows, for each suspicion.
    """
    for earlier in quarantined:
        dated = [
            f"{column} of {rule_label(source.tables[name].anomaly_checks, row)} was in the future then"
            for (name, column), late in earlier.late.items()
            for row in _both(tables[name], late, (*source.tables[name].grain, column))
        ]
        if why := [*dated[:3], *_still_doubted(source, tables, last, earlier)]:
            return [
                f"it continues the vintage of {earlier.day}, which is in quarantine, and time alone ends none: {'; '.join(why)}"
            ]
    return []


def _still_doubted(source: Source, tables: dict[str, list[Row]], last: Vintage, earlier: Quarantined) -> Iterator[str]:
    """Return which doubts about an earlier vintage hold for most of their rows still."""
    for name, doubted in earlier.doubted.items():
        rule = source.tables[name].anomaly_checks
        now, good = (keyed(rule, newest(rule, one)) for one in (tables[name], last.tables[name]))
        for column, rows in doubted:
            then = keyed(rule, rows)
            if column == KEY:  # a row that was missing is in the last good vintage, and one that was new is not
                still = [row for key, row in then.items() if (key in now) != (key in good)]
            else:
                then = {
                    key: row for key, row in then.items() if key in now and not (key in good and good[key][column] == row[column])
                }
                known = [row[column] for row in good.values()]
                still = [
                    row
                    for key, row in then.items()
                    if _is_nearer(now[key][column], row[column], [good[key][column]] if key in good else known)
                ]
            if len(still) * 2 > len(then):
                yield f"{column or 'the list'} is as it was doubted then for {some(rule_label(rule, row) for row in still)}"


def _is_nearer(now: Any, then: Any, good: list[Any]) -> bool:  # noqa: ANN401
    """Return whether a value is nearer to the one that was doubted than to every good one."""
    goods = [one for one in good if one is not None]
    if goods and all(isinstance(one, int | float | Decimal) for one in (now, then, *goods)):
        return abs(float(now) - float(then)) < min(abs(float(now) - float(one)) for one in goods)
    return bool(now == then)


def _both(rows: list[Row], others: list[Row], columns: tuple[str, ...]) -> list[Row]:
    """Return the rows that agree with one of the others in some columns."""
    known = {tuple(row[name] for name in columns) for row in others}
    return [row for row in rows if known and tuple(row[name] for name in columns) in known]


def _compare(source: Source, receipt: Receipt, tables: dict[str, list[Row]], last: Vintage | None) -> Finding:
    """Check every table of a vintage and put the findings together."""
    found = Finding()
    for name, table in source.tables.items():
        one = compare(
            table, tables[name], last.tables[name] if last else None, day=receipt.captured_on,
            last_day=last.day if last else None, bounds=source.fetch.requests[receipt.request].rows,
        )  # fmt: skip
        found.suspicions += one.suspicions
        found.revisions += one.revisions
        found.notes += one.notes
    return found


def _old_copy(source: Source, tables: dict[str, list[Row]], first: date, replaced: date, found: Finding) -> None:
    """Check a vintage that is one of long ago to the letter: a stale cache, unless nothing that counts went back."""
    text = f"an old copy: exactly the ratings and counts of {first}, which {replaced} had replaced"
    counted = any(
        table.anomaly_checks.score is not None
        and table.anomaly_checks.score.votes is not None
        and row[table.anomaly_checks.score.votes] is not None
        for name, table in source.tables.items()
        for row in tables[name]
    )
    (found.notes if counted and not found.revisions else found.suspicions).append(text)


def _unique(tables: dict[str, list[Row]], name: str, table: Table, notes: dict[str, int]) -> list[str]:
    """Drop rows that are there twice to the letter; return a sentence if two rows of one key differ."""
    rows = tables[name]
    rows.sort(key=lambda row: tuple(str(row[column]) for column in table.grain))
    kept: list[Row] = []
    for row in rows:
        before = kept[-1] if kept else None
        if before is None or any(before[column] != row[column] for column in table.grain):
            kept.append(row)
        elif before != row:
            key = ", ".join(f"{column} = {shown(row[column])}" for column in table.grain)
            other = ", ".join(column for column in table.columns if before[column] != row[column])
            return [f"two different rows for one key ({key}): they differ in {other}"]
    if len(kept) < len(rows):
        notes[f"{name}: {len(rows) - len(kept)} rows were there twice, to the letter, and count once"] = 1
    tables[name] = kept
    return []


def _hash(tables: dict[str, Iterable[list[Any]]]) -> str:
    """Return a hash of rows; they are in order of their grain."""
    digest = hashlib.sha256()
    for name, rows in tables.items():
        digest.update(f"[{name}]".encode())
        for row in rows:
            digest.update(json.dumps(row, default=str, separators=(",", ":")).encode())
    return digest.hexdigest()


def stamp(acceptance: Decision | None) -> str:
    """Return what a landing records of the acceptance that accepted it."""
    return "" if acceptance is None else acceptance.stamp
