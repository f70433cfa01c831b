"""Atomic writes: a temporary file beside the target is flushed, then renamed; records with a checksum; one writer at a time."""

import contextlib
import errno
import hashlib
import json
import os
import shutil
import socket
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from datamoat.errors import BusyError, ContentError, PublishRefusedError

# What the system answers when a disk is full, broken, read-only or closed to this user.
REFUSALS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS, errno.EACCES, errno.EPERM}
NO_LOCKS = {errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP}  # of a file system that cannot lock files
READ_ONLY_MODE = 0o444
FORMAT = 1  # of records; what a later version writes otherwise is refused by name, what an earlier one wrote is read
CHECKSUM = "checksum"  # the key of a record under which the hash of all its other keys is
LANDING_SECONDS = 600.0  # how long a process waits for another that lands
TEMPORARY = ".part"  # every unfinished file ends so, and the next start sweeps it away


def part_of(path: Path) -> Path:
    """Return the name under which `path` is written until it is whole; in the same folder, so a rename suffices."""
    return path.with_name(f".{path.name}.{os.getpid()}{TEMPORARY}")


def put_in_place(part: Path, path: Path, *, read_only: bool = False) -> None:
    """Flush `part` to the disk and replace `path` by it in one step, with mode 0444 if it is `read_only`."""
    if read_only:
        part.chmod(READ_ONLY_MODE)
    _flush(part)
    part.replace(path)
    _flush(path.parent)


def write_whole(path: Path, body: bytes) -> None:
    """Write `body` to `path` so that a reader sees the old file or the new one, never a piece.

    Raises:
        PublishRefusedError: The disk is full, read-only or closed to us; `path` is as it was.
    """
    part = part_of(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(body)
        put_in_place(part, path)
    except OSError as failure:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise cannot_write(path, failure, len(body)) from failure


def write_json(path: Path, value: object) -> None:
    """Write `value` as JSON, keys sorted, in one step."""
    write_whole(path, (json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode())


def write_record(path: Path, record: dict[str, Any]) -> None:
    """Write a JSON object in one step, with the format it is in and the checksum of its content."""
    stated = {**record, "format": FORMAT}
    write_json(path, {**stated, CHECKSUM: _checksum(stated)})


def read_record(path: Path) -> dict[str, Any]:
    """Return what `write_record` wrote.

    Raises:
        OSError: The file cannot be read, or is a pipe, a folder or the like.
        ValueError: It is no such object, or a byte of it changed.
        ContentError: A later version of datamoat wrote it in another format.
    """
    _check_regular(path)
    changed = f"{path.name} does not have the content it was written with"
    try:
        record = json.loads(path.read_bytes())
        if not isinstance(record, dict) or record.pop(CHECKSUM, None) != _checksum(record):
            raise ValueError(changed)
    except RecursionError as failure:
        raise ValueError(changed) from failure
    if (written := record.pop("format", FORMAT)) > FORMAT:
        raise ContentError(
            f"a later version of datamoat wrote {path.name}, in format {written}; this one reads up to {FORMAT}",
            str(path),
            "use that version, or set DATAMOAT_DATA to another folder.",
        )
    return record


def _checksum(record: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(record, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file.

    Raises:
        OSError: It cannot be read, or is a pipe, a folder or the like.
    """
    _check_regular(path)
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _check_regular(path: Path) -> None:
    """Refuse what is no file of bytes: to open a pipe would wait for ever."""
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "not a regular file", str(path))


def cannot_write(path: Path, failure: OSError, n_bytes: int | None = None) -> PublishRefusedError:
    """Return the error for a file that could not be written, with how much room there is."""
    folder = next(folder for folder in (path.parent, *path.parent.parents) if folder.exists())
    free = shutil.disk_usage(folder).free
    wanted = f"{n_bytes:,} bytes" if n_bytes is not None else "the file"
    return PublishRefusedError(
        f"could not write {wanted}: {failure.strerror or failure} ({free:,} bytes are free)",
        str(path),
        "free space or permissions there, then run the same command again; what was published before is unchanged.",
    )


def sweep(folder: Path, but: Path | None = None) -> int:
    """Remove what a killed process left unfinished below `folder`, except below `but`; return how many files."""
    left = [path for path in folder.rglob(f".*{TEMPORARY}*") if path.is_file()] if folder.is_dir() else []
    left = [path for path in left if but is None or but not in path.parents]
    for path in left:
        path.unlink(missing_ok=True)
    return len(left)


def sweep_snapshots(folder: Path) -> None:
    """Sweep the folder of every source that nobody is fetching at the moment."""
    for source in filter(Path.is_dir, folder.glob("*")):
        with contextlib.suppress(BusyError), one_client(source):
            pass


@contextlib.contextmanager
def one_client(folder: Path, wait_seconds: float = 0.0) -> Iterator[None]:
    """Hold the lock of one source's snapshots; sources are fetched side by side, and beside a build.

    Raises:
        BusyError: Somebody else is fetching this source.
        PublishRefusedError: The disk is full, read-only or closed to us.
    """

    def busy() -> BusyError:
        return BusyError(
            f"another process is fetching {folder.name}", str(folder), "wait for it to end, or stop it; nothing was changed."
        )

    with _locked(folder, wait_seconds, busy):
        sweep(folder)
        yield


@contextlib.contextmanager
def one_lander(raw: Path, wait_seconds: float = LANDING_SECONDS) -> Iterator[None]:
    """Hold the lock of the raw tables: one process lands at a time, beside a build, which holds it while it reads them.

    Raises:
        BusyError: Somebody else is landing.
        PublishRefusedError: The disk is full, read-only or closed to us.
    """

    def busy() -> BusyError:
        return BusyError("another process is landing", str(raw), "wait for it to end, or stop it; nothing was changed.")

    with _locked(raw, wait_seconds, busy):
        sweep(raw)
        yield


@contextlib.contextmanager
def one_writer(data: Path, verb: str, wait_seconds: float = 0.0) -> Iterator[None]:
    """Hold the writer's lock of a data folder; the kernel frees it when the process dies, however it dies.

    Raises:
        BusyError: Somebody else holds it after `wait_seconds`; the error names its process and what that does.
        PublishRefusedError: The disk is full, read-only or closed to us.
    """
    note = data / ".writer.json"

    def busy() -> BusyError:
        try:
            other = json.loads(note.read_text())
        except (OSError, ValueError):
            other = {}
        whose = f"pid {other.get('pid', '?')} on {other.get('host', 'another host')} since {other.get('since', '?')}"
        return BusyError(
            f"another process is writing: {other.get('verb', 'unknown')} ({whose})",
            str(data),
            "wait for it to end, or stop it; nothing was changed.",
        )

    with _locked(data, wait_seconds, busy):
        try:
            with contextlib.suppress(OSError):  # the note is for people to read; the lock decides
                since = datetime.now(UTC).isoformat(timespec="seconds")
                note.write_text(json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "since": since, "verb": verb}))
            for folder in ("lake", "warehouse", "exports"):
                sweep(data / folder, but=data / "lake" / "raw")  # where another process may land
            sweep_snapshots(data / "snapshots")
            yield
        finally:
            with contextlib.suppress(OSError):
                note.unlink(missing_ok=True)


@contextlib.contextmanager
def _locked(folder: Path, wait_seconds: float, busy: Callable[[], BusyError]) -> Iterator[None]:
    """Hold the lock of a folder; whatever the disk refuses meanwhile becomes an error of ours."""
    from filelock import FileLock, Timeout  # who only reads waits for no lock

    lock = FileLock(folder / ".lock")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=wait_seconds)
        yield
    except Timeout as held:
        raise busy() from held
    except OSError as failure:
        if failure.errno in NO_LOCKS:
            raise PublishRefusedError(
                "the file system of the data folder cannot lock files, so two writers could not be kept apart",
                str(folder),
                "point DATAMOAT_DATA at a folder on a local disk.",
            ) from failure
        if failure.errno not in REFUSALS:
            raise
        named = failure.filename2 or failure.filename
        raise cannot_write(Path(os.fsdecode(named)) if named else folder, failure) from failure
    finally:
        lock.release()


def _flush(path: Path) -> None:
    """Ask the disk to keep what was written to a file or a folder."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
