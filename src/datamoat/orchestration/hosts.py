"""Which host a task ran on and which folders it saw, so that tasks which share no disk fail by name, not by doing nothing."""

import contextlib
import os
import socket
import uuid
from typing import Any

from datamoat.errors import PublishRefusedError
from datamoat.settings import Settings, read_settings
from datamoat.storage.files import read_record, write_record
from datamoat.storage.snapshots import Snapshots
from datamoat.storage.store import open_store, synchronise

Facts = dict[str, Any]
NOTE = ".folder.json"  # in a data folder: an id that no other has


def place() -> Facts:
    """Return this host, the id of its data folder, and the id of the store that its snapshots are in.

    Raises:
        StoreUnavailableError: There is a store, and it cannot be reached.
    """
    settings = read_settings()
    store, folder = open_store(settings), _folder_id(settings)
    return {"host": socket.gethostname(), "folder": folder, "store": store.identity() if store else folder}


def check_fetched(source_id: str, fetched: Facts | None) -> Facts:
    """Return this place, unless the snapshots that an earlier task stored are not here.

    Args:
        source_id: The source.
        fetched: What that task returned, with its place; None where it failed, and nothing is known.

    Raises:
        PublishRefusedError: It stored them where this host does not look, or one of them is not here.
        StoreUnavailableError: There is a store, and it cannot be reached.
    """
    here = check_store(fetched)
    settings = read_settings()
    synchronise(settings, f"snapshots/{source_id}")
    known = {receipt.snapshot_id for receipt in Snapshots(settings.snapshots, source_id).of()}
    missing = [one for one in (fetched or {}).get("snapshot_ids", []) if one not in known]
    if fetched and missing:
        raise PublishRefusedError(
            f"{len(missing)} of the snapshots stored on {fetched['host']} are not here on {here['host']}: {missing[0]}",
            str(settings.snapshots),
            "restore them, or fetch again; nothing was landed.",
        )
    return here


def check_store(*before: Facts | None) -> Facts:
    """Return this place, unless an earlier task put its snapshots where this host does not look.

    Args:
        before: What earlier tasks returned, with their places; None for one that failed.

    Raises:
        PublishRefusedError: One of them ran with another store, or with another data folder and no store.
        StoreUnavailableError: There is a store, and it cannot be reached.
    """
    return _same("store", before, "give all hosts one data folder, or set DATAMOAT_STORE to one bucket on all of them")


def check_folder(*before: Facts | None) -> Facts:
    """Return this place, unless an earlier task left its results in another data folder: the lake is on one host.

    Args:
        before: What earlier tasks returned, with their places; None for one that failed.

    Raises:
        PublishRefusedError: One of them ran with another data folder.
        StoreUnavailableError: There is a store, and it cannot be reached.
    """
    return _same("folder", before, "run all tasks but `fetch` and `count` on one worker: the queue `writer`")


def _same(what: str, before: tuple[Facts | None, ...], fix: str) -> Facts:
    here = place()
    for facts in filter(None, before):
        if facts.get(what, here[what]) != here[what]:
            raise PublishRefusedError(
                f"an earlier task ran on {facts['host']} with {what} {facts[what]}, and this is {here['host']} with {what} {here[what]}",
                str(read_settings().data),
                f"{fix}; nothing was changed.",
            )
    return here


def _folder_id(settings: Settings) -> str:
    """Return the id of a data folder; two processes that make it at once agree on one."""
    path = settings.data / NOTE
    if not path.is_file():
        part = path.with_name(f"{NOTE}.{uuid.uuid4()}.part")
        write_record(part, {"id": str(uuid.uuid4()), "host": socket.gethostname()})
        with contextlib.suppress(FileExistsError):
            os.link(part, path)
        part.unlink()
    return str(read_record(path)["id"])
