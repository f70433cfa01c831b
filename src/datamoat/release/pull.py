"""Fetch a release that somebody published, and make it the file that readers open here.

A release is read from a folder or from an address: the folder of the release itself, or one above it with the newest in `latest/`.
Of its files the list of hashes, the manifest and the database are fetched; nothing is put in place before its hash is that of the
list, and the list's own hash is that of the checksum, where one is given.
"""

import contextlib
import hashlib
import json
import re
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

import duckdb

from datamoat.errors import PublishRefusedError, SourceUnavailableError, UsageError
from datamoat.release.register import compare
from datamoat.release.sums import DATABASE, MANIFEST, SUMS, read_sums
from datamoat.settings import Settings
from datamoat.storage.files import cannot_write
from datamoat.storage.lake import other_rows
from datamoat.storage.warehouse import (
    READ_ONLY,
    Published,
    copy_read_only,
    next_number,
    published_build,
    restore_retained,
    retained_builds,
    swap_in,
)

LATEST = "latest"
BUILD_ID = re.compile(r"[0-9A-Za-z-]+")
SECONDS = 60  # without a byte
PIECE = 1 << 20
MOST_TEXT = 1 << 24  # bytes of the list of hashes and of the manifest
MOST = 1 << 33  # bytes of a database


def pull(settings: Settings, source: str, checksum: str | None = None) -> Published:
    """Fetch a release and publish it here; the caller holds the writer's lock.

    Args:
        settings: Where things are.
        source: A folder, or an address that begins with `https://` or `http://`.
        checksum: The checksum of the manifest that somebody wrote down elsewhere, to compare with.

    Returns:
        What is published; `is_new` is whether this call published it, `unknown_checksum` its checksum if nobody here knows it.

    Raises:
        UsageError: There is no release, or the source is neither a folder nor such an address.
        SourceUnavailableError: The address does not respond.
        PublishRefusedError: A file is not what the list of hashes, or the list not what the checksum or a register here states;
            or its rows are not those of its manifest, or of the build of that id that is retained here.
    """
    base, sums = _find(source.rstrip("/"))
    own = hashlib.sha256(sums).hexdigest()
    if checksum is not None and own != checksum.strip().lower():
        raise PublishRefusedError(
            f"the release's checksum is {own}, not the one given", base, "do not use it: ask where the checksum was published."
        )
    listed = read_sums(sums)
    wanted = dict(listed or [])
    if listed is None or not {DATABASE, MANIFEST} <= set(wanted):
        raise PublishRefusedError("the list of hashes is malformed or names no database", f"{base}/{SUMS}", "use another copy.")
    try:
        manifest = _read(f"{base}/{MANIFEST}", MOST_TEXT)
    except FileNotFoundError as failure:
        raise _missing(f"{base}/{MANIFEST}") from failure
    _compare(hashlib.sha256(manifest).hexdigest(), wanted[MANIFEST], f"{base}/{MANIFEST}")
    new, release_id = _described(settings, manifest, wanted[DATABASE], own)
    registered_on, others = compare(settings, {release_id, base.rpartition("/")[2]}, own)
    if others:
        raise PublishRefusedError(f"it is not what was released: {others[0]}", f"{base}/{SUMS}", "use another copy.")
    _check_known(settings, new)
    unknown = own if checksum is None and registered_on is None else ""
    current = published_build(settings)
    if current is not None and current.sha256 == wanted[DATABASE]:
        return replace(current, is_new=False, unknown_checksum=unknown)
    with tempfile.TemporaryDirectory(prefix=".pull-", dir=_folder(settings.warehouse)) as scratch:
        part = Path(scratch) / DATABASE
        n_bytes = _download(f"{base}/{DATABASE}", part, wanted[DATABASE])
        _check_rows(settings, part, new, f"{base}/{DATABASE}")
        known = next((build for build in retained_builds(settings) if build.sha256 == new.sha256), None)
        published = replace(known or new, n_bytes=n_bytes, number=next_number(settings), unknown_checksum=unknown)
        try:
            _folder(published.path.parent)
            copy_read_only(part, published.path)
            published.write_manifest()
            swap_in(settings, part, published)
        except OSError as failure:
            raise cannot_write(settings.warehouse, failure) from failure
    restore_retained(settings, published)
    return published


def _find(source: str) -> tuple[str, bytes]:
    """Return where the release is, and its list of hashes."""
    parts = urlsplit(source)
    if parts.scheme and parts.scheme not in {"http", "https"} and len(parts.scheme) > 1:
        raise UsageError(f"{source} is neither a folder nor an address", source, "name a folder, or an address with https://.")
    for base in (source, f"{source}/{LATEST}"):
        with contextlib.suppress(FileNotFoundError):
            return base, _read(f"{base}/{SUMS}", MOST_TEXT)
    raise UsageError(
        f"there is no release: neither {SUMS} nor {LATEST}/{SUMS} is there", source, "name the folder that holds one of them."
    )


@contextlib.contextmanager
def _opened(path: str) -> Iterator[IO[bytes]]:
    """Open a file of a release for reading.

    Raises:
        FileNotFoundError: It is not there.
        SourceUnavailableError: The address does not respond.
    """
    try:
        if path.startswith(("http://", "https://")):
            request = urllib.request.Request(path, headers={"User-Agent": "datamoat"})  # noqa: S310  (the scheme was compared)
            with urllib.request.urlopen(request, timeout=SECONDS) as stream:  # noqa: S310
                yield stream
        else:
            with Path(path).open("rb") as file:
                yield file
    except urllib.error.HTTPError as failure:
        if failure.code in {403, 404, 410}:
            raise FileNotFoundError(path) from failure
        raise SourceUnavailableError(f"the address responds with HTTP {failure.code}", path, "try again later.") from failure
    except (NotADirectoryError, IsADirectoryError) as failure:
        raise FileNotFoundError(path) from failure
    except (urllib.error.URLError, TimeoutError, ConnectionError) as failure:
        raise SourceUnavailableError(
            f"the address does not respond: {failure}", path, "look at the address; try again."
        ) from failure


def _read(path: str, most: int) -> bytes:
    """Return a small file of a release."""
    with _opened(path) as stream:
        text = stream.read(most + 1)
    if len(text) > most:
        raise PublishRefusedError(f"it is larger than {most} bytes", path, "this is no release of ours.")
    return text


def _download(path: str, target: Path, wanted: str) -> int:
    """Write a file of a release to `target`, compare its hash, and return its size."""
    digest, n_bytes = hashlib.sha256(), 0
    try:
        with _opened(path) as stream, target.open("wb") as file:
            while piece := stream.read(PIECE):
                digest.update(piece)
                n_bytes += len(piece)
                if n_bytes > MOST:
                    raise PublishRefusedError(f"it is larger than {MOST} bytes", path, "this is no release of ours.")
                file.write(piece)
    except FileNotFoundError as failure:
        raise _missing(path) from failure
    _compare(digest.hexdigest(), wanted, path)
    return n_bytes


def _missing(path: str) -> PublishRefusedError:
    return PublishRefusedError("the list of hashes names it, and it is not there", path, "use another copy.")


def _compare(own: str, wanted: str, path: str) -> None:
    if own != wanted:
        raise PublishRefusedError(
            "it does not have the bytes that were released",
            path,
            "try again; if it repeats, use another copy. Nothing was changed.",
        )


def _described(settings: Settings, manifest: bytes, sha256: str, checksum: str) -> tuple[Published, str]:
    """Return what the manifest of a release states, as a publication of this data folder, and the name of the release."""
    try:
        stated = json.loads(manifest)
        build_id = str(stated["build_id"])
        if BUILD_ID.fullmatch(build_id) is None:  # it becomes a file name
            raise ValueError(build_id)  # noqa: TRY301
        return Published(
            build_id, date.fromisoformat(stated["as_of"]), 0, sha256, 0, f"release {checksum}", dict(stated["tables"]),
            settings.warehouse / "builds" / f"datamoat-{build_id}-{sha256[:8]}.duckdb",
        ), str(stated.get("release_id"))  # fmt: skip
    except (ValueError, KeyError, TypeError, RecursionError) as failure:
        raise PublishRefusedError(f"its manifest is malformed: {failure}", MANIFEST, "use another copy.") from failure


def _check_known(settings: Settings, new: Published) -> None:
    """Refuse a release of a build that is retained here with other rows."""
    for build in retained_builds(settings):
        if build.build_id == new.build_id and build.tables != new.tables:
            tables = build.tables.keys() | new.tables.keys()
            differ = sorted(name for name in tables if build.tables.get(name) != new.tables.get(name))
            raise PublishRefusedError(
                f"build {new.build_id} is retained here with other rows in {', '.join(differ[:5])}",
                str(build.path),
                f"find out which of the two is right; delete all {build.path.stem}.* if it is the release.",
            )


def _check_rows(settings: Settings, part: Path, new: Published, path: str) -> None:
    """Compare the rows of a database with what the manifest of its release states."""
    try:
        with duckdb.connect(str(part), read_only=True, config={**READ_ONLY, "memory_limit": settings.memory_limit}) as con:
            build_ids = [row[0] for row in con.sql("select build_id from meta.build").fetchall()]
            differ = [f"marts.{name}" for name in other_rows(con, new.tables)]
    except duckdb.Error as failure:
        what = " ".join(str(failure).split())
        raise PublishRefusedError(f"it has not the tables its manifest states: {what}", path, "use another copy.") from failure
    if differ or build_ids != [new.build_id]:
        raise PublishRefusedError(
            f"{', '.join(differ[:5]) or 'meta.build'} has not the rows that the manifest of the release states",
            path,
            "use another copy.",
        )


def _folder(path: Path) -> Path:
    """Return a folder, made if it is not there."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as failure:
        raise cannot_write(path, failure) from failure
    return path
