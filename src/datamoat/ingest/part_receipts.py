"""What is stored of a streamed source: for each part one Parquet file of counts and one receipt."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from datamoat.errors import ContentError
from datamoat.project.part import PART_STAMPS
from datamoat.project.sources import Source
from datamoat.project.sql import parsed, split_header, tables_in
from datamoat.settings import Settings
from datamoat.storage.files import write_json
from datamoat.storage.snapshots import PARTS
from datamoat.storage.store import synchronise

RECEIPT = ".receipt.json"
RELATION = "part"  # what counts.sql reads


@dataclass(frozen=True)
class PartReceipt:
    """What is known about one part besides its counts.

    Attributes:
        part: The publisher's name of the part.
        part_on: The day the part is about; None where it is about no single day.
        captured_on: The UTC day the part was fetched or added.
        n_bytes: Size of the part; the part itself is usually gone.
        sha256: Our hash of the part; of a listing of files where the part is a folder on a cluster's storage.
        publisher_checksum: What the publisher gave, as `sha1:…`; None where it gives none.
        n_listed: Rows found in the part, the rejected ones included.
        n_counted: The sum of the declared total over the counts.
        n_rejected: Rows not counted, as malformed or incomplete.
        first_bad: Where the first of them is, and what was wrong.
        is_cut: Whether the part has as many rows as the publisher cuts at; its totals are lower bounds.
        definition: Hash of `counts.sql` and of what decides which rows it counts; another definition makes the part stale.
        counts: Name of the Parquet file of counts, beside the receipt.
        counts_sha256: Hash of that file.
    """

    source_id: str
    request: str
    part: str
    part_on: date | None
    captured_on: date
    retrieved_at: datetime
    url: str
    n_bytes: int
    sha256: str
    publisher_checksum: str | None
    n_listed: int
    n_counted: int
    n_rejected: int
    first_bad: str | None
    is_cut: bool
    definition: str
    counts: str
    counts_sha256: str
    label: str | None = None
    licence: str | None = None
    engine: str = "duckdb"

    @property
    def snapshot_id(self) -> str:
        """The id of this vintage of the part, as in `meta.snapshots`."""
        return f"{self.source_id}/{self.request}/{self.captured_on}/{self.counts.removesuffix('.parquet')[11:]}"


def counts_sql(source: Source) -> str:
    """Return the SELECT of a streamed source's `counts.sql`.

    Raises:
        ContentError: It has no header, is not one SELECT, or reads anything but `part`.
    """
    path = source.folder / "counts.sql"
    if not path.is_file():
        raise ContentError("a streamed source needs counts.sql", str(path), "write one SELECT over the relation `part`.")
    _, sql = split_header(path)
    if (found := tables_in(parsed(sql, path))) != {("", RELATION)}:
        names = ", ".join(sorted(".".join(filter(None, pair)) for pair in found)) or "nothing"
        raise ContentError(f"counts.sql reads {names}", str(path), f"read the one relation `{RELATION}` and nothing else.")
    return sql


def definition_of(source: Source) -> str:
    """Return a hash of everything that the counts of a part depend on, the part itself excluded."""
    assert source.part is not None  # noqa: S101  (the caller has a streamed source)
    part = source.part
    declared = [list(part.columns.items()), part.required, list(part.counts.items()), part.grain, part.total, part.cut_at]
    rules = [list(part.refuse.items()), list(part.reject.items()), part.is_exact, part.counts_every_row, list(PART_STAMPS)]
    return hashlib.sha256((counts_sql(source) + json.dumps([declared, rules])).encode()).hexdigest()


def key_of(name: str, label: str | None, licence: str | None) -> str:
    """Return what keeps captures of equal bytes apart: a hash of the part's name and its labels."""
    return hashlib.sha256(json.dumps([name, label, licence]).encode()).hexdigest()[:8]


def folder_of(settings: Settings, source_id: str) -> Path:
    """Return the folder that holds counts and receipts of a source."""
    return settings.snapshots / source_id / PARTS


def read_receipts(settings: Settings, source: Source) -> list[PartReceipt]:
    """Return the receipts of a streamed source in order of capture; those of an older definition included.

    Raises:
        ContentError: A receipt is damaged.
    """
    found = [_read(path) for path in sorted(folder_of(settings, source.id).glob(f"*{RECEIPT}"))]
    return sorted(found, key=lambda one: (one.captured_on, one.retrieved_at, one.part, one.sha256))


def served(settings: Settings, source: Source) -> Iterator[PartReceipt]:
    """Yield the receipts whose counts are served: of the current definition, one for the same bytes under the same label.

    What is about a day has one for each day of capture and name; which of several files of a day counts is for staging.
    """
    receipts = read_receipts(settings, source)
    if receipts:
        definition = definition_of(source)
        current = {
            (one.label, one.sha256, *(() if one.part_on is None else (one.part, one.captured_on))): one
            for one in receipts
            if one.definition == definition
        }
        yield from current.values()


def stale(settings: Settings, source: Source) -> list[PartReceipt]:
    """Return the last receipt of every part that was counted under another definition only."""
    receipts = read_receipts(settings, source)
    current = {(one.part, one.label) for one in served(settings, source)}
    return list({(one.part, one.label): one for one in receipts if (one.part, one.label) not in current}.values())


def counts_paths(settings: Settings, source: Source) -> list[Path]:
    """Return the Parquet files of counts that are served.

    Raises:
        ContentError: A file is missing, or is not what was stored.
    """
    paths = []
    for receipt in served(settings, source):
        path = folder_of(settings, source.id) / receipt.counts
        if not path.is_file():
            raise ContentError(
                f"the counts of {receipt.part} are missing",
                f"data/snapshots/{source.id}/parts/{receipt.counts}",
                "restore data/snapshots from its archive, or delete the receipt beside it and count the part again.",
            )
        if hashlib.sha256(path.read_bytes()).hexdigest() != receipt.counts_sha256:
            raise ContentError(
                f"the counts of {receipt.part} are not what was stored",
                f"data/snapshots/{source.id}/parts/{receipt.counts}",
                "restore data/snapshots from its archive, or delete the receipt beside it and count the part again.",
            )
        paths.append(path)
    return paths


def snapshot_rows(settings: Settings, source: Source) -> list[dict[str, Any]]:
    """Return the rows of `meta.snapshots` for a streamed source."""
    current = {one.snapshot_id for one in served(settings, source)}
    return [
        {
            "snapshot_id": one.snapshot_id, "source_id": source.id, "request": one.request, "captured_on": one.captured_on,
            "retrieved_at": one.retrieved_at.replace(tzinfo=None), "validation_status": "ok", "is_served": one.snapshot_id in current,
            "reason": _reason(one, is_served=one.snapshot_id in current), "n_rows": one.n_listed, "n_bytes": one.n_bytes,
            "sha256": one.sha256, "url": one.url,
        }
        for one in read_receipts(settings, source)
    ]  # fmt: skip


def write_receipt(settings: Settings, receipt: PartReceipt) -> None:
    """Write a receipt; with it a part is done."""
    value = {key: entry for key, entry in asdict(receipt).items() if entry is not None}
    value |= {"captured_on": receipt.captured_on.isoformat(), "retrieved_at": receipt.retrieved_at.isoformat()}
    if receipt.part_on is not None:
        value["part_on"] = receipt.part_on.isoformat()
    name = receipt.counts.removesuffix(".parquet") + RECEIPT
    write_json(folder_of(settings, receipt.source_id) / name, value)
    synchronise(settings, f"snapshots/{receipt.source_id}")


def _reason(one: PartReceipt, *, is_served: bool) -> str:
    notes = []
    if one.is_cut:
        notes.append(f"cut at {one.n_listed:,} rows: totals are lower bounds")
    if one.n_rejected:
        notes.append(f"{one.n_rejected:,} of {one.n_listed:,} rows rejected, the first: {one.first_bad}")
    if not is_served:
        notes.append("counted under another definition, or again later")
    return "; ".join(notes)


def _read(path: Path) -> PartReceipt:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        value["captured_on"] = date.fromisoformat(value["captured_on"])
        value["retrieved_at"] = datetime.fromisoformat(value["retrieved_at"])
        value["part_on"] = date.fromisoformat(value["part_on"]) if value.get("part_on") else None
        return PartReceipt(**{"publisher_checksum": None, "first_bad": None, **value})
    except (OSError, ValueError, TypeError, KeyError) as failure:
        raise ContentError(
            f"not a receipt: {type(failure).__name__}",
            f"data/snapshots/…/{path.name}",
            "restore it from the archive of data/snapshots.",
        ) from failure
