"""Turn snapshots into raw Parquet, and judge each against the last good one of the same request."""

import hashlib
import io
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl

import datamoat
from datamoat.errors import SourceChangedError
from datamoat.ingest import anomaly_checks
from datamoat.ingest import parse as reading
from datamoat.ingest.anomaly_checks import Verdict, compare
from datamoat.parsing import DOUBT, Row, shown
from datamoat.project.acceptances import Acceptance, read_accepted
from datamoat.project.fingerprint import code_hash
from datamoat.project.sources import EVERY_DAYS, Source, Table
from datamoat.settings import Settings
from datamoat.storage.files import write_json, write_whole
from datamoat.storage.snapshots import Receipt, Snapshots

POLARS = {
    "VARCHAR": pl.String(), "BIGINT": pl.Int64(), "DOUBLE": pl.Float64(), "BOOLEAN": pl.Boolean(), "DATE": pl.Date(),
    "TIMESTAMP": pl.Datetime("us"), "VARCHAR[]": pl.List(pl.String()),
}  # fmt: skip
LOG = "landing.json"
STALE_CADENCES = 4  # identical for so many times the usual interval: stale, which is not the same as fresh
HTTP_ERROR = 400


@dataclass(frozen=True)
class Landing:
    """What became of one snapshot.

    Attributes:
        verdict: ok, unchanged, revision, suspicious or error.
        is_served: Whether its rows are in raw.
        reason: Why, with the values that matter; empty where there is nothing to say.
        rows_sha256: Hash of its rows whatever their order; equal hashes are equal tables.
        core_sha256: The same of keys, ratings, votes and measures alone; equal hashes are equal boards.
        files: Path of each table's Parquet below the lake's raw folder.
        accepted: The acceptance that let it in, as a stamp; part of what a landing is a function of.
    """

    snapshot_id: str
    source_id: str
    request: str
    captured_on: date
    retrieved_at: datetime
    verdict: Verdict
    is_served: bool
    reason: str
    n_rows: int
    n_bytes: int
    sha256: str
    url: str
    rows_sha256: str = ""
    core_sha256: str = ""
    files: dict[str, str] = field(default_factory=dict)
    accepted: str = ""


@dataclass(frozen=True)
class LandReport:
    """What one landing did: every new verdict, and how many were known already."""

    landed: tuple[Landing, ...]
    n_known: int

    def __str__(self) -> str:
        """Say in one line what landed and what was not believed."""
        counted: dict[str, int] = {}
        for landing in self.landed:
            counted[landing.verdict] = counted.get(landing.verdict, 0) + 1
        told = ", ".join(f"{times} {verdict}" for verdict, times in sorted(counted.items())) or "nothing new"
        return f"{len(self.landed) + self.n_known} snapshots, {told}" + "".join(
            f"\n  {landing.snapshot_id}: {landing.verdict}: {landing.reason}" for landing in self.refused
        )

    @property
    def refused(self) -> tuple[Landing, ...]:
        """The new ones that are not to be believed."""
        return tuple(landing for landing in self.landed if landing.verdict in {"suspicious", "error"})


@dataclass(frozen=True)
class RawTable:
    """One raw table: the Parquet files that make it, its columns, and the column that says when a row became known."""

    name: str
    paths: list[Path]
    columns: dict[str, str]
    known: str


@dataclass(frozen=True)
class RequestState:
    """How one request of one source stands.

    Attributes:
        state: fresh, unchanged, stale, quarantined, failing, silent (nothing for two cadences) or never.
        since: The day the state began; None for never.
        served_on: The day of the data that are live.
    """

    source_id: str
    request: str
    state: str
    since: date | None
    served_on: date | None
    reason: str
    snapshot_id: str | None


@dataclass
class _Vintage:
    """The last good vintage of a request, as it is carried from one snapshot to the next."""

    day: date
    sha256: str
    rows_sha256: str
    core_sha256: str
    tables: dict[str, list[Row]]


def land_all(settings: Settings, sources: Iterable[Source]) -> LandReport:
    """Land every snapshot that is not landed yet; doing it again does nothing.

    A snapshot's verdict depends on the vintages before it, on `source.yml`, on `parse.py` and on what was accepted; when
    one of these changed, what follows from it is landed anew from the stored bytes. The result is the same whatever the
    order in which snapshots arrived.

    Raises:
        ContentError: A receipt, a source or its parser is malformed, or stored bytes are damaged.
    """
    landed: list[Landing] = []
    n_known = 0
    for source in sources:
        fresh, known = land_source(settings, source)
        landed += fresh
        n_known += known
    return LandReport(tuple(landed), n_known)


def land_source(settings: Settings, source: Source) -> tuple[list[Landing], int]:
    """Land one source; return the landings made now and how many stood already."""
    shelf = Snapshots(settings.snapshots, source.id)
    accepted = read_accepted(settings)
    code = _code_hash(source)
    kept = _read_log(settings, source.id, code)
    landings: list[Landing] = []
    fresh: list[Landing] = []
    for request in sorted({receipt.request for receipt in shelf.of()} & source.fetch.requests.keys()):
        receipts = shelf.of(request)
        old = [landing for landing in kept if landing.request == request]
        same = 0
        for receipt, landing in zip(receipts, old, strict=False):
            if receipt.snapshot_id != landing.snapshot_id or _stamp(accepted.get(receipt.snapshot_id)) != landing.accepted:
                break
            same += 1
        if same == len(receipts) == len(old):
            landings += old
            continue
        for landing in old[same:]:
            for file in landing.files.values():
                (_raw(settings) / file).unlink(missing_ok=True)
        done = _land_request(settings, source, shelf, receipts[same:], old[:same], accepted)
        fresh += done
        landings += _one_a_day(old[:same] + done)
    if fresh or len(landings) != len(kept) or (landings and not kept):
        write_json(_raw(settings) / source.id / LOG, {"code": code, "landings": [_plain(landing) for landing in landings]})
    by_id = {landing.snapshot_id: landing for landing in landings}
    return [by_id[landing.snapshot_id] for landing in fresh], len(landings) - len(fresh)


def read_landings(settings: Settings, source: Source) -> list[Landing]:
    """Return what became of every landed snapshot of a source, by request and in order of time."""
    return _read_log(settings, source.id, None)


def forget(settings: Settings, source: Source, day: date) -> int:
    """Strike the landings of one day from the record, so that the next landing reads them anew; return how many.

    The bytes stay, and a landing is a function of them, so the same landings come back.
    """
    code = _code_hash(source)
    landings = _read_log(settings, source.id, code)
    kept = [landing for landing in landings if landing.captured_on != day]
    if len(kept) < len(landings):
        write_json(_raw(settings) / source.id / LOG, {"code": code, "landings": [_plain(landing) for landing in kept]})
    return len(landings) - len(kept)


def landing_rows(settings: Settings, sources: Iterable[Source]) -> list[dict[str, Any]]:
    """Return the rows of `meta.snapshots` for the live sources."""
    wanted = (
        "snapshot_id",
        "source_id",
        "request",
        "captured_on",
        "retrieved_at",
        "verdict",
        "is_served",
        "reason",
        "n_rows",
        "n_bytes",
        "sha256",
        "url",
    )
    return [
        {name: getattr(landing, name) for name in wanted} | {"retrieved_at": landing.retrieved_at.replace(tzinfo=None)}
        for source in sources
        for landing in read_landings(settings, source)
    ]


def raw_relations(settings: Settings, sources: Iterable[Source]) -> dict[str, RawTable]:
    """Return every raw table of the live sources, the empty ones included, by name without its schema."""
    tables: dict[str, RawTable] = {}
    for source in sources:
        served = [landing for landing in read_landings(settings, source) if landing.is_served]
        for name, table in source.tables.items():
            paths = [_raw(settings) / landing.files[name] for landing in served if name in landing.files]
            tables[f"{source.id}__{name}"] = RawTable(f"{source.id}__{name}", paths, table.all_columns, table.known)
    return tables


def states(settings: Settings, sources: Iterable[Source], today: date) -> list[RequestState]:
    """Say how every request of every source stands on a day.

    Args:
        settings: Where things are.
        sources: The sources to judge.
        today: The day silence is counted to; the caller's clock, since no model may have one.
    """
    return [
        _state(source, request, today, [landing for landing in read_landings(settings, source) if landing.request == request])
        for source in sources
        for request in source.fetch.requests
    ]


def rows_of(settings: Settings, source: Source, landing: Landing) -> dict[str, list[Row]]:
    """Return the rows of a served landing, by table."""
    found = {}
    for name, table in source.tables.items():
        if name not in landing.files:
            continue
        frame = pl.read_parquet(_raw(settings) / landing.files[name], columns=list(table.columns))
        seen: dict[Any, Any] = {}  # one object for equal texts
        columns = [
            [seen.setdefault(value, value) for value in frame[column].to_list()] if kind == "VARCHAR" else frame[column].to_list()
            for column, kind in table.columns.items()
        ]
        found[name] = [dict(zip(table.columns, values, strict=True)) for values in zip(*columns, strict=True)]
    return found


def changes_of(settings: Settings, source: Source, snapshot_id: str) -> list[tuple[str, str, str, str, str, str]]:
    """Return what a quarantined snapshot would change if it were served: table, change, key, column, served, offered.

    Raises:
        SourceChangedError: Its bytes cannot be read into rows.
    """
    shelf = Snapshots(settings.snapshots, source.id)
    receipt = shelf.get(snapshot_id)
    offered, _ = reading.read_answer(source, shelf.pages(receipt), receipt.request, receipt.captured_on)
    good = last_good(settings, source, receipt.request, receipt)
    served = good[1] if good else {name: [] for name in source.tables}
    changes: list[tuple[str, str, str, str, str, str]] = []
    for name, table in source.tables.items():
        then, now = (
            {tuple(str(row[column]) for column in table.grain): row for row in rows} for rows in (served[name], offered[name])
        )
        changes += [
            (name, "gone", " ".join(key), "", anomaly_checks.rule_label(table.anomaly_checks, then[key]), "")
            for key in then
            if key not in now
        ]
        changes += [
            (name, "new", " ".join(key), "", "", anomaly_checks.rule_label(table.anomaly_checks, now[key]))
            for key in now
            if key not in then
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
        and landing.verdict in {"ok", "revision", "unchanged"}
        and (landing.captured_on, landing.retrieved_at, landing.snapshot_id) < before.moment
    ]
    return (good[-1], rows_of(settings, source, good[-1])) if good else None


def _land_request(
    settings: Settings,
    source: Source,
    shelf: Snapshots,
    receipts: list[Receipt],
    before: list[Landing],
    accepted: dict[str, Acceptance],
) -> list[Landing]:
    """Land the snapshots of one request that follow `before`, in order of time."""
    good = [landing for landing in before if landing.verdict in {"ok", "revision", "unchanged"}]
    with_rows = [landing for landing in good if landing.files]
    last = None
    if with_rows:
        last = _Vintage(
            good[-1].captured_on,
            good[-1].sha256,
            good[-1].rows_sha256,
            good[-1].core_sha256,
            rows_of(settings, source, with_rows[-1]),
        )
    seen = {landing.core_sha256: landing.captured_on for landing in good}
    done = []
    for receipt in receipts:
        landing, tables = _judge(source, shelf, receipt, last, seen, accepted.get(receipt.snapshot_id))
        if landing.is_served:
            if any(table.repeat for table in source.tables.values()) or landing.verdict != "unchanged":
                landing = replace(
                    landing, files=_write(settings, source, receipt, tables, unchanged=landing.verdict == "unchanged")
                )
            last = _Vintage(receipt.captured_on, receipt.sha256, landing.rows_sha256, landing.core_sha256, tables)
            seen[landing.core_sha256] = receipt.captured_on
        del tables  # one table beside the last good one is enough: the next is read without this
        done.append(landing)
    return done


def _judge(
    source: Source,
    shelf: Snapshots,
    receipt: Receipt,
    last: _Vintage | None,
    seen: dict[str, date],
    acceptance: Acceptance | None,
) -> tuple[Landing, dict[str, list[Row]]]:
    """Return the verdict on one snapshot, and its rows."""
    stamp = _stamp(acceptance)

    def landing(verdict: Verdict, reason: str, n_rows: int = 0, rows_sha256: str = "", core_sha256: str = "") -> Landing:
        said = "; ".join(filter(None, (reason, receipt.clock_note)))
        return Landing(
            receipt.snapshot_id, source.id, receipt.request, receipt.captured_on, receipt.retrieved_at, verdict,
            verdict in {"ok", "unchanged", "revision"}, said, n_rows, receipt.n_bytes, receipt.sha256, receipt.url,
            rows_sha256, core_sha256, accepted=stamp,
        )  # fmt: skip

    if receipt.status >= HTTP_ERROR:
        start = shown(shelf.body(receipt)[:200].decode(errors="replace"), 160)
        return landing("error", f"the publisher answered with HTTP {receipt.status}: {start}"), {}
    if last is not None and receipt.sha256 == last.sha256:
        return landing(
            "unchanged",
            f"the same bytes as on {last.day}",
            sum(map(len, last.tables.values())),
            last.rows_sha256,
            last.core_sha256,
        ), last.tables
    try:
        tables, notes = reading.read_answer(source, shelf.pages(receipt), receipt.request, receipt.captured_on)
        clashes = [clash for name, table in source.tables.items() for clash in _unique(tables, name, table, notes)]
    except SourceChangedError as failure:
        return landing("error", f"{failure.what}. {failure.fix}"), {}
    n_rows, rows_sha256 = (
        sum(map(len, tables.values())),
        _hash(
            {name: ([row[column] for column in table.columns] for row in tables[name]) for name, table in source.tables.items()}
        ),
    )
    core_sha256 = _hash({name: anomaly_checks.core(table, tables[name]) for name, table in source.tables.items()})
    doubts = sorted(text.removeprefix(DOUBT) for text in notes if text.startswith(DOUBT))
    said = [
        f"{text} ({times} times)" if times > 1 else text for text, times in sorted(notes.items()) if not text.startswith(DOUBT)
    ]
    other = (receipt.same_bytes_as or receipt.snapshot_id).split("/", 2)[1]
    if other != receipt.request and n_rows:
        clashes.append(f"the very bytes that answered {other}: two questions, one answer")
    if last is not None and rows_sha256 == last.rows_sha256 and not (clashes or doubts):
        why = "; ".join([f"other bytes, the same rows as on {last.day}", *said])
        return landing("unchanged", why, n_rows, rows_sha256, core_sha256), last.tables
    found = anomaly_checks.Finding(suspicions=clashes) if clashes else _compare(source, receipt, tables, last)
    if last is not None and core_sha256 in seen and core_sha256 != last.core_sha256 and not clashes:
        _old_copy(source, tables, seen[core_sha256], last.day, found)
    found.suspicions += doubts
    found.notes += said
    if acceptance is not None and n_rows:
        found = anomaly_checks.Finding(
            revisions=[f"accepted on {acceptance.accepted_on}: {acceptance.reason}"],
            notes=[*found.suspicions, *found.revisions, *found.notes],
        )
    return landing(found.verdict, found.reason, n_rows, rows_sha256, core_sha256), tables


def _compare(source: Source, receipt: Receipt, tables: dict[str, list[Row]], last: _Vintage | None) -> anomaly_checks.Finding:
    """Judge every table of a vintage and put the findings together."""
    found = anomaly_checks.Finding()
    for name, table in source.tables.items():
        one = compare(
            table, tables[name], last.tables[name] if last else None, day=receipt.captured_on,
            last_day=last.day if last else None, bounds=source.fetch.requests[receipt.request].rows,
        )  # fmt: skip
        found.suspicions += one.suspicions
        found.revisions += one.revisions
        found.notes += one.notes
    return found


def _old_copy(source: Source, tables: dict[str, list[Row]], first: date, replaced: date, found: anomaly_checks.Finding) -> None:
    """Judge a vintage that is one of long ago to the letter: a stale cache, unless nothing that counts went back."""
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
            shown = ", ".join(f"{column} = {shown(row[column])}" for column in table.grain)
            other = ", ".join(column for column in table.columns if before[column] != row[column])
            return [f"two different rows for one key ({shown}): they differ in {other}"]
    if len(kept) < len(rows):
        notes[f"{name}: {len(rows) - len(kept)} rows were there twice, to the letter, and count once"] = 1
    tables[name] = kept
    return []


def _write(
    settings: Settings, source: Source, receipt: Receipt, tables: dict[str, list[Row]], *, unchanged: bool
) -> dict[str, str]:
    """Write one Parquet file for each table, stamped; return their paths below the raw folder."""
    files = {}
    for name, table in source.tables.items():
        if unchanged and not table.repeat:
            continue
        columns = [
            pl.Series(column, [row[column] for row in tables[name]], dtype=POLARS[kind]) for column, kind in table.columns.items()
        ]
        frame = pl.DataFrame(columns).with_columns(
            pl.lit(receipt.snapshot_id).alias("_snapshot_id"),
            pl.lit(receipt.request).alias("_request"),
            pl.lit(receipt.captured_on).alias("_captured_on"),
        )
        path = Path(source.id) / name / receipt.request / f"{receipt.captured_on}-{receipt.sha256[:12]}.parquet"
        buffer = io.BytesIO()
        frame.write_parquet(buffer, compression="zstd", statistics=False)
        write_whole(_raw(settings) / path, buffer.getvalue())
        files[name] = str(path)
    return files


def _one_a_day(landings: list[Landing]) -> list[Landing]:
    """Serve at most one vintage of a request for each day: the last that said something new."""
    chosen: dict[date, Landing] = {}
    for landing in landings:
        if landing.verdict in {"ok", "revision", "unchanged"} and (
            landing.verdict != "unchanged" or landing.captured_on not in chosen
        ):
            chosen[landing.captured_on] = landing
    served = {landing.snapshot_id for landing in chosen.values()}
    out = []
    for landing in landings:
        if landing.verdict not in {"ok", "revision", "unchanged"} or landing.snapshot_id in served:
            out.append(replace(landing, is_served=landing.snapshot_id in served))
        else:
            note = "another answer of the same day is served"
            out.append(
                landing
                if not landing.is_served
                else replace(landing, is_served=False, reason="; ".join(filter(None, (landing.reason, note))))
            )
    return out


def _state(source: Source, request: str, today: date, landings: list[Landing]) -> RequestState:
    """Say how one request stands."""
    if not landings:
        return RequestState(source.id, request, "never", None, None, "nothing was ever fetched or brought in", None)
    served = [landing for landing in landings if landing.verdict in {"ok", "revision", "unchanged"}]
    served_on = served[-1].captured_on if served else None
    newest = landings[-1]
    cadence = EVERY_DAYS[source.fetch.every]
    if newest.verdict in {"suspicious", "error"}:
        since = newest
        for landing in reversed(landings):
            if landing.verdict not in {"suspicious", "error"}:
                break
            since = landing
        name = "quarantined" if newest.verdict == "suspicious" else "failing"
        return RequestState(source.id, request, name, since.captured_on, served_on, newest.reason, newest.snapshot_id)
    begun = newest
    for landing in reversed(served):
        if landing.core_sha256 != newest.core_sha256:
            break
        begun = landing
    if cadence is not None and source.fetch.requests[request].live and source.fetch.protocol != "inbox":
        silent = (today - newest.captured_on).days
        if silent < 0:
            return RequestState(
                source.id,
                request,
                "clock suspicious",
                newest.captured_on,
                served_on,
                f"the newest snapshot is of {newest.captured_on}, after today ({today}): set the clock",
                newest.snapshot_id,
            )
        if silent > 2 * cadence:
            return RequestState(
                source.id,
                request,
                "silent",
                newest.captured_on,
                served_on,
                f"nothing was fetched for {silent} days; every {cadence} is usual",
                newest.snapshot_id,
            )
        if (newest.captured_on - begun.captured_on).days >= STALE_CADENCES * cadence:
            return RequestState(
                source.id,
                request,
                "stale",
                begun.captured_on,
                served_on,
                f"fetched, and identical since {begun.captured_on}",
                newest.snapshot_id,
            )
    return RequestState(
        source.id,
        request,
        "unchanged" if newest.verdict == "unchanged" else "fresh",
        begun.captured_on,
        served_on,
        newest.reason,
        newest.snapshot_id,
    )


def _hash(tables: dict[str, Iterable[list[Any]]]) -> str:
    """Return a hash of rows; they are in order of their grain."""
    digest = hashlib.sha256()
    for name, rows in tables.items():
        digest.update(f"[{name}]".encode())
        for row in rows:
            digest.update(json.dumps(row, default=str, separators=(",", ":")).encode())
    return digest.hexdigest()


def _stamp(acceptance: Acceptance | None) -> str:
    return "" if acceptance is None else f"{acceptance.accepted_on}:{acceptance.reason}"


def _raw(settings: Settings) -> Path:
    return settings.lake / "raw"


@cache
def _engine_hash() -> str:
    """Return a hash of the code that reads and validates responses."""
    return hashlib.sha256((code_hash(Path(__file__)) + datamoat.__version__).encode()).hexdigest()


def _code_hash(source: Source) -> str:
    """Return a hash of everything but the bytes that a landing of this source is a function of."""
    digest = hashlib.sha256(_engine_hash().encode())
    for path in (source.path, source.parser):
        digest.update(path.read_bytes() if path.is_file() else b"")
    return digest.hexdigest()


def _read_log(settings: Settings, source_id: str, code: str | None) -> list[Landing]:
    """Return the landings on record, none if other code made them or their files are gone."""
    path = _raw(settings) / source_id / LOG
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        landings = [
            Landing(
                **{
                    **entry,
                    "captured_on": date.fromisoformat(entry["captured_on"]),
                    "retrieved_at": datetime.fromisoformat(entry["retrieved_at"]).astimezone(UTC),
                }
            )
            for entry in stored["landings"]
        ]
    except (OSError, ValueError, TypeError, KeyError):
        return []
    if code is not None:
        if stored.get("code") != code:
            return []
        if not all((_raw(settings) / file).is_file() for landing in landings for file in landing.files.values()):
            return []
    return landings


def _plain(landing: Landing) -> dict[str, Any]:
    value = asdict(landing)
    value["captured_on"] = landing.captured_on.isoformat()
    value["retrieved_at"] = landing.retrieved_at.strftime("%Y-%m-%dT%H:%M:%S+00:00")
    return value
