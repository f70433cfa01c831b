"""What other programs do to the published file: who holds it for writing, and the logs they leave beside it."""

import contextlib
import os
import struct
from collections.abc import Iterator
from pathlib import Path

from datamoat.errors import BusyError
from datamoat.settings import Settings
from datamoat.storage.files import cannot_write

SET_ASIDE = 10  # so many files of clients are retained for a person to see; the oldest goes when another comes
FLOCK = "hhqqi4x"  # struct flock: type, whence, start, length, pid


def logs_of(path: Path) -> list[Path]:
    """Return the logs of clients that wrote to a database (`.wal`, `.wal.checkpoint`, `.wal.recovery`); beside ours is none of ours."""
    return sorted(path.parent.glob(f"{path.name}.wal*"))


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


def remove_log(settings: Settings) -> None:
    """Move a client's log aside if there is one.

    Raises:
        BusyError: The client is still running.
    """
    if logs_of(settings.published):
        with no_writer(settings):
            set_log_aside(settings)


def set_log_aside(settings: Settings) -> None:
    """Move a client's log aside; the caller knows that the client is gone."""
    move_aside(settings, logs_of(settings.published))


@contextlib.contextmanager
def no_writer(settings: Settings) -> Iterator[None]:
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
                raise held_by(settings, writer_of(settings.published)) from held
        yield


def held_by(settings: Settings, pid: int | None) -> BusyError:
    """Return the error of a published file that a process holds for writing."""
    who = f"process {pid}" if pid is not None else "another process"
    return BusyError(
        f"{who} holds the published file for writing",
        str(settings.published),
        "end it, and open the file with read_only=True: the published file is replaced, never edited. Nothing was changed.",
    )


def move_aside(settings: Settings, paths: list[Path]) -> None:
    """Move files into `set-aside/`."""
    for path in paths:
        path.replace(free_name(settings, path.name))


def free_name(settings: Settings, name: str) -> Path:
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
