"""Is a bundle what was released? Every byte, then every row, then the checksum; nothing is opened before its hash is right."""

import json
import tempfile
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import duckdb

from datamoat.errors import UsageError
from datamoat.release.bundle import checksum_of
from datamoat.release.register import compare
from datamoat.release.sums import DATABASE, SUMS, read_sums
from datamoat.release.tables import read_back
from datamoat.settings import Settings
from datamoat.storage.files import sha256_of
from datamoat.storage.lake import columns_of, content_of, identifier, parquet, quoted


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it was released."""

    path: str
    what: str


@dataclass(frozen=True)
class Verdict:
    """What was compared, and what did not agree.

    Attributes:
        checksum: The checksum the bundle has now; empty where it has no list of hashes.
        n_files: How many files the list names.
        n_bytes: How many bytes they have.
        n_tables: How many tables were compared row by row in all their forms.
        registered_on: The day a register outside the bundle gives for this checksum; None where none does.
        is_known: Whether somebody outside the bundle knows its checksum: a register, or who gave it.
    """

    findings: tuple[Finding, ...]
    checksum: str
    n_files: int
    n_bytes: int
    n_tables: int
    registered_on: date | None
    is_known: bool = False

    @property
    def is_good(self) -> bool:
        """Whether all agreed with the bundle's own list of hashes; whether anybody knows that list is `is_known`."""
        return not self.findings


def verify_bundle(settings: Settings | None, bundle: Path, checksum: str | None = None) -> Verdict:
    """Compare a bundle with its list of hashes, its forms with one another, and its checksum with the registers.

    Args:
        settings: Where the registers are; None reads none.
        bundle: The folder.
        checksum: The checksum somebody wrote down elsewhere, to compare with.

    Raises:
        UsageError: That is no bundle.
    """
    if not bundle.is_dir() or bundle.is_symlink():
        raise UsageError(f"{bundle} is no folder of ours", str(bundle), "name the dated folder that holds SHA256SUMS.")
    findings, names = check_bytes(bundle)
    has_sums = (bundle / SUMS).is_file() and not (bundle / SUMS).is_symlink()
    own = checksum_of(bundle) if has_sums else ""
    names_of_it = {bundle.resolve().name, *([] if findings else _own_name(bundle))}
    wrong, registered_on = _check_checksum(settings, names_of_it, own, checksum)
    findings += wrong
    n_tables = 0
    if not findings:  # only what has the right hash is ever opened
        more, n_tables = _check_rows(bundle)
        findings += more
    is_known = registered_on is not None or (checksum is not None and not wrong)
    n_bytes = sum((bundle / name).stat().st_size for name in names if (bundle / name).is_file())
    return Verdict(tuple(findings), own, len(names), n_bytes, n_tables, registered_on, is_known)


def check_bytes(bundle: Path) -> tuple[list[Finding], list[str]]:
    """Compare every file with the list of hashes; return what differs and the names in the list.

    Reads files as bytes only. A link, a folder that is empty, a file that is not listed and a line that is not exactly
    as written by us are findings too.
    """
    sums = bundle / SUMS
    if not sums.is_file() or sums.is_symlink():
        return [Finding(SUMS, "the list of hashes is missing")], []
    listed = read_sums(sums.read_bytes())
    if listed is None:
        return [Finding(SUMS, "the list of hashes is malformed")], []
    wanted = dict(listed)
    findings = []
    if len(wanted) != len(listed) or [name for name, _ in listed] != sorted(wanted):
        findings.append(Finding(SUMS, "the list of hashes names a file twice or is out of order"))
    if any(name.startswith("/") or ".." in name.split("/") for name in wanted):
        return [*findings, Finding(SUMS, "the list of hashes points outside the bundle")], []
    present = set()
    for path in sorted(bundle.rglob("*")):
        name = path.relative_to(bundle).as_posix()
        if path.is_symlink():
            findings.append(Finding(name, "a link, where a file or nothing should be"))
        elif path.is_dir():
            if not any(path.iterdir()):
                findings.append(Finding(name, "an empty folder that was not released"))
        elif name != SUMS:
            present.add(name)
            if name not in wanted:
                findings.append(Finding(name, "a file that was not released"))
            elif difference := _difference(path, wanted[name]):
                findings.append(Finding(name, difference))
    findings += [Finding(name, "missing") for name in sorted(set(wanted) - present) if not (bundle / name).is_symlink()]
    return findings, sorted(wanted)


def _difference(path: Path, wanted: str) -> str | None:
    """Return how a file differs from what was released; None if it does not."""
    try:
        is_same = path.is_file() and sha256_of(path) == wanted
    except OSError as failure:
        return f"it cannot be read: {failure.strerror}"
    return None if is_same else "not the bytes that were released"


def _own_name(bundle: Path) -> list[str]:
    """Return the name that a bundle's manifest gives it; none where it does not say."""
    try:
        return [str(json.loads((bundle / "manifest.json").read_bytes())["release_id"])]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _check_checksum(
    settings: Settings | None, names: set[str], own: str, checksum: str | None
) -> tuple[list[Finding], date | None]:
    """Compare the checksum with the one given and with every register that knows the release by a name it has."""
    findings = []
    if checksum is not None and own != checksum.strip().lower():
        findings.append(Finding(SUMS, f"its checksum is {own or 'absent'}, not the one given"))
    if settings is None:
        return findings, None
    registered_on, others = compare(settings, names, own)
    return [*findings, *(Finding(SUMS, what) for what in others)], registered_on


def _check_rows(bundle: Path) -> tuple[list[Finding], int]:
    """Compare the rows of the DuckDB file with those of the Parquet and CSV files, and with the hashes the build stated."""
    if not (bundle / DATABASE).is_file():
        return [], 0
    findings, n_tables = [], 0
    with duckdb.connect() as con:
        con.execute(f"attach {quoted(str(bundle / DATABASE))} as published (read_only)")
        con.execute("use published")
        stated = dict(con.sql("select 'marts.' || table_name, content_hash from meta.models where layer = 'marts'").fetchall())
        listed = con.sql(
            "select schema_name, table_name from duckdb_tables() where database_name = 'published' order by 1, 2"
        ).fetchall()
        for schema, name in listed:
            table = f"{schema}.{identifier(name)}"
            columns = tuple(columns_of(con, table).items())
            wanted = content_of(con, table)
            n_tables += 1
            if stated.get(f"{schema}.{name}", wanted) != wanted:
                findings.append(Finding(DATABASE, f"{schema}.{name} does not have the rows its build stated"))
            stem = name if schema == "marts" else f"{schema}_{name}"
            forms = {
                f"{folder}/{stem}.parquet": f"from {parquet(bundle / folder / f'{stem}.parquet')}"
                for folder in ("parquet", "draws")
                if (bundle / folder / f"{stem}.parquet").is_file()
            }
            if not forms:
                findings.append(Finding(DATABASE, f"{schema}.{name} has no Parquet file"))
            if (bundle / "csv" / f"{stem}.csv").is_file():
                forms[f"csv/{stem}.csv"] = read_back(columns, bundle / "csv" / f"{stem}.csv")
            for path, sql in forms.items():
                con.execute(f"create or replace temp view form as {sql}")
                if content_of(con, "temp.form") != wanted:
                    findings.append(Finding(path, f"not the rows of {schema}.{name} in {DATABASE}"))
    return findings, n_tables


def rebuild_bundle(settings: Settings, bundle: Path) -> list[Finding]:
    """Build a release again from the content here, beside everything else, and compare inputs and rows.

    Args:
        settings: Where the content is; the snapshots are read from its data folder, nothing in it is changed.
        bundle: A bundle that was verified.
    """
    from datamoat.build.inputs import LEFT_OUT_AFTER
    from datamoat.build.run import build_models
    from datamoat.project.read import read_project

    manifest = json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))
    day = date.fromisoformat(manifest["as_of"]) if LEFT_OUT_AFTER in manifest["inputs"] else None
    with tempfile.TemporaryDirectory(prefix="datamoat-rebuild-") as scratch:
        here = replace(settings, data=Path(scratch), store="")
        if settings.snapshots.is_dir():
            (here.data / "snapshots").symlink_to(settings.snapshots)
        build = build_models(here, read_project(settings.content), day)
    findings = [
        Finding("manifest.json", f"input {name} is another one here")
        for name in sorted({*manifest["inputs"], *build.inputs})
        if manifest["inputs"].get(name) != build.inputs.get(name)
    ]
    made = {name.removeprefix("marts."): table for name, table in build.tables.items() if name.startswith("marts.")}
    for name in sorted({*manifest["tables"], *made}):
        was, now = manifest["tables"].get(name, {}).get("content_hash"), made.get(name, {}).get("content_hash")
        if was != now:
            findings.append(Finding(f"marts.{name}", "built again, it has other rows" if was and now else "not in both builds"))
    return findings
