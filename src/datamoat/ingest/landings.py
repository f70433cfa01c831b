"""What became of every snapshot: the record of landings, and the raw Parquet files they made."""

import hashlib
import io
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl

from datamoat.errors import ContentError
from datamoat.ingest.decisions import read_decisions
from datamoat.ingest.part_receipts import counts_paths, snapshot_rows
from datamoat.ingest.status import Status
from datamoat.log import log
from datamoat.parsing import Row
from datamoat.project.column_types import polars_type
from datamoat.project.sources import Source
from datamoat.settings import Settings
from datamoat.storage.files import read_record, write_record, write_whole
from datamoat.storage.snapshots import Receipt
from datamoat.storage.warehouse import known_sha256

LOG = "landing.json"
HASH_DIGITS = 12


@dataclass(frozen=True)
class Landing:
    """What became of one snapshot.

    Attributes:
        validation_status: ok, unchanged, revision, suspicious or error.
        is_served: Whether its rows are in raw.
        reason: Why, with the values that matter; empty where there is nothing to say.
        rows_sha256: Hash of its rows whatever their order; equal hashes are equal tables.
        core_sha256: The same of keys, ratings, votes and measures alone; equal hashes are equal boards.
        files: Path of each table's Parquet below the lake's raw folder.
        accepted: The acceptance that accepted it, as a stamp; part of what a landing is a function of.
    """

    snapshot_id: str
    source_id: str
    request: str
    captured_on: date
    retrieved_at: datetime
    validation_status: Status
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
class RawTable:
    """One raw table: the Parquet files that make it, its columns, and the column that dates when a row became known."""

    name: str
    paths: list[Path]
    columns: dict[str, str]
    known: str


def read_landings(settings: Settings, source: Source) -> list[Landing]:
    """Return what became of every landed snapshot of a source, by request and in order of time."""
    return read_log(settings, source.id, None)


def validated_with(landings: Iterable[Landing], day: date) -> list[Landing]:
    """Return the landings of a day, and what its landing may have turned bad: those after it, up to the next accepted one.

    Args:
        landings: Of one source, by request and in order of time.
        day: The day; a request without a landing on it has none after it either.
    """
    found: list[Landing] = []
    followed = ""  # the request whose bad landings after the day are listed
    for one in landings:
        if one.captured_on == day:
            followed = one.request
        elif one.request != followed or one.validation_status.is_accepted:
            followed = ""
            continue
        found.append(one)
    return found


def landing_rows(settings: Settings, sources: Iterable[Source]) -> list[dict[str, Any]]:
    """Return the rows of `meta.snapshots` for the live sources."""
    wanted = (
        "snapshot_id",
        "source_id",
        "request",
        "captured_on",
        "retrieved_at",
        "validation_status",
        "is_served",
        "reason",
        "n_rows",
        "n_bytes",
        "sha256",
        "url",
    )
    rows = []
    for source in sources:
        decisions = read_decisions(settings, source.id)
        for landing in read_landings(settings, source):
            row = {name: getattr(landing, name) for name in wanted} | {"retrieved_at": landing.retrieved_at.replace(tzinfo=None)}
            if (decision := decisions.get(landing.snapshot_id)) is not None:
                row |= {"decision": decision.choice.value, "decided_at": decision.decided_at.replace(tzinfo=None)}
                row |= {"decided_by": decision.decided_by, "decision_reason": decision.reason}
            rows.append(row)
        rows += snapshot_rows(settings, source) if source.part is not None else []
    return rows


def raw_relations(settings: Settings, sources: Iterable[Source]) -> dict[str, RawTable]:
    """Return every raw table of the live sources, the empty ones included, by name without its schema."""
    tables: dict[str, RawTable] = {}
    for source in sources:
        if source.part is not None:
            counts = f"{source.id}__counts"
            tables[counts] = RawTable(counts, counts_paths(settings, source), source.part.all_counts, "_captured_on")
            continue
        served = [landing for landing in read_landings(settings, source) if landing.is_served]
        for name, table in source.tables.items():
            paths = [raw_folder(settings) / landing.files[name] for landing in served if name in landing.files]
            tables[f"{source.id}__{name}"] = RawTable(f"{source.id}__{name}", paths, table.all_columns, table.known)
    return tables


def rows_of(settings: Settings, source: Source, landing: Landing) -> dict[str, list[Row]]:
    """Return the rows of a served landing, by table."""
    found = {}
    for name, table in source.tables.items():
        if name not in landing.files:
            continue
        frame = pl.read_parquet(raw_folder(settings) / landing.files[name], columns=list(table.columns), glob=False)
        seen: dict[Any, Any] = {}  # one object for equal texts
        columns = [
            [seen.setdefault(value, value) for value in frame[column].to_list()] if kind == "VARCHAR" else frame[column].to_list()
            for column, kind in table.columns.items()
        ]
        found[name] = [dict(zip(table.columns, values, strict=True)) for values in zip(*columns, strict=True)]
    return found


def write_tables(
    settings: Settings, source: Source, receipt: Receipt, tables: dict[str, list[Row]], *, unchanged: bool
) -> dict[str, str]:
    """Write one Parquet file for each table, stamped; return their paths below the raw folder."""
    files = {}
    for name, table in source.tables.items():
        if unchanged and not table.repeat:
            continue
        columns = [
            pl.Series(column, [row[column] for row in tables[name]], dtype=polars_type(kind))
            for column, kind in table.columns.items()
        ]
        frame = pl.DataFrame(columns).with_columns(
            pl.lit(receipt.snapshot_id).alias("_snapshot_id"),
            pl.lit(receipt.request).alias("_request"),
            pl.lit(receipt.captured_on).alias("_captured_on"),
        )
        buffer = io.BytesIO()
        frame.write_parquet(buffer, compression="zstd", statistics=False)
        own = hashlib.sha256(buffer.getvalue()).hexdigest()[:HASH_DIGITS]  # in the name, so that damage shows
        path = Path(source.id) / name / receipt.request / f"{receipt.captured_on}-{receipt.sha256[:HASH_DIGITS]}-{own}.parquet"
        write_whole(raw_folder(settings) / path, buffer.getvalue())
        files[name] = str(path)
    return files


def read_log(settings: Settings, source_id: str, code: str | None) -> list[Landing]:
    """Return the landings on record, none if other code made them or a file is missing or damaged."""
    path = raw_folder(settings) / source_id / LOG
    try:
        stored = read_record(path)
        landings = [
            Landing(
                **{
                    **entry,
                    "validation_status": Status(entry["validation_status"]),
                    "captured_on": date.fromisoformat(entry["captured_on"]),
                    "retrieved_at": datetime.fromisoformat(entry["retrieved_at"]).astimezone(UTC),
                }
            )
            for entry in stored["landings"]
        ]
    except (OSError, ValueError, TypeError, KeyError, ContentError):
        return []
    if code is not None:
        if stored.get("code") != code:
            return []
        files = [raw_folder(settings) / file for landing in landings for file in landing.files.values()]
        if damaged := [file for file in files if not _is_whole(file)]:
            log.warning("damaged", problem=f"{damaged[0]} is missing or not what was landed", fix=f"{source_id} is landed again")
            return []
    return landings


def write_log(settings: Settings, source_id: str, code: str, landings: list[Landing]) -> None:
    """Write the landings of a source and the hash of the code that made them."""
    write_record(raw_folder(settings) / source_id / LOG, {"code": code, "landings": [_plain(landing) for landing in landings]})


def _is_whole(path: Path) -> bool:
    """Return whether a raw file has the bytes whose hash is in its name."""
    try:
        return known_sha256(path).startswith(path.stem.rpartition("-")[2])
    except OSError:
        return False


def examine_raw(lake: Path) -> list[tuple[bool, str, str]]:
    """Return findings about the raw files and the records of landings: whether good, what was seen, what to do."""
    fix = "the next `datamoat land` reads the snapshots again"
    findings = [
        (False, f"lake: raw {path.name} is damaged", fix)
        for path in sorted((lake / "raw").rglob("*.parquet"))
        if not _is_whole(path)
    ]
    for path in sorted((lake / "raw").glob(f"*/{LOG}")):
        try:
            read_record(path)
        except (OSError, ValueError, ContentError):
            findings.append((False, f"lake: {path.parent.name}/{LOG} is damaged, or of a later version", fix))
    return findings


def raw_folder(settings: Settings) -> Path:
    """Return the folder of the raw Parquet files."""
    return settings.lake / "raw"


def _plain(landing: Landing) -> dict[str, Any]:
    value = asdict(landing)
    value["captured_on"] = landing.captured_on.isoformat()
    value["retrieved_at"] = landing.retrieved_at.strftime("%Y-%m-%dT%H:%M:%S+00:00")
    return value
