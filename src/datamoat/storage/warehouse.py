"""The file that readers open, the builds retained beside it, and what protects both from edits.

Every publication writes one retained build, `builds/datamoat-<build id>-<hash>.duckdb`, and its manifest of the same
name, which states the hash of its bytes; the published file is a copy. So the published file is right when its bytes
are those of a manifest, and nothing is read from it before that was compared. A client that opens it for writing all
the same leaves a log beside it, or holds its lock: then we read the retained build, which is nobody's to open.
"""

import contextlib
import os
import shutil
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from datamoat.errors import BusyError, ContentError, DatamoatError, PublishRefusedError
from datamoat.settings import Settings
from datamoat.storage.files import cannot_write, part_of, put_in_place, read_record, sha256_of, write_record

READ_ONLY = {"enable_external_access": "false", "lock_configuration": "true"}
SETTLED_NS = 100_000_000  # a file that changed within this time may change again without another time stamp
SET_ASIDE = 10  # so many files of clients are retained for a person to see; the oldest goes when another comes
FLOCK = "hhqqi4x"  # struct flock: type, whence, start, length, pid
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
        raise PublishRefusedError(
            "nothing is published yet", str(settings.published), "run `datamoat run`, or fetch a release with `datamoat pull`."
        )
    build = published_build(settings)
    if build is None and (failure := manifest_failure(settings)) is not None:
        raise failure
    if build is None:
        retained = ", ".join(intact_ids(settings))
        raise PublishRefusedError(
            "the published file is damaged or was changed: its bytes are those of no build that was published here",
            str(settings.published),
            "`datamoat run` publishes it again, `datamoat pull FOLDER-OR-ADDRESS` fetches a release"
            + (f", or `datamoat rollback BUILD` with one of {retained}." if retained else "."),
        )
    return build


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
    build = check_published(settings)
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
    for _ in range(3):
        checked = _signature(settings.published)
        build = check_published(settings)
        if not logs_of(settings.published):
            with contextlib.suppress(duckdb.IOException):
                con = duckdb.connect(str(settings.published), read_only=True, config=config)
                if _signature(settings.published) == checked and not logs_of(settings.published):
                    return con  # its lock keeps everybody from writing as long as it is open
                con.close()
        if _signature(settings.published) == checked:
            break  # a client holds it, or left a log; else another build was published meanwhile
    try:
        check_retained(build)
    except PublishRefusedError:
        if (pid := writer_of(settings.published)) is not None:
            raise _held(settings, pid) from None
        raise
    return duckdb.connect(str(build.path), read_only=True, config=config)


def swap_in(settings: Settings, part: Path) -> None:
    """Replace the published file by a finished one; no client can open that for writing meanwhile.

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
    with _no_writer(settings):  # no file is opened here: to close it again would give up the lock
        set_log_aside(settings)
        if is_foreign:
            try:
                os.link(settings.published, _aside(settings, settings.published.name))
            except OSError:  # a disk without links
                shutil.copyfile(settings.published, _aside(settings, settings.published.name))
        put_in_place(part, settings.published, read_only=True)


def restore_retained(settings: Settings, build: Published) -> None:
    """Make the retained file of the published build again from the published file, whose bytes were checked."""
    copy_read_only(settings.published, build.path)
    _move_aside(settings, logs_of(build.path))


def copy_read_only(source: Path, target: Path) -> None:
    """Copy a file whole, with mode 0444."""
    part = part_of(target)
    part.unlink(missing_ok=True)
    shutil.copyfile(source, part)
    put_in_place(part, target, read_only=True)


def logs_of(path: Path) -> list[Path]:
    """Return the logs of clients that wrote to a database (`.wal`, `.wal.checkpoint`, `.wal.recovery`); beside ours is none of ours."""
    return sorted(path.parent.glob(f"{path.name}.wal*"))


def remove_log(settings: Settings) -> None:
    """Move a client's log aside if there is one.

    Raises:
        BusyError: The client is still running.
    """
    if logs_of(settings.published):
        with _no_writer(settings):
            set_log_aside(settings)


def set_log_aside(settings: Settings) -> None:
    """Move a client's log aside; the caller knows that the client is gone."""
    _move_aside(settings, logs_of(settings.published))


def writer_of(path: Path) -> int | None:
    """Return the process that holds a file for writing; None where there is none or the system does not say."""
    with contextlib.suppress(OSError, ImportError):
        import fcntl  # not on Windows, which lets no two programs write one file

        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a pipe would wait for ever
        try:
            answer = fcntl.fcntl(handle, fcntl.F_GETLK, struct.pack(FLOCK, fcntl.F_RDLCK, os.SEEK_SET, 0, 0, 0))
        finally:
            os.close(handle)
        kind, *_, pid = struct.unpack(FLOCK, answer)
        return int(pid) if kind == fcntl.F_WRLCK else None
    return None


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


@contextlib.contextmanager
def _no_writer(settings: Settings) -> Iterator[None]:
    """Hold the lock on the published file that DuckDB takes for reading: while it is held, nobody can write.

    Raises:
        BusyError: A program holds the file for writing.
    """
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(ImportError, FileNotFoundError):
            import fcntl

            if settings.published.exists() and not settings.published.is_file():  # a pipe would wait for ever
                raise FileNotFoundError
            handle = stack.enter_context(settings.published.open("rb"))
            try:
                fcntl.lockf(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except (BlockingIOError, PermissionError) as held:
                raise _held(settings, writer_of(settings.published)) from held
        yield


def _held(settings: Settings, pid: int | None) -> BusyError:
    who = f"process {pid}" if pid is not None else "another process"
    return BusyError(
        f"{who} holds the published file for writing",
        str(settings.published),
        "end it, and open the file with read_only=True: the published file is replaced, never edited. Nothing was changed.",
    )


def _move_aside(settings: Settings, paths: list[Path]) -> None:
    """Move files into `set-aside/`."""
    for path in paths:
        path.replace(_aside(settings, path.name))


def _aside(settings: Settings, name: str) -> Path:
    """Return a free name in `set-aside/`."""
    folder = settings.warehouse / "set-aside"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        older = {path: int(first) for path in folder.iterdir() if (first := path.name.partition("-")[0]).isdecimal()}
        number = 1 + max(older.values(), default=0)
        for path in sorted(filter(Path.is_file, older), key=older.__getitem__)[: 1 - SET_ASIDE]:
            path.unlink(missing_ok=True)
    except OSError as failure:
        raise cannot_write(folder, failure) from failure
    return folder / f"{number}-{name}"


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
