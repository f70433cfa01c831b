"""Where things are and how much of the machine may be used: read once, from the environment."""

import os
from dataclasses import dataclass
from pathlib import Path

from datamoat.errors import UsageError

PACKAGED = Path(__file__).parent / "content"
MARKER = "transforms/columns.yml"  # what makes a folder a content tree
UNFIT_SIGNS = {
    "?": "a `?`, at which DuckDB cuts a path", "\\": "a `\\`, which DuckDB takes for a `/`",
    "\n": "a line break, which no command that we print could name",
}  # fmt: skip


@dataclass(frozen=True)
class Settings:
    """The two roots and the limits of a run.

    Attributes:
        content: The folder that holds `transforms/`, `expectations/` and `data/reference/`.
        data: The folder that snapshots, the lake, the warehouse and exports are written to.
        threads: How many threads DuckDB may use; the results do not depend on it.
        memory_limit: DuckDB's memory limit, in its own notation.
        room: How many bytes of the disk must be free before a build or an export.
        keep_exports: How many exports a scheduler leaves in the data folder; releases are never removed.
        keep_days: After how many days it removes logs and what is on record of runs.
        store: The bucket that this data folder shares with other hosts, as `s3://bucket/prefix`; empty for none.
    """

    content: Path
    data: Path
    threads: int = 2
    memory_limit: str = "2GB"
    room: int = 2_000_000_000  # a build, its spill and three retained files
    keep_exports: int = 3
    keep_days: int = 30
    store: str = ""

    @property
    def is_packaged(self) -> bool:
        """Whether the content tree is the copy inside the installed package, which is nobody's to edit."""
        return self.content == PACKAGED

    @property
    def own_content(self) -> Path:
        """The content tree, to write to.

        Raises:
            UsageError: It is the copy inside the installed package.
        """
        if self.is_packaged:
            raise UsageError(
                "this content tree is part of the installed package, which is never written to",
                str(self.content),
                "copy it to a folder of your own and set DATAMOAT_ROOT to that.",
            )
        return self.content

    @property
    def reference(self) -> Path:
        """Facts that people transcribed; in git."""
        return self.content / "data" / "reference"

    @property
    def snapshots(self) -> Path:
        """Bytes as received, append-only."""
        return self.data / "snapshots"

    @property
    def lake(self) -> Path:
        """Parquet of every model; may be deleted."""
        return self.data / "lake"

    @property
    def warehouse(self) -> Path:
        """The folder of the published file and of the builds kept for rollback."""
        return self.data / "warehouse"

    @property
    def published(self) -> Path:
        """The file readers open."""
        return self.warehouse / "datamoat.duckdb"

    @property
    def exports(self) -> Path:
        """Dated bundles."""
        return self.data / "exports"


def find_content(start: Path | None = None) -> Path:
    """Return the content tree: `DATAMOAT_ROOT`, the nearest checkout above `start`, or the packaged copy.

    Raises:
        UsageError: None of the three is there.
    """
    named = os.environ.get("DATAMOAT_ROOT")
    if named:
        if (Path(named) / MARKER).is_file():
            return Path(named).resolve()
        raise UsageError(
            f"DATAMOAT_ROOT names a folder without {MARKER}", named, "point DATAMOAT_ROOT at a checkout, or unset it."
        )
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / MARKER).is_file():
            return folder
    if (PACKAGED / MARKER).is_file():
        return PACKAGED
    raise UsageError("no content tree here or above", str(here), "change into a checkout of datamoat, or set DATAMOAT_ROOT.")


def read_settings(start: Path | None = None) -> Settings:
    """Return the settings of this process.

    `DATAMOAT_DATA` moves everything that is written; without it a checkout keeps its own `data/`, and the packaged
    content writes to `~/.local/share/datamoat` (or `XDG_DATA_HOME`).

    Raises:
        UsageError: There is no content tree, or a folder or number that was given cannot be used.
    """
    content = find_content(start)
    named = os.environ.get("DATAMOAT_DATA")
    if named:
        data = Path(named).resolve()
    elif content == PACKAGED:
        data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "datamoat"
    else:
        data = content / "data"
    path = data.as_posix()
    unfit = [why for sign, why in UNFIT_SIGNS.items() if sign in path]
    if any("\ud800" <= sign <= "\udfff" for sign in path):
        unfit.append("bytes that are no text in this locale; PYTHONUTF8=1 reads UTF-8 in any")
    if unfit:
        raise UsageError(f"the path of the data folder holds {unfit[0]}", ascii(path), "set DATAMOAT_DATA to another folder.")
    return Settings(
        content=content,
        data=data,
        threads=_positive("DATAMOAT_THREADS", min(os.cpu_count() or 1, 8)),
        memory_limit=os.environ.get("DATAMOAT_MEMORY", "2GB"),
        room=_positive("DATAMOAT_ROOM_GB", 2) * 1_000_000_000,
        keep_exports=_positive("DATAMOAT_KEEP_EXPORTS", 3),
        keep_days=_positive("DATAMOAT_KEEP_DAYS", 30),
        store=os.environ.get("DATAMOAT_STORE", ""),
    )


def _positive(name: str, default: int) -> int:
    """Return an environment variable as a whole number above zero."""
    text = os.environ.get(name)
    if text is None:
        return default
    if text.isdecimal() and int(text) > 0:
        return int(text)
    raise UsageError(f"{name} is {text!r}, not a whole number above zero", "the environment", f"set {name}=2, say.")
