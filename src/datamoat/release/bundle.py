"""Releases: dated bundles that never change, and the register of their checksums.

A release is the published file, every table as Parquet and CSV, the draws, and what the standards ask for, in one folder
whose `SHA256SUMS` lists every byte. Its *checksum* is the hash of that list. The checksum is written down outside the bundle, in
the register of the store and, for releases that were given out, in the register under version control: who changes a
file and the list with it cannot change those. A release is made on a day: the one that is given, or today's by the clock,
which is refused if it runs behind the data.
"""

import json
import shutil
import subprocess
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import yaml

from datamoat.errors import ContentError, PublishRefusedError, UsageError
from datamoat.project.yaml_files import read_yaml
from datamoat.release.catalogs import write_catalogues
from datamoat.release.descriptors import Release, citation_file, credits_text, croissant, datapackage, readme, ro_crate
from datamoat.release.register import REGISTER, Entry, record, register
from datamoat.release.shared import bring_release, pull_register, push_release
from datamoat.release.sums import SUMS
from datamoat.release.tables import (
    checked_target,
    credits_of,
    licensed_tables,
    write_sums,
    write_tables,
)
from datamoat.settings import Settings
from datamoat.storage.clients import logs_of
from datamoat.storage.files import cannot_write, sha256_of, write_json, write_whole
from datamoat.storage.lake import identifier, quoted
from datamoat.storage.warehouse import READ_ONLY, Published, check_published, check_retained, open_published

ABOUT = "reports/release/release.yml"
TEXTS = "reports/release/LICENSES"
DEPRECATED = "Deprecated"  # begins the description of a column that the next release may leave out
ABOUT_KEYS = {
    "name",
    "title",
    "description",
    "licence",
    "publisher",
    "keywords",
    "message",
    "software",
    "software_licence",
    "notes",
}
ADDRESS = r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}"
PHONE = r"(^|[^0-9A-Za-z])\+[1-9][0-9]{0,2}[ .-]\(?[0-9]{2,4}\)?[ .-][0-9]{3,4}[ .-]?[0-9]{2,4}([^0-9]|$)"


def make_release(
    settings: Settings, on: date | None = None, to: Path | None = None, *, replace: bool = False
) -> tuple[Entry, Path]:
    """Make a release of the published build, and put a copy into `to`.

    A build that was released before is not released again: its release is copied.

    Args:
        settings: Where things are.
        on: The day of the release; None takes the clock's (UTC).
        to: A folder to put a copy in; None leaves it in the store.
        replace: Whether a folder of that name in `to` may be replaced.

    Raises:
        UsageError: The copy's folder exists already, or `to` is no folder of ours to write to.
        PublishRefusedError: Nothing is published, the clock runs behind the data, or a text holds an address or number
            of a person.
        ContentError: `release.yml` is malformed.
    """
    target = checked_target(to, replace=replace) if to is not None else None
    about = _about(settings.content)
    known = pull_register(settings)
    check_published(settings)  # what is read instead of a changed file is not released
    with open_published(settings, is_closed=False) as con:
        if licensed := licensed_tables(con):
            raise PublishRefusedError(
                f"{', '.join(licensed)} has rows under licences that a user stated",
                "data/snapshots",
                "make the release from a data folder without these files; `datamoat export` leaves the tables out.",
            )
        build_id, as_of = con.sql("select build_id, as_of from meta.build").fetchall()[0]
        entry = next((old for old in known if old.build_id == build_id), None)
        if entry is None:
            day = on or datetime.now(UTC).date()
            _check_day(day, as_of, known)
            entry = _make(settings, con, about, day)
    folder = store(settings) / entry.release_id
    bring_release(settings, entry, folder)
    push_release(settings, entry, folder)
    if target is None:
        return entry, folder
    copy = target / entry.release_id
    if copy.exists():
        if not replace:
            raise UsageError(f"{copy.name} exists already", str(copy), "name another folder, or give --force.")
        shutil.rmtree(copy)
    try:
        shutil.copytree(folder, copy)
    except OSError as failure:
        shutil.rmtree(copy, ignore_errors=True)
        raise cannot_write(copy, failure) from failure
    return entry, copy


def store(settings: Settings) -> Path:
    """Return the folder that holds every release."""
    return settings.exports / "releases"


def checksum_of(bundle: Path) -> str:
    """Return the checksum of a bundle: the SHA-256 of `SHA256SUMS`, its manifest."""
    return sha256_of(bundle / SUMS)


def released_by(settings: Settings, day: date) -> Entry:
    """Return the release that was current on a day.

    Raises:
        UsageError: Nothing had been released by then.
    """
    known = register(settings.exports)
    standing = [entry for entry in known if entry.released_on <= day]
    if not standing:
        first = f"the first release here is of {known[0].released_on}" if known else "there is no release here"
        raise UsageError(
            f"nothing had been released by {day}: {first}",
            str(settings.exports / REGISTER),
            f"--rebuild-as-of {day} computes with today's models what follows from what was public then.",
        )
    return standing[-1]


def open_release(settings: Settings, entry: Entry) -> duckdb.DuckDBPyConnection:
    """Open a release for reading, after its checksum and its database's hash were compared.

    Raises:
        PublishRefusedError: The release is gone, or a byte of it changed.
    """
    folder = store(settings) / entry.release_id
    database = folder / "datamoat.duckdb"
    try:
        wanted = f"{sha256_of(database)}  {database.name}"
        has_log = bool(logs_of(database))  # a client's edits, which DuckDB would read with the file
        is_whole = (
            not has_log
            and checksum_of(folder) == entry.checksum
            and wanted in (folder / SUMS).read_text(encoding="utf-8").splitlines()
        )
    except (OSError, ValueError) as failure:
        raise PublishRefusedError(
            f"the release cannot be read: {failure}", str(folder), "restore the bundle from a copy."
        ) from failure
    if not is_whole:
        raise PublishRefusedError(
            f"release {entry.release_id} has files that differ from its manifest",
            str(folder),
            f"`datamoat verify {folder}` names what changed; restore a copy.",
        )
    return duckdb.connect(str(database), read_only=True, config={**READ_ONLY, "memory_limit": settings.memory_limit})


def _about(content: Path) -> dict[str, Any]:
    """Return what the content tree declares of a release; every key is needed."""
    about = read_yaml(content / ABOUT)
    if set(about) != ABOUT_KEYS or set(about["licence"]) != {"id", "title", "url"}:
        raise ContentError(
            f"it has {sorted(about)}",
            str(content / ABOUT),
            f"give it {', '.join(sorted(ABOUT_KEYS))}; licence has id, title, url.",
        )
    return about


def _check_day(day: date, as_of: date, known: list[Entry]) -> None:
    """Refuse a day before the newest input or the newest release."""
    newest = max([as_of, *(entry.released_on for entry in known)])
    if day < newest:
        raise PublishRefusedError(
            f"the clock is at {day}, and there is an input or a release of {newest}: the clock is suspicious",
            "the machine's clock",
            "set it right, or name the day with --on.",
        )


def _make(settings: Settings, con: duckdb.DuckDBPyConnection, about: dict[str, Any], day: date) -> Entry:
    """Write the bundle of the published build into the store, and register it."""
    _refuse_personal(con)
    from datamoat.ingest.terms import refuse_changed_terms  # reads pages, which verifying a bundle never does

    refuse_changed_terms(settings, {source["source_id"] for source in credits_of(con)})
    _refuse_lost_columns(settings, con)
    manifest = _manifest(settings, con)
    entry_id = f"{about['name']}-{day.isoformat()}-{str(manifest['build_id']).rsplit('-', 1)[-1]}"
    folder = store(settings) / entry_id
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        part.mkdir(parents=True)
        facts = {
            "release": entry_id, "build_id": str(manifest["build_id"]), "as_of": str(manifest["as_of"]),
            "engine": f"{about['software']} {manifest['engine']}", "licence": about["licence"]["url"],
            "title": about["title"], "publisher": about["publisher"], "commit": str(manifest["commit"] or "not in version control"),
        }  # fmt: skip
        tables = write_tables(con, part, facts)
        write_catalogues(con, part, about["licence"]["title"])
        release = Release(
            entry_id, day, {**manifest, "release_id": entry_id, "released_on": day.isoformat()}, about, credits_of(con), tables
        )
        published = check_published(settings)
        check_retained(published)
        shutil.copyfile(published.path, part / "datamoat.duckdb")
        if (published.build_id, published.sha256) != (manifest["build_id"], sha256_of(part / "datamoat.duckdb")):
            raise PublishRefusedError(
                "another build was published meanwhile", str(settings.published), "make the release again; nothing was released."
            )
        write_json(part / "manifest.json", release.manifest)
        _write_texts(settings, release, part)
        _check_rows(published, release, part)
        for path in part.rglob("*"):
            if path.is_file():
                path.chmod(0o444)
        shutil.rmtree(folder, ignore_errors=True)
        part.replace(folder)
    except OSError as failure:
        raise cannot_write(folder, failure) from failure
    finally:
        shutil.rmtree(part, ignore_errors=True)
    entry = Entry(entry_id, day, str(manifest["build_id"]), date.fromisoformat(str(manifest["as_of"])), checksum_of(folder))
    record(settings.exports, entry)
    return entry


def _check_rows(published: Published, release: Release, part: Path) -> None:
    """Verify a bundle before anybody has it, and what its database states of its rows by the manifest of the build.

    Raises:
        PublishRefusedError: Not every table has the rows that its build had.
    """
    from datamoat.release.verify import verify_bundle

    stated = release.manifest["tables"]
    names = sorted(stated.keys() | published.tables.keys())
    wrong = [finding.what for finding in verify_bundle(None, part).findings]
    wrong += [
        f"marts.{name} is another one in the manifest of the build"
        for name in names
        if stated.get(name) != published.tables.get(name)
    ]
    if wrong:
        raise PublishRefusedError(
            f"build {published.build_id} was changed after it was built: {'; '.join(wrong[:5])}",
            str(published.path),
            f"delete all {published.path.stem}.*, then `datamoat run` publishes the build again; nothing was released.",
        )


def _write_texts(settings: Settings, release: Release, part: Path) -> None:
    """Write what people and validators read; the list of hashes last."""
    shutil.copytree(settings.content / TEXTS, part / "LICENSES", copy_function=shutil.copyfile)
    write_whole(part / "LICENSES" / "ATTRIBUTION.md", credits_text(release).encode())
    write_whole(part / "README.md", readme(release).encode())
    text = yaml.safe_dump(citation_file(release), sort_keys=False, allow_unicode=True, width=120)
    write_whole(part / "CITATION.cff", text.encode())
    write_json(part / "datapackage.json", datapackage(release, part))
    write_json(part / "croissant.json", croissant(release, part))
    write_json(part / "ro-crate-metadata.json", ro_crate(release, part))
    write_sums(part)


def _manifest(settings: Settings, con: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    """Return what a release is a function of and its results: enough to build it again and compare."""
    build_id, as_of, built_at, engine, engine_db = con.sql(
        "select build_id, as_of, built_at, engine_version, duckdb_version from meta.build"
    ).fetchall()[0]
    tables = con.sql("select table_name, n_rows, content_hash from meta.models where layer = 'marts' order by 1").fetchall()
    served = con.sql(
        "select snapshot_id, sha256 from meta.snapshots where is_served and source_id <> 'reference' order by 1"
    ).fetchall()
    return {
        "build_id": build_id,
        "as_of": as_of.isoformat(),
        "built_at": f"{built_at.isoformat()}Z",
        "engine": engine,
        "duckdb": engine_db,
        "commit": _commit(settings.content),
        "inputs": dict(con.sql("select input, sha256 from meta.inputs order by 1").fetchall()),
        "snapshots": dict(served),
        "tables": {name: {"n_rows": n_rows, "content_hash": content_hash} for name, n_rows, content_hash in tables},
    }


def _commit(content: Path) -> str | None:
    """Return the commit of the checkout, marked where files differ from it; None outside version control."""
    git = shutil.which("git")
    if git is None or not (content / ".git").exists():
        return None
    printed = []
    for words in (["rev-parse", "HEAD"], ["status", "--porcelain", "--untracked-files=no"]):
        done = subprocess.run([git, "-C", str(content), *words], capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode:
            return None
        printed.append(done.stdout.strip())
    return printed[0] + (" with changes" if printed[1] else "")


def _refuse_lost_columns(settings: Settings, con: duckdb.DuckDBPyConnection) -> None:
    """Refuse a release without a column that the one before had, unless that one announced it: its description began `Deprecated`.

    So a column that is renamed is there beside its new name for one release at least.
    """
    known = register(settings.exports)
    path = store(settings) / known[-1].release_id / "datapackage.json" if known else None
    if path is None or not path.is_file():
        return
    now = {
        (f"{schema}.{table}", column)
        for schema, table, column in con.sql(
            "select schema_name, table_name, column_name from duckdb_columns() where database_name = current_database()"
        ).fetchall()
    }
    lost = sorted(
        f"{resource['title']}.{field['name']}"
        for resource in json.loads(path.read_text(encoding="utf-8"))["resources"]
        for field in resource.get("schema", {}).get("fields", [])
        if (resource["title"], field["name"]) not in now and not field.get("description", "").startswith(DEPRECATED)
    )
    if lost:
        raise PublishRefusedError(
            f"{', '.join(lost[:5])} {'was' if len(lost) == 1 else 'were'} in release {known[-1].release_id} and is gone without notice",
            str(settings.content / "transforms"),
            f"bring it back beside its new name, and begin its description with `{DEPRECATED}: …` for one release.",
        )


def _refuse_personal(con: duckdb.DuckDBPyConnection) -> None:
    """Refuse texts with an e-mail address or a telephone number; say how many and where the first are."""
    found = []
    for schema, table, column in con.sql(
        "select schema_name, table_name, column_name from duckdb_columns() where database_name = current_database()"
        " and schema_name in ('marts', 'meta') and data_type in ('VARCHAR', 'VARCHAR[]') order by all"
    ).fetchall():
        text = f"{identifier(column)}::varchar"
        n = con.sql(
            f"select count(*) AS n from {schema}.{identifier(table)}"
            f" where regexp_matches({text}, {quoted(ADDRESS)}) or regexp_matches({text}, {quoted(PHONE)})"
        ).fetchall()[0][0]
        if n:
            found.append(f"{schema}.{table}.{column} ({n})")
    if found:
        raise PublishRefusedError(
            f"{len(found)} column(s) hold an e-mail address or a telephone number: {', '.join(found[:5])}",
            "the published file",
            "take them out of the facts they came from, then run again; nothing was released.",
        )
