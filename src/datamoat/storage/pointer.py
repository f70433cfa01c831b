"""Which build is published, for several hosts: one object in the store that names the builds that are there.

A publication puts its file and manifest, then replaces the pointer if it is what this host saw last. So of two publishers who
began with the same published build one wins, and the other is refused before any reader sees its build.
"""

import json
import shutil
from typing import Any

from datamoat.errors import PublishRefusedError
from datamoat.settings import Settings
from datamoat.storage.files import part_of, write_json
from datamoat.storage.store import Store, open_store
from datamoat.storage.warehouse import (
    Published,
    check_retained,
    is_intact,
    published_build,
    read_manifest,
    retained_builds,
    swap_in,
)

POINTER = "published.json"
SEEN = ".seen.json"  # in the warehouse: the tag of the pointer that this host saw last


def pull_published(settings: Settings) -> None:
    """Bring the builds that the pointer names, and publish its current one here; without a store nothing is done.

    Raises:
        StoreUnavailableError: The store cannot be reached.
        PublishRefusedError: A build in the store is not what its manifest states, or that is damaged.
        ContentError: A later version of datamoat published it.
        BusyError: A program holds the published file for writing.
    """
    store = open_store(settings)
    found = store.read(POINTER) if store is not None else None
    if store is None or found is None:
        return
    stated, tag = json.loads(found[0]), found[1]
    for stem in stated["builds"]:
        _bring(settings, store, stem)
    current = read_manifest(settings.warehouse / "builds" / f"{stated['current']}.json")
    check_retained(current)
    here = published_build(settings)
    if here is None or here.sha256 != current.sha256:
        part = part_of(settings.published)
        shutil.copyfile(current.path, part)
        swap_in(settings, part, current)
    write_json(settings.warehouse / SEEN, {"tag": tag})


def check_pointer(settings: Settings, build_id: str, tables: dict[str, Any]) -> None:
    """Before a publication: compare the pointer with what this host saw last.

    If it names just this build, an earlier try was killed after it had replaced the pointer: it is published here, too.

    Raises:
        PublishRefusedError: Another host published since this build began.
        StoreUnavailableError: The store cannot be reached.
    """
    store = open_store(settings)
    found = store.read(POINTER) if store is not None else None
    if store is None or found is None:
        return
    current = json.loads(found[0])["current"]
    _bring(settings, store, current)
    there = read_manifest(settings.warehouse / "builds" / f"{current}.json")
    if (there.build_id, there.tables) == (build_id, tables):
        pull_published(settings)
    elif found[1] != _seen(settings):
        raise _beaten(store, there.build_id)


def announce(settings: Settings, build: Published, n_retained: int) -> None:
    """Put a build into the store and let the pointer name it and the builds retained beside it; without a store nothing is done.

    Raises:
        PublishRefusedError: Another host published meanwhile.
        StoreUnavailableError: The store cannot be reached.
    """
    store = open_store(settings)
    if store is None:
        return
    found = store.read(POINTER)
    before = json.loads(found[0]) if found is not None else {"builds": [], "current": None}
    if before["current"] == build.path.stem:
        return
    newest: dict[str, str] = {}
    for one in [build, *(one for one in retained_builds(settings) if is_intact(one))]:
        newest.setdefault(one.build_id, one.path.stem)
    retained = list(newest.values())[:n_retained]
    there = store.names("builds")
    for name in (f"{stem}{suffix}" for stem in retained for suffix in (".duckdb", ".json")):
        if name not in there:
            store.put(f"builds/{name}", settings.warehouse / "builds" / name)
    body = json.dumps({"current": build.path.stem, "builds": retained}, indent=1).encode()
    tag = store.swap(POINTER, body, _seen(settings))
    if tag is None:
        raise _beaten(store, str(before["current"]))
    write_json(settings.warehouse / SEEN, {"tag": tag})
    for stem in set(before["builds"]) - set(retained):
        for suffix in (".json", ".duckdb"):
            store.remove(f"builds/{stem}{suffix}")


def _bring(settings: Settings, store: Store, stem: str) -> None:
    for suffix in (".duckdb", ".json"):  # the manifest last: with it the build is retained
        path = settings.warehouse / "builds" / f"{stem}{suffix}"
        if not path.is_file():
            store.get(f"builds/{path.name}", path, read_only=suffix == ".duckdb")


def _seen(settings: Settings) -> str | None:
    """Return the tag of the pointer that this host saw last; None where it saw none."""
    path = settings.warehouse / SEEN
    return str(json.loads(path.read_text(encoding="utf-8"))["tag"]) if path.is_file() else None


def _beaten(store: Store, other: str) -> PublishRefusedError:
    return PublishRefusedError(
        f"another host published build {other} since this build began",
        f"{store.address}/{POINTER}",
        "run `datamoat run` again: it brings that build first; nothing was published.",
    )
