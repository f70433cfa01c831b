"""The store that several hosts share: snapshots, published builds and releases in an S3 bucket, beside their data folders.

Everything reads and writes local files; this module puts what was made into the bucket and brings what is missing. What
has its hash in its name is put once and never changed. One object changes, by a conditional write, so that of two
writers who saw the same state one is refused. Without `DATAMOAT_STORE` none of this is imported or runs.
"""

import contextlib
import json
import re
import uuid
from collections.abc import Iterator
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

from datamoat.errors import DatamoatError, StoreUnavailableError, UsageError
from datamoat.settings import Settings
from datamoat.storage.files import part_of, put_in_place, sha256_of, write_json

IDENTITY = "store.json"  # in the bucket: the id that all hosts agree on
NOTE = ".store.json"  # in a data folder: the id of the store it shares
SECONDS = 20  # to wait for a connection; three times that for an answer
NAMED_BY_HASH = re.compile(r"[0-9a-f]{12}")


class Store:
    """One prefix of one bucket."""

    def __init__(self, address: str) -> None:
        """Make a client; nothing is sent yet.

        Raises:
            UsageError: The address is not of S3, or the client is not installed.
        """
        if not re.fullmatch(r"s3://[a-z0-9.-]{3,63}(/[\w./=-]+)?/?", address):
            raise UsageError(f"{address!r} is no bucket", "DATAMOAT_STORE", "set s3://BUCKET or s3://BUCKET/PREFIX, or unset it.")
        try:
            from s3fs import S3FileSystem
        except ImportError as failure:
            raise UsageError(
                "the client for S3 is not installed", "DATAMOAT_STORE", 'pip install "datamoat[s3]", or unset it.'
            ) from failure
        self.address = address.rstrip("/")
        self._root = self.address.removeprefix("s3://")
        timeouts = {"connect_timeout": SECONDS, "read_timeout": 3 * SECONDS, "retries": {"max_attempts": 2}}
        self._fs = S3FileSystem(skip_instance_cache=True, use_listings_cache=False, config_kwargs=timeouts)

    def names(self, folder: str) -> dict[str, int]:
        """Return the objects below a folder with their sizes."""
        with self._named(f"list {folder}"):
            found = self._fs.find(f"{self._root}/{folder}", detail=True)
        return {key.removeprefix(f"{self._root}/{folder}/"): int(value["size"]) for key, value in found.items()}

    def put(self, name: str, path: Path) -> None:
        """Put a file under a name that states its content; one that is there stays."""
        with self._named(f"put {name}"), contextlib.suppress(FileExistsError):
            self._fs.put_file(str(path), f"{self._root}/{name}", mode="create")

    def get(self, name: str, path: Path, *, read_only: bool = False) -> None:
        """Bring an object to a local path, whole or not at all.

        Raises:
            StoreUnavailableError: It is not there, or a hash in its name is not that of its bytes.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        part = part_of(path)
        try:
            with self._named(f"get {name}"):
                self._fs.get_file(f"{self._root}/{name}", str(part))
            stated = path.name.partition(".")[0]
            if NAMED_BY_HASH.fullmatch(stated) and path.suffix != ".json" and not sha256_of(part).startswith(stated):
                raise StoreUnavailableError(
                    f"{name} does not have the bytes whose hash is in its name", self.address, "restore it in the bucket."
                )
            put_in_place(part, path, read_only=read_only)
        finally:
            part.unlink(missing_ok=True)

    def remove(self, name: str) -> None:
        """Remove an object that nothing names any more."""
        with self._named(f"remove {name}"), contextlib.suppress(FileNotFoundError):
            self._fs.rm_file(f"{self._root}/{name}")

    def read(self, name: str) -> tuple[bytes, str] | None:
        """Return the bytes of an object and the tag of this state of it; None where there is none."""
        try:
            with self._named(f"read {name}"), self._fs.open(f"{self._root}/{name}", "rb") as file:
                return bytes(file.read()), str(file.details["ETag"])  # it reads what had this tag when it was opened
        except StoreUnavailableError as failure:
            if isinstance(failure.__cause__, FileNotFoundError):
                return None
            raise

    def swap(self, name: str, body: bytes, tag: str | None) -> str | None:
        """Replace an object if it still has a tag (None: if there is none), and return its new tag; None if it has another."""
        condition: dict[str, Any] = {"mode": "create"} if tag is None else {"IfMatch": tag}
        with self._named(f"write {name}"):
            try:
                return str(self._fs.pipe_file(f"{self._root}/{name}", body, **condition)["ETag"])
            except OSError as failure:
                if not isinstance(failure, FileExistsError) and _code(failure) not in {"PreconditionFailed", "NoSuchKey"}:
                    raise
        now = self.read(name)
        return now[1] if now is not None and now[0] == body else None  # a response that was lost on its way

    def identity(self) -> str:
        """Return the id of the store; the first host that uses it gives it one.

        Raises:
            StoreUnavailableError: The bucket is not there, or ignores conditions: then two writers could both win.
        """
        found = self.read(IDENTITY)
        if found is None:
            body = json.dumps({"id": str(uuid.uuid4())}).encode()
            if self.swap(IDENTITY, body, None) and self.swap(IDENTITY, b"{}", None):
                raise StoreUnavailableError(
                    "the bucket ignores If-None-Match, so that two publishers could both win", self.address, "use another store."
                )
            found = self.read(IDENTITY)
        try:
            return str(json.loads(found[0] if found else b"")["id"])
        except (ValueError, KeyError, TypeError) as failure:
            raise StoreUnavailableError(
                f"{IDENTITY} is damaged", self.address, "restore it; it holds the store's id."
            ) from failure

    @contextlib.contextmanager
    def _named(self, what: str) -> Iterator[None]:
        """Turn whatever the client raises into an error that names the store."""
        from botocore.exceptions import BotoCoreError

        try:
            yield
        except DatamoatError:
            raise
        except (OSError, BotoCoreError, RuntimeError) as failure:
            raise StoreUnavailableError(
                f"could not {what} in the store: {type(failure).__name__}: {failure}",
                self.address,
                "look whether the bucket is there, and at the keys and the endpoint in the environment; nothing was changed.",
            ) from failure


def open_store(settings: Settings) -> Store | None:
    """Return the store that this data folder shares; None where it shares none.

    Raises:
        StoreUnavailableError: It cannot be reached, or it is not the one this data folder was filled from.
    """
    return _open(settings.store, settings.data) if settings.store else None


@cache
def _open(address: str, data: Path) -> Store:
    store = Store(address)
    own, note = store.identity(), data / NOTE
    known = json.loads(note.read_text(encoding="utf-8"))["id"] if note.is_file() else own
    if known != own:
        raise StoreUnavailableError(
            f"this data folder shares store {known}, and the bucket is store {own}",
            address,
            f"set DATAMOAT_STORE right; if the bucket was made again, remove {note} to fill it from here.",
        )
    if not note.is_file():
        write_json(note, {"id": own, "address": address})
    return store


def synchronise(settings: Settings, folder: str) -> None:
    """Put what only this host has of an append-only folder into the store, and bring what only the store has.

    Receipts go last in both directions: what has a receipt is whole.

    Raises:
        StoreUnavailableError: The store cannot be reached.
    """
    store = open_store(settings)
    if store is None:
        return
    root = settings.data / folder
    paths = [path.relative_to(root) for path in root.rglob("*") if path.is_file()]
    here = {path.as_posix() for path in paths if not any(part.startswith(".") for part in path.parts)}
    there = store.names(folder)
    for name in sorted(here - there.keys(), key=_receipts_last):
        store.put(f"{folder}/{name}", root / name)
    for name in sorted(there.keys() - here, key=_receipts_last):
        store.get(f"{folder}/{name}", root / name)


def _receipts_last(name: str) -> tuple[bool, str]:
    return PurePosixPath(name).suffix == ".json", name


def _code(failure: BaseException) -> str:
    """Return the code of S3's answer behind an error of the client."""
    response = getattr(failure.__cause__, "response", None) or {}
    return str(response.get("Error", {}).get("Code", ""))
