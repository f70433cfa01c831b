"""How the checks of a build came out, on record in the lake and as `meta.audits`."""

from dataclasses import asdict, dataclass, field
from pathlib import Path

import polars as pl

from datamoat.errors import AuditFailedError, ContentError
from datamoat.settings import Settings
from datamoat.storage.files import part_of, put_in_place, read_record, sha256_of, write_record
from datamoat.storage.lake import path_of

AUDIT_FILE = "audit.json"
TABLE = "meta.audits"
SCHEMA = {
    "table_name": pl.String, "check_name": pl.String, "kind": pl.String, "severity": pl.String, "reason": pl.String,
    "is_ok": pl.Boolean, "n_offending": pl.Int64, "offending": pl.String,
}  # fmt: skip


@dataclass(frozen=True)
class Result:
    """How one check came out.

    Attributes:
        table_name: The table, with its schema; the check's name where it spans several.
        check_name: What was checked.
        kind: contract, expectation or check.
        severity: critical or warning.
        reason: Why it is checked.
        is_ok: Whether it passed.
        n_offending: How many rows failed.
        offending: Up to five of them, as JSON.
        seconds: How long it took, or the suite it is of; for the log alone.
    """

    table_name: str
    check_name: str
    kind: str
    severity: str
    reason: str
    is_ok: bool
    n_offending: int = 0
    offending: str | None = None
    seconds: float = field(default=0.0, compare=False)

    def __str__(self) -> str:
        """Return it in a few lines."""
        rows = f"\n    rows ({self.n_offending:,}): {self.offending}" if self.offending else ""
        return f"  {self.table_name}: {self.check_name}\n    why: {self.reason}{rows}"


@dataclass(frozen=True)
class Audit:
    """All results of one build."""

    build_id: str
    results: tuple[Result, ...] = field(hash=False)

    @property
    def critical(self) -> tuple[Result, ...]:
        """What stops publication."""
        return tuple(result for result in self.results if not result.is_ok and result.severity == "critical")

    @property
    def warnings(self) -> tuple[Result, ...]:
        """What is published with the data, for the reader to know."""
        return tuple(result for result in self.results if not result.is_ok and result.severity == "warning")


def write_audit(settings: Settings, audit: Audit) -> None:
    """Write the results on record, and as `meta.audits` for the reader."""
    path, rows = (
        path_of(settings.lake, TABLE),
        [{name: value for name, value in asdict(result).items() if name in SCHEMA} for result in audit.results],
    )
    part = part_of(path)
    pl.DataFrame(rows, schema=SCHEMA).sort("table_name", "kind", "check_name").write_parquet(part)
    put_in_place(part, path)
    write_record(settings.lake / AUDIT_FILE, {"build_id": audit.build_id, "sha256": sha256_of(path), "results": rows})


def examine_audit(lake: Path) -> list[tuple[bool, str, str]]:
    """Return what is wrong with the record of the audit: whether good, what was seen, what to do."""
    if not (lake / AUDIT_FILE).exists():
        return [(True, "audit: there is none of the build in the lake", "`datamoat audit`")]
    try:
        audit = read_audit(lake)
    except (AuditFailedError, ContentError):
        return [(False, f"lake: {AUDIT_FILE} or the table of its results is damaged", "`datamoat audit` makes both again")]
    return [(True, f"audit: of build {audit.build_id}, as it was written", "")]


def read_audit(lake: Path) -> Audit:
    """Return the audit of the build in the lake.

    Raises:
        AuditFailedError: There is none, or it is not as it was written.
    """
    path = lake / AUDIT_FILE
    try:
        stated = read_record(path)
        is_whole = sha256_of(path_of(lake, TABLE)) == stated["sha256"]
    except FileNotFoundError as failure:
        raise AuditFailedError("this build was not audited", str(path), "run `datamoat audit`.") from failure
    except (OSError, ValueError):
        is_whole = False
    if not is_whole:
        raise AuditFailedError("the record of the audit is damaged", str(path), "run `datamoat audit` again.")
    return Audit(stated["build_id"], tuple(Result(**result) for result in stated["results"]))
