"""Which quarantined snapshots a person accepted: one line each in a file that git keeps."""

import csv
import io
from dataclasses import astuple, dataclass, fields
from datetime import date
from pathlib import Path

from datamoat.errors import ContentError
from datamoat.settings import Settings
from datamoat.storage.files import write_whole

FILE = "accepted_snapshots.csv"


@dataclass(frozen=True)
class Acceptance:
    """One decision: this snapshot is to be served although the checks found it suspicious."""

    snapshot_id: str
    source_id: str
    request: str
    sha256: str
    accepted_on: date
    reason: str


def file_of(settings: Settings) -> Path:
    """Return where acceptances are: with the reference facts, or in the data folder where those belong to the package."""
    return (settings.data if settings.is_packaged else settings.reference) / FILE


def read_accepted(settings: Settings) -> dict[str, Acceptance]:
    """Return every acceptance by snapshot.

    Raises:
        ContentError: The file has other columns, or a row without a day or a reason.
    """
    path = file_of(settings)
    if not path.is_file():
        return {}
    wanted = [entry.name for entry in fields(Acceptance)]
    reader = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"), newline=""))
    if list(reader.fieldnames or []) != wanted:
        raise ContentError(
            f"columns {reader.fieldnames}, not {wanted}", str(path), "restore its header; `datamoat accept` writes rows."
        )
    found = {}
    for number, row in enumerate(reader, start=2):
        try:
            accepted = Acceptance(
                row["snapshot_id"],
                row["source_id"],
                row["request"],
                row["sha256"],
                date.fromisoformat(row["accepted_on"]),
                row["reason"],
            )
        except (TypeError, ValueError) as failure:
            raise ContentError(
                f"not a row of acceptances: {failure}", f"{path}:{number}", "give all six cells, the day as YYYY-MM-DD."
            ) from failure
        if not accepted.reason.strip():
            raise ContentError("an acceptance without a reason", f"{path}:{number}", "write why it was accepted.")
        found[accepted.snapshot_id] = accepted
    return found


def write_acceptance(settings: Settings, acceptance: Acceptance) -> Path:
    """Add one acceptance and return the file; accepting again replaces the reason."""
    entries = {**read_accepted(settings), acceptance.snapshot_id: acceptance}
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([entry.name for entry in fields(Acceptance)])
    for key in sorted(entries):
        row = list(astuple(entries[key]))
        row[4] = entries[key].accepted_on.isoformat()
        writer.writerow(row)
    path = file_of(settings)
    write_whole(path, out.getvalue().encode())
    return path
