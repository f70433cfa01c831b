"""Releases in the store that several hosts share: who made one, and its files, for every host."""

import json
from dataclasses import asdict
from datetime import date
from pathlib import Path

from datamoat.errors import PublishRefusedError
from datamoat.release.register import Entry, record, register
from datamoat.release.sums import SUMS
from datamoat.settings import Settings
from datamoat.storage.files import sha256_of
from datamoat.storage.store import open_store

FOLDER = "releases"


def pull_register(settings: Settings) -> list[Entry]:
    """Return the releases that this host and, where there is one, the store know; oldest first.

    Raises:
        StoreUnavailableError: There is a store, and it cannot be reached.
        PublishRefusedError: A release has another checksum here than in the store.
    """
    store = open_store(settings)
    for name in store.names(FOLDER) if store is not None else ():
        if store is not None and name.endswith(".json") and "/" not in name and (found := store.read(f"{FOLDER}/{name}")):
            stated = json.loads(found[0])
            dates = {key: date.fromisoformat(stated[key]) for key in ("released_on", "as_of")}
            record(settings.exports, Entry(**{**stated, **dates}))
    return register(settings.exports)


def push_release(settings: Settings, entry: Entry, folder: Path) -> None:
    """Put a release into the store: its register entry, by which no other host can make it, then its files, their hashes last.

    Raises:
        StoreUnavailableError: There is a store, and it cannot be reached.
        PublishRefusedError: Another host made this release.
    """
    store = open_store(settings)
    if store is None:
        return
    body = json.dumps(asdict(entry), default=str, sort_keys=True).encode()
    if store.swap(f"{FOLDER}/{entry.release_id}.json", body, None) is None:
        raise PublishRefusedError(
            f"another host made release {entry.release_id} with another checksum",
            f"{store.address}/{FOLDER}",
            f"remove {folder} and its line in the register, and run it again.",
        )
    names = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    there = store.names(f"{FOLDER}/{entry.release_id}")
    for name in sorted({*names} - there.keys(), key=lambda name: (name == SUMS, name)):
        store.put(f"{FOLDER}/{entry.release_id}/{name}", folder / name)


def bring_release(settings: Settings, entry: Entry, folder: Path) -> None:
    """Bring the files of a release that is not here; without a store nothing is done.

    Raises:
        StoreUnavailableError: There is a store, and it cannot be reached.
        PublishRefusedError: The store has only a part of it.
    """
    store = open_store(settings)
    if store is None or folder.is_dir():
        return
    part = folder.with_name(f".{folder.name}.part")
    for name in store.names(f"{FOLDER}/{entry.release_id}"):
        store.get(f"{FOLDER}/{entry.release_id}/{name}", part / name, read_only=True)
    if not (part / SUMS).is_file() or sha256_of(part / SUMS) != entry.checksum:
        raise PublishRefusedError(
            f"the store has only a part of release {entry.release_id}",
            f"{store.address}/{FOLDER}",
            "make it again on the host that made it: that puts what is missing.",
        )
    part.replace(folder)
