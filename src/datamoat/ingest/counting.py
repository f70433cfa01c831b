"""Count one part of a streamed source: one small Parquet file of counts, then the receipt; killed anywhere, nothing is half done."""

import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Literal

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from datamoat.errors import ContentError, SourceChangedError, UsageError
from datamoat.ingest.archives import Tally, batches_of, format_of
from datamoat.ingest.part_receipts import (
    RELATION,
    PartReceipt,
    counts_sql,
    definition_of,
    folder_of,
    key_of,
    read_receipts,
    write_receipt,
)
from datamoat.ingest.part_rows import WHY, casts, checked
from datamoat.parsing import shown
from datamoat.project.part import PART_STAMPS, Part
from datamoat.project.sources import Source
from datamoat.settings import Settings
from datamoat.storage.files import put_in_place
from datamoat.storage.lake import identifier, literal_path, quoted

Engine = Literal["duckdb", "spark"]
MEMORY = "256MB"  # of DuckDB, while it counts
MOST_REJECTED = 0.001  # share of a part's rows
FEW = 8  # fewer rows of counts than this may be those of another day by chance
CHUNK = 4 * 2**20


@dataclass(frozen=True)
class PartFile:
    """One part as it lies on disk, and where it came from.

    Attributes:
        path: The file; a folder or an address of Parquet files where Spark reads it.
        name: The publisher's name of it.
        part_on: The day it is about.
        checksum: The publisher's checksum, as `sha1:…`.
    """

    request: str
    path: str
    name: str
    url: str
    part_on: date | None = None
    checksum: str | None = None
    label: str | None = None
    licence: str | None = None


def count_part(
    settings: Settings,
    source: Source,
    file: PartFile,
    now: datetime,
    *,
    engine: Engine = "duckdb",
    remote: str | None = None,
) -> PartReceipt:
    """Count one part and store its counts and its receipt.

    A part that was counted before under the same definition, on the same day, is returned as it is. Peak memory does not
    depend on the size of the part: CSVs are streamed, Parquet is read by the engine.

    Args:
        settings: Where things are.
        source: A streamed source.
        file: The part.
        now: When it was fetched or added.
        engine: Which engine runs `counts.sql`.
        remote: The address of a Spark Connect server (`sc://host:15002`).

    Raises:
        SourceChangedError: The part is not what `source.yml` declares, or too many of its rows are malformed.
        ContentError: `counts.sql` does not run, or does not yield what is declared.
    """
    part = _part(source)
    sql, definition = counts_sql(source), definition_of(source)
    sha256, n_bytes = _identity(file, remote, definition)
    checked = _checked(file)
    day = now.astimezone(UTC).date()
    known = [one for one in read_receipts(settings, source) if one.sha256 == sha256 and one.definition == definition]
    about = (file.label, file.licence)
    for one in known:  # what is about no single day has one capture, whatever its name
        is_same = one.part_on is None or (one.captured_on, one.part) == (day, file.name)
        if (one.label, one.licence, one.part_on) == (*about, file.part_on) and is_same:
            return one
    stem = f"{day}-{sha256[:12]}-{definition[:8]}-{key_of(file.name, *about)}"
    with _work(settings, source, stem) as work:
        tally = Tally()
        if engine == "spark":
            from datamoat.ingest.spark import count_on_spark

            counts = count_on_spark(sql, part, file.path, file.part_on, work, tally, remote)
        else:
            counts = count_on_duckdb(sql, part, Path(file.path), file.part_on, work, tally)
        n_counted = _verify(source, part, counts, tally, file)
        others = [one for one in read_receipts(settings, source) if one.definition == definition and _differ_in_day(one, file)]
        _check_copied(part, file, counts, n_counted, [(one, folder_of(settings, source.id) / one.counts) for one in others])
        _check_beside(part, file, n_counted, others)
        is_cut = part.cut_at is not None and tally.n_listed >= part.cut_at
        stamps: dict[str, Any] = {
            "_part": file.name, "_part_on": file.part_on, "_captured_on": day, "_n_listed": tally.n_listed, "_is_cut": is_cut,
            "_label": file.label, "_licence": file.licence,
            "_capture": f"{now.astimezone(UTC).isoformat()} {file.name} {sha256[:12]}",
        }  # fmt: skip
        path = folder_of(settings, source.id) / f"{stem}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(_stamped(counts, part, stamps), work / "counts.parquet", compression="zstd")
        put_in_place(work / "counts.parquet", path)
        with path.open("rb") as handle:
            counts_sha256 = hashlib.file_digest(handle, "sha256").hexdigest()
        receipt = PartReceipt(
            source.id, file.request, file.name, file.part_on, day, now.astimezone(UTC).replace(microsecond=0), file.url, n_bytes,
            sha256, checked, tally.n_listed, n_counted, tally.n_rejected, tally.first_bad, is_cut, definition, path.name,
            counts_sha256, file.label, file.licence, engine,
        )  # fmt: skip
        write_receipt(settings, receipt)
    return receipt


def count_on_duckdb(sql: str, part: Part, path: Path, part_on: date | None, work: Path, tally: Tally) -> pa.Table:
    """Return the counts of one part, by DuckDB in bounded memory.

    Raises:
        SourceChangedError: The part cannot be read.
        ContentError: `counts.sql` does not run on it.
    """
    with duckdb.connect(
        config={
            "memory_limit": MEMORY, "threads": "2", "preserve_insertion_order": "false", "temp_directory": str(work / "spill"),
            "autoinstall_known_extensions": "false", "autoload_known_extensions": "false",
        }
    ) as con:  # fmt: skip
        con.execute("set timezone = 'UTC'; set enable_progress_bar = false")
        try:
            if format_of(path) == "parquet":
                _parquet_relation(con, part, path, part_on, tally)
            else:
                schema = pa.schema([(name, pa.string()) for name in part.columns])
                reader = pa.RecordBatchReader.from_batches(schema, batches_of(path, part, tally, part_on))
                con.register("_read", reader)
                con.execute(f"create view {RELATION} as select {casts(part)} from _read")
            return con.sql(sql).to_arrow_table()
        except duckdb.Error as failure:
            if tally.failure is not None:  # raised while a part was read, within the engine
                raise tally.failure from failure
            raise ContentError(
                f"counts.sql did not run: {shown(failure, 300)}", path.name, "fix counts.sql, or compare the part's columns."
            ) from failure


def to_parquet(part: Part, path: Path, to: Path, tally: Tally, part_on: date | None = None) -> None:
    """Write the declared columns of a CSV or ZIP part as Parquet, for an engine that reads no archives."""
    schema = pa.schema([(name, pa.string()) for name in part.columns])
    with pq.ParquetWriter(to, schema, compression="zstd") as writer:
        for batch in batches_of(path, part, tally, part_on):
            writer.write_batch(batch)


def _parquet_relation(con: duckdb.DuckDBPyConnection, part: Part, path: Path, part_on: date | None, tally: Tally) -> None:
    """Make the relation of the sound rows of a Parquet part, and count the others."""
    fix = "nothing was stored; compare its schema with `columns` in source.yml, then fetch or add it again."
    try:
        names, n_listed = set(pq.read_schema(path).names), pq.read_metadata(path).num_rows
        if missing := [name for name in part.columns if name not in names]:
            raise SourceChangedError(f"the Parquet has no column {', '.join(missing)}", path.name, fix)
        con.execute(f"create view _file as from read_parquet({literal_path(path)}, hive_partitioning = false)")
        con.execute(f"create view _checked as {checked(part, part_on, '_file')}")
        n_read, n_bad, first = con.sql(f"select count(*), count({WHY}), any_value({WHY}) from _checked").fetchall()[0]
    except (pa.ArrowException, OSError, duckdb.Error) as failure:
        raise SourceChangedError(f"the Parquet cannot be read: {shown(failure, 200)}", path.name, fix) from failure
    if n_read != n_listed:
        raise SourceChangedError(f"the Parquet lists {n_listed:,} rows and {n_read:,} were read", path.name, fix)
    con.execute(f"create view {RELATION} as select * exclude ({WHY}) from _checked where {WHY} is null")
    tally.n_listed, tally.header = n_listed - n_bad, list(part.columns)
    if n_bad:
        tally.reject(n_bad, f"{path.name}: {shown(first, 160)}")


def _verify(source: Source, part: Part, counts: pa.Table, tally: Tally, file: PartFile) -> int:
    """Compare counts with what is declared of them; return what was counted.

    Raises:
        SourceChangedError: A declared condition holds, or too many rows were rejected.
        ContentError: Other columns, an empty or repeated key, or a total that is not the rows read.
    """
    where = str(source.folder / "counts.sql")
    if not tally.n_listed:
        raise SourceChangedError("it has a header and no row", file.name, "nothing was stored; fetch or add it again.")
    if counts.column_names != list(part.counts):
        raise ContentError(f"counts.sql yields {counts.column_names}", where, f"declared are {list(part.counts)}.")
    if tally.n_rejected > MOST_REJECTED * max(tally.n_listed, 1):
        raise SourceChangedError(
            f"{tally.n_rejected:,} of {tally.n_listed:,} rows are malformed, the first: {tally.first_bad}",
            file.name,
            "nothing was stored; look at that row, and at whether the publisher changed the format.",
        )
    with duckdb.connect() as con:
        con.register("_counts", counts)
        con.execute(
            "create table counts as select "
            + ", ".join(f"{identifier(name)}::{kind} as {identifier(name)}" for name, kind in part.counts.items())
            + f", {_literal(file.part_on)}::date as _part_on from _counts"
        )
        keys = ", ".join(map(identifier, part.grain))
        empty = " or ".join(f"{identifier(name)} is null" for name in part.grain)
        bad = con.sql(
            f"select (select count(*) from counts where {empty}), count(*) - count(distinct ({keys})) from counts"
        ).fetchall()[0]
        if any(bad):
            raise ContentError(
                f"{bad[0]} rows of counts of {file.name} have an empty key and {bad[1]} a repeated one",
                where,
                f"group by {keys}; a column that makes a key belongs to `required` in source.yml.",
            )
        for sentence, condition in part.refuse.items():
            n_bad = con.sql(f"select count(*) from counts where {condition}").fetchall()[0][0]
            if n_bad:
                raise SourceChangedError(
                    f"{sentence}: {n_bad:,} of {counts.num_rows:,} rows of counts",
                    file.name,
                    "nothing was stored; compare the file with the publisher's.",
                )
        counted = int(con.sql(f"select coalesce(sum({identifier(part.total)}), 0) from counts").fetchall()[0][0])
    if part.counts_every_row and counted != tally.n_listed - tally.n_rejected:
        raise ContentError(
            f"{part.total} sums to {counted:,} and {tally.n_listed - tally.n_rejected:,} rows were read",
            where,
            "count every row once.",
        )
    return counted


def _differ_in_day(one: PartReceipt, file: PartFile) -> bool:
    """Return whether a known part and this one differ in the day only, or not at all: a file of one platform is no copy of the file of all."""
    return (
        file.part_on is not None
        and one.part_on is not None
        and (one.request, one.label) == (file.request, file.label)
        and one.part.replace(one.part_on.isoformat(), "") == file.name.replace(file.part_on.isoformat(), "")
    )


def _check_copied(part: Part, file: PartFile, counts: pa.Table, n_counted: int, others: list[tuple[PartReceipt, Path]]) -> None:
    """Check that counts are not those of another day under this day's date.

    Args:
        part: The declaration.
        file: The part.
        counts: Its counts.
        n_counted: Their total.
        others: Receipts of parts that differ in the day only, each with the path of its counts.

    Raises:
        SourceChangedError: They are.
    """

    def rows(of: str, day: date | None) -> str:  # a day in the counts as its distance from the day of the part
        columns = [
            f"{identifier(name)}::{kind}" + (f" - {_literal(day)}::date" if kind == "DATE" else "")
            for name, kind in part.counts.items()
        ]
        return f"(select {', '.join(columns)} from {of})"

    for one, path in others:
        if one.part_on == file.part_on or one.n_counted != n_counted or counts.num_rows < FEW or not path.is_file():
            continue
        with duckdb.connect() as con:
            con.register("_counts", counts)
            ours, theirs = rows("_counts", file.part_on), rows(f"read_parquet({literal_path(path)})", one.part_on)
            n_other = con.sql(f"select count(*) from ({ours} except all {theirs} union all ({theirs} except all {ours}))")
            if n_other.fetchall()[0][0] == 0:
                raise SourceChangedError(
                    f"all {counts.num_rows:,} rows of counts are those of {one.part} but for the day: a copy under another date",
                    file.name,
                    "nothing was stored; fetch it again, and compare the two files with the publisher's.",
                )


def _check_beside(part: Part, file: PartFile, n_counted: int, receipts: list[PartReceipt]) -> None:
    """Compare the total of a part with its first capture, or else with the nearest of the parts that differ in the day only.

    The first, since several small changes would each be within the bound.

    Args:
        part: The declaration.
        file: The part.
        n_counted: Its total.
        receipts: Those that differ from it in the day only, in order of capture, counted as this part is.

    Raises:
        SourceChangedError: It is further from it than declared.
    """
    day = file.part_on
    if part.beside is None or day is None:
        return
    apart = [
        (abs((one.part_on - day).days), n if one.part_on == day else -n, one)
        for n, one in enumerate(receipts)
        if one.part_on is not None and one.n_counted
    ]
    days, _, near = min(apart, default=(part.beside.days + 1, 0, None))
    if near is None or days > part.beside.days:
        return
    limit = part.beside.factor.after(days) if days else part.beside.again.max
    times = n_counted / near.n_counted
    if not 1 / limit <= times <= limit:
        raise SourceChangedError(
            f"{part.total} sums to {n_counted:,}, which is {times:.3g} times that of {near.part} ({near.n_counted:,}, captured on "
            f"{near.captured_on}); {limit:g} times at most, or that part of it, is expected",
            file.name,
            "nothing was stored; compare the two files: if this one is right, raise `beside` in source.yml, or delete the receipt of the other.",
        )


def _stamped(counts: pa.Table, part: Part, stamps: dict[str, Any]) -> pa.Table:
    """Return counts in the declared types, in the order of their grain, with the engine's stamps."""
    with duckdb.connect() as con:
        con.register("_counts", counts)
        wanted = [f"{identifier(name)}::{kind} as {identifier(name)}" for name, kind in part.counts.items()]
        wanted += [f"{_literal(stamps[name])}::{kind} as {name}" for name, kind in PART_STAMPS.items()]
        order = ", ".join(map(identifier, part.grain))
        return con.sql(f"select {', '.join(wanted)} from _counts order by {order}").to_arrow_table()


def _literal(value: object) -> str:
    return "null" if value is None else quoted(str(value))


def _identity(file: PartFile, remote: str | None, definition: str) -> tuple[str, int]:
    """Return the hash and the size of a part; of a folder on a cluster's storage, those of its listing."""
    path = Path(file.path)
    if "://" not in file.path and path.is_file():
        digest = hashlib.sha256()
        with path.open("rb") as handle:
            while piece := handle.read(CHUNK):
                digest.update(piece)
        return digest.hexdigest(), path.stat().st_size
    if remote is None and "://" in file.path:
        raise UsageError("only Spark reads an address", file.path, "add --engine spark --remote sc://HOST:15002.")
    if "://" not in file.path and not path.is_dir():
        raise UsageError("no such file", file.path, "check the path.")
    from datamoat.ingest.spark import listing

    listed = listing(file.path, remote)
    return hashlib.sha256(json.dumps([listed, definition]).encode()).hexdigest(), sum(size for _, size, _ in listed)


def _checked(file: PartFile) -> str | None:
    """Compare a part with the publisher's checksum.

    Raises:
        SourceChangedError: They differ.
    """
    if file.checksum is None:
        return None
    kind, _, wanted = file.checksum.partition(":")
    with Path(file.path).open("rb") as handle:
        found = hashlib.file_digest(handle, kind).hexdigest()
    if found != wanted.lower():
        raise SourceChangedError(
            f"its {kind} is {found}, and the publisher's is {wanted}", file.name, "nothing was counted; fetch the part again."
        )
    return f"{kind}:{found}"


def _part(source: Source) -> Part:
    if source.part is None:
        raise UsageError(f"{source.id} is not a streamed source", str(source.path), "`datamoat fetch` asks it.")
    return source.part


@contextmanager
def _work(settings: Settings, source: Source, stem: str) -> Iterator[Path]:
    """Hold the lock of one part, so that two workers count two parts and never the same; its folder goes at the end."""
    from datamoat.storage.files import one_client

    folder = settings.snapshots / source.id / "work" / stem
    try:
        with one_client(folder, 600.0):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
