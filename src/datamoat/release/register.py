"""The register of releases: one line each, in a file beside them or under version control."""

import csv
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from datamoat.errors import ContentError, PublishRefusedError
from datamoat.release.tables import csv_text
from datamoat.settings import Settings
from datamoat.storage.files import write_whole

REGISTER = "releases.csv"
COLUMNS = ("release_id", "released_on", "build_id", "as_of", "checksum")


@dataclass(frozen=True)
class Entry:
    """One line of a register of releases."""

    release_id: str
    released_on: date
    build_id: str
    as_of: date
    checksum: str


def register(folder: Path) -> list[Entry]:
    """Return the releases a register names, oldest first; none where there is no register.

    Raises:
        ContentError: The register is malformed.
    """
    path = folder / REGISTER
    if not path.is_file():
        return []
    try:
        with path.open(encoding="utf-8", newline="") as handle:
            reader = csv.DictReader(handle, strict=True)
            rows = list(reader)
        if tuple(reader.fieldnames or ()) != COLUMNS:
            raise ValueError(f"its header is {reader.fieldnames}")  # noqa: TRY301  (reported with the others)
        found = [
            Entry(
                row["release_id"],
                date.fromisoformat(row["released_on"]),
                row["build_id"],
                date.fromisoformat(row["as_of"]),
                row["checksum"],
            )
            for row in rows
        ]
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as failure:
        raise ContentError(
            f"the register of releases is malformed: {failure}", str(path), f"its columns are {', '.join(COLUMNS)}."
        ) from failure
    return sorted(found, key=lambda entry: (entry.released_on, entry.release_id))


def compare(settings: Settings, names: set[str], checksum: str) -> tuple[date | None, list[str]]:
    """Compare the checksum of a release with the registers of the content and of the exports.

    Args:
        settings: Where they are.
        names: The names the release goes by.
        checksum: The checksum it has; empty if it has none.

    Returns:
        The day a register gives for the checksum, None where none knows it; and what a register has instead under such a name.
    """
    entries = [(folder.name, entry) for folder in (settings.content / "data", settings.exports) for entry in register(folder)]
    known = [entry.released_on for _, entry in entries if entry.checksum == checksum]
    others = [
        f"its checksum is {checksum or 'absent'}, and the register of {name}/ has {entry.checksum}"
        for name, entry in entries
        if entry.release_id in names and entry.checksum != checksum
    ]
    return min(known, default=None), others


def record(folder: Path, entry: Entry) -> None:
    """Add one line to a register; a line once written stays.

    Raises:
        PublishRefusedError: The register holds another checksum for this release.
    """
    known = register(folder)
    for old in known:
        if old == entry:
            return
        if old.release_id == entry.release_id:
            raise PublishRefusedError(
                f"{entry.release_id} is registered with another checksum",
                str(folder / REGISTER),
                "a release is never made twice; look who changed it.",
            )
    lines = [(e.release_id, e.released_on.isoformat(), e.build_id, e.as_of.isoformat(), e.checksum) for e in (*known, entry)]
    write_whole(folder / REGISTER, csv_text(COLUMNS, lines).encode())
