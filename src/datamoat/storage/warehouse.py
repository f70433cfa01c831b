"""The file that readers open, and the builds kept beside it; light, so that a question is answered at once."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb

from datamoat.errors import PublishRefusedError
from datamoat.settings import Settings

READ_ONLY = {"enable_external_access": "false", "lock_configuration": "true"}


@dataclass(frozen=True)
class Published:
    """What is in the file readers open."""

    build_id: str
    as_of: date
    path: Path
    n_bytes: int
    is_new: bool = True


def published_build(path: Path) -> Published | None:
    """Return what a published file says it is; None where there is none, or it is not one of ours."""
    if not path.is_file():
        return None
    try:
        with duckdb.connect(str(path), read_only=True) as con:
            build_id, as_of = con.sql("select build_id, as_of from meta.build").fetchall()[0]
    except duckdb.Error:
        return None
    return Published(build_id, as_of, path, path.stat().st_size)


def open_published(settings: Settings) -> duckdb.DuckDBPyConnection:
    """Open the published file for reading only, with no way out of it.

    Raises:
        PublishRefusedError: Nothing is published, or the file is broken.
    """
    if not settings.published.is_file():
        raise PublishRefusedError("nothing is published yet", str(settings.published), "run `datamoat run`.")
    try:
        limits = {"memory_limit": settings.memory_limit}  # one question does not take the machine
        return duckdb.connect(str(settings.published), read_only=True, config={**READ_ONLY, **limits})
    except duckdb.Error as failure:
        raise PublishRefusedError(
            f"the published file cannot be opened: {failure}",
            str(settings.published),
            "run `datamoat rollback`, or `datamoat run` to build it again from the lake.",
        ) from failure


def kept_builds(settings: Settings) -> list[Published]:
    """Return the builds kept for rollback, newest first."""
    found = sorted(
        (settings.warehouse / "builds").glob("datamoat-*.duckdb"), key=lambda path: path.stat().st_mtime_ns, reverse=True
    )
    return [build for build in map(published_build, found) if build is not None]
