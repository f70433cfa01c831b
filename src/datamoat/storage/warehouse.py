"""The file that readers open, the builds retained beside it, and what protects both from edits.

Every publication writes one retained build, `builds/datamoat-<build id>-<hash>.duckdb`, and its manifest of the same
name, which states the hash of its bytes; the published file is a copy. So the published file is right when its bytes
are those of a manifest, and nothing is read from it before that was compared. A client that opens it for writing all
the same leaves a log beside it, holds its lock or changes its bytes: then we read the retained build, which is nobody's
to open.
"""

import contextlib
import logging
import os
import shutil
import time
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from datamoat.errors import ContentError, DatamoatError, PublishRefusedError
from datamoat.settings import Settings
from datamoat.storage.clients import free_name, held_by, logs_of, move_aside, no_writer, set_log_aside, writer_of
from datamoat.storage.files import part_of, put_in_place, read_record, sha256_of, write_record

READ_ONLY = {"enable_external_access": "false", "lock_configuration": "true"}
LAST = ".last.json"  # in the warehouse: the hash of the file that was published last, in case that is changed
SETTLED_NS = 100_000_000  # a file that changed within this time may change again without another time stamp
STATED = {
    "build_id": str, "as_of": date, "number": int, "sha256": str, "n_bytes": int, "made_from": str, "tables": dict
}  # fmt: skip
_hashes: dict[tuple[Any, ...], str] = {}


@dataclass(frozen=True)
class Published:
    """One publication, as its manifest states it.

    Attributes:
        build_id: The build.
        as_of: Its as-of date.
        number: Its place in the order of publications in this data folder.
        sha256: The hash of its file.
        n_bytes: The size of its file.
        made_from: The hash of everything the build, its audit and its file are a function of.
        tables: Rows and content hash of each mart, by name.
        path: The retained file.
        is_new: Whether this call published it.
        unknown_checksum: The checksum of the release that was fetched, where neither a register here nor the caller knows it.
    """

    build_id: str
    as_of: date
    number: int
    sha256: str
    n_bytes: int
    made_from: str
    tables: dict[str, dict[str, Any]] = field(hash=False)
    path: Path
    is_new: bool = True
    unknown_checksum: str = ""

    def __post_init__(self) -> None:
        """Refuse values of another type, which a file may state.

        Raises:
            ValueError: One is.
        """
        wrong = [name for name, kind in STATED.items() if not isinstance(getattr(self, name), kind)]
        if not wrong and not all(
            isinstance(table, dict) and isinstance(table.get("n_rows"), int) and isinstance(table.get("content_hash"), str)
            for table in self.tables.values()
        ):
            wrong = ["tables"]
        if wrong:
            message = f"{', '.join(wrong)} of another type"
            raise ValueError(message)

    def write_manifest(self) -> None:
        """Write the manifest beside the retained file."""
        stated = {name: getattr(self, name) for name in STATED}
        write_record(self.path.with_suffix(".json"), {**stated, "as_of": self.as_of.isoformat()})


def read_manifest(path: Path) -> Published:
    """Return what a manifest states.

    Raises:
        PublishRefusedError: It is gone or damaged, or does not have the name of the build it states.
        ContentError: A later version of datamoat wrote it in another format.
    """
    fix = "delete it and the file beside it; `datamoat run` publishes with a manifest again."
    try:
        stated = read_record(path)
        build = Published(**{**stated, "as_of": date.fromisoformat(stated["as_of"])}, path=path.with_suffix(".duckdb"))
    except (OSError, ValueError, TypeError, KeyError) as failure:
        raise PublishRefusedError(f"the manifest {path.name} is damaged", str(path), fix) from failure
    if path.stem != f"datamoat-{build.build_id}-{build.sha256[:8]}":
        raise PublishRefusedError(
            f"the manifest {path.name} states build {build.build_id}, not the one it is named after", str(path), fix
        )
    return build


def manifests(settings: Settings) -> tuple[list[Published], dict[Path, DatamoatError]]:
    """Return the builds whose manifest can be read, newest publication first, and why each other manifest cannot."""
    found: list[Published] = []
    failures: dict[Path, DatamoatError] = {}
    for path in sorted((settings.warehouse / "builds").glob("*.json")):
        try:
            found.append(read_manifest(path))
        except (PublishRefusedError, ContentError) as failure:
            failures[path] = failure
    return sorted(found, key=lambda build: -build.number), failures


def retained_builds(settings: Settings) -> list[Published]:
    """Return the builds retained for rollback, newest publication first; one whose manifest cannot be read is left out."""
    return manifests(settings)[0]


def intact_ids(settings: Settings) -> list[str]:
    """Return each build that can be gone back to, newest publication first."""
    return list(dict.fromkeys(build.build_id for build in retained_builds(settings) if is_intact(build)))


def published_build(settings: Settings) -> Published | None:
    """Return the build whose bytes the published file has; None where there is no file, or it has those of no build."""
    for _ in range(2):
        before = _inode(settings.published)
        if before is None:
            return None
        with contextlib.suppress(OSError):
            own = known_sha256(settings.published)
            for build in retained_builds(settings):
                if build.sha256 == own:
                    return build
        if _inode(settings.published) == before:  # else another build was published meanwhile
            return None
    return None


def in_the_way(settings: Settings) -> PublishRefusedError | None:
    """Return the error of a folder, or of a link that leads nowhere, where the published file should be; None if there is none."""
    path = settings.published
    if path.is_dir() or (path.is_symlink() and not path.exists()):
        what = "a folder" if path.is_dir() else "a link that leads nowhere"
        fix = "move it away; then `datamoat run` or `datamoat rollback` puts the file there again."
        return PublishRefusedError(f"{what} is where the published file should be", str(path), fix)
    return None


def check_published(settings: Settings) -> Published:
    """Return the published build after its bytes were compared with its manifest.

    Raises:
        PublishRefusedError: Nothing is published, or the file is not what was published.
    """
    if (obstacle := in_the_way(settings)) is not None:
        raise obstacle
    if not settings.published.is_file():
        retained = intact_ids(settings)
        raise PublishRefusedError(
            f"the published file was deleted; retained are {', '.join(retained)}" if retained else "nothing is published yet",
            str(settings.published),
            "`datamoat rollback BUILD` puts one of them back."
            if retained
            else "run `datamoat run`, or fetch a release with `datamoat pull`.",
        )
    build = published_build(settings)
    if build is None:
        raise manifest_failure(settings) or _changed(settings)
    return build


def build_to_read(settings: Settings) -> Published:
    """Return the build that readers see: the published one, or the one published last where its file was changed since.

    Of a changed file nothing is read; one line on standard error names the build and the next step.

    Raises:
        PublishRefusedError: Nothing is published, or the file is not what was published and the retained copy neither.
    """
    if (build := published_build(settings)) is not None:
        return build
    if (build := instead_of_changed(settings)) is None:
        return check_published(settings)
    pid = writer_of(settings.published)
    held, end = (f", and process {pid} holds it for writing", f"end process {pid}, then ") if pid is not None else ("", "")
    logging.getLogger("datamoat").warning(
        "the published file was changed%s; build %s is read from its retained copy. Next: %s`datamoat rollback %s`",
        held, build.build_id, end, build.build_id,
    )  # fmt: skip
    return build


def instead_of_changed(settings: Settings) -> Published | None:
    """Return the build that was published last, where the file has the bytes of no build and its retained copy is whole."""
    if in_the_way(settings) or not settings.published.is_file() or manifest_failure(settings) is not None:
        return None
    builds = retained_builds(settings)
    try:
        sha256 = read_record(settings.warehouse / LAST)["sha256"]
    except FileNotFoundError:  # no version of ours that writes it has published here: the newest one was published last
        sha256 = builds[0].sha256 if builds else ""
    except (OSError, ValueError, KeyError, ContentError):
        return None
    return next((build for build in builds if build.sha256 == sha256 and is_intact(build)), None)


def _changed(settings: Settings) -> PublishRefusedError:
    """Return the error of a published file with the bytes of no build, with whoever holds it for writing."""
    pid, retained = writer_of(settings.published), ", ".join(intact_ids(settings))
    return PublishRefusedError(
        "the published file is damaged or was changed: its bytes are those of no build that was published here"
        + (f", and process {pid} holds it for writing" if pid is not None else ""),
        str(settings.published),
        (f"end process {pid}; then " if pid is not None else "")
        + "`datamoat run` publishes it again, `datamoat pull FOLDER-OR-ADDRESS` fetches a release"
        + (f", or `datamoat rollback BUILD` with one of {retained}." if retained else "."),
    )


def check_retained(build: Published) -> None:
    """Compare a retained file with its manifest.

    Raises:
        PublishRefusedError: It is gone, or not what was published.
    """
    if not is_intact(build):
        raise PublishRefusedError(
            f"the retained file of build {build.build_id} is damaged or missing, or a client's log lies beside it",
            str(build.path),
            "go back to another build; `datamoat doctor` lists those that are whole, and shows what to do about this one.",
        )


def retained_file(settings: Settings) -> Path:
    """Return the retained file of the published build, for who attaches it: nobody else opens it.

    Raises:
        PublishRefusedError: Nothing is published, or a file is not what was published.
    """
    build = build_to_read(settings)
    check_retained(build)
    return build.path


def is_intact(build: Published) -> bool:
    """Return whether a retained file has the bytes its manifest states, and no client's log lies beside it."""
    try:
        return known_sha256(build.path) == build.sha256 and not logs_of(build.path)
    except OSError:
        return False


def open_published(settings: Settings, *, is_closed: bool = True) -> duckdb.DuckDBPyConnection:
    """Open the published build for reading only.

    Args:
        settings: Where things are.
        is_closed: Whether no other file can be reached from it; False for an export, which writes files.

    Raises:
        PublishRefusedError: Nothing is published, or the file is not what was published.
        BusyError: A program holds the published file for writing and its retained copy is not there to read instead.
    """
    config: dict[str, Any] = {"memory_limit": settings.memory_limit}  # one query does not take the machine
    config |= READ_ONLY if is_closed else {}
    for _ in range(3):  # a client holds it or left a log, or another build is published meanwhile
        checked = _signature(settings.published)
        build = published_build(settings)
        if build is None:
            break
        if not logs_of(settings.published):
            with contextlib.suppress(duckdb.IOException):
                con = duckdb.connect(str(settings.published), read_only=True, config=config)
                if _signature(settings.published) == checked and not logs_of(settings.published):
                    return con  # its lock keeps everybody from writing as long as it is open
                con.close()
    build = build_to_read(settings)
    try:
        check_retained(build)
    except PublishRefusedError:
        if (pid := writer_of(settings.published)) is not None:
            raise held_by(settings, pid) from None
        raise
    return duckdb.connect(str(build.path), read_only=True, config=config)


def swap_in(settings: Settings, part: Path, build: Published) -> None:
    """Replace the published file by a finished copy of a build; no client can open that for writing meanwhile.

    A client's log is moved to `set-aside/`, and so is a published file that is not one of ours: for a person to see.

    Raises:
        BusyError: A program holds the published file for writing.
        ContentError: A later version of datamoat published what is there.
        PublishRefusedError: A folder is where it should be.
    """
    if settings.published.is_dir() and (obstacle := in_the_way(settings)) is not None:
        raise obstacle
    is_foreign = settings.published.is_file() and published_build(settings) is None
    if is_foreign and isinstance(failure := manifest_failure(settings), ContentError):
        raise failure
    with no_writer(settings):  # no file is opened here: to close it again would give up the lock
        set_log_aside(settings)
        if is_foreign:
            try:
                os.link(settings.published, free_name(settings, settings.published.name))
            except OSError:  # a disk without links
                shutil.copyfile(settings.published, free_name(settings, settings.published.name))
        write_record(settings.warehouse / LAST, {"sha256": build.sha256})
        put_in_place(part, settings.published, read_only=True)


def restore_retained(settings: Settings, build: Published) -> None:
    """Make the retained file of the published build again from the published file, whose bytes were checked."""
    copy_read_only(settings.published, build.path)
    move_aside(settings, logs_of(build.path))


def copy_read_only(source: Path, target: Path) -> None:
    """Copy a file whole, with mode 0444."""
    part = part_of(target)
    part.unlink(missing_ok=True)
    shutil.copyfile(source, part)
    put_in_place(part, target, read_only=True)


def known_sha256(path: Path) -> str:
    """Return the SHA-256 of a file; a file that this process hashed and that is as it was is not read again.

    To close a file that DuckDB has open in this process would give up DuckDB's lock on it, so that this is more than haste.
    """
    signature = _signature(path)
    if signature not in _hashes:
        value = sha256_of(path)
        if signature is None or time.time_ns() - max(signature[-2:]) < SETTLED_NS:
            return value
        _hashes[signature] = value
    return _hashes[signature]


def manifest_failure(settings: Settings) -> DatamoatError | None:
    """Return why the manifest of a published file that is a build of ours cannot be read; None where the file is none."""
    failures = manifests(settings)[1]
    with contextlib.suppress(OSError):
        own = known_sha256(settings.published)
        for path in sorted((settings.warehouse / "builds").glob("datamoat-*.*")):
            manifest = path.with_suffix(".json")
            if path.suffix not in {".json", ".duckdb"} or (manifest.exists() and manifest not in failures):
                continue
            if path.stem.endswith(f"-{own[:8]}") or (path.is_file() and known_sha256(path) == own):
                return failures.get(manifest) or PublishRefusedError(
                    f"the manifest of the published file was deleted: {manifest.name}",
                    str(manifest),
                    "`datamoat run` publishes the build in the lake with a manifest; or restore the manifest from a copy.",
                )
    return None


def next_number(settings: Settings) -> int:
    """Return the number of the next publication."""
    return 1 + max((build.number for build in retained_builds(settings)), default=0)


def _inode(path: Path) -> int | None:
    signature = _signature(path)
    return signature[1] if signature else None


def _signature(path: Path) -> tuple[int, ...] | None:
    """Return what changes when a file is replaced or written to; None where there is none."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns
