"""Materialized results of expensive models, under the hash of all they depend on, checked by hash before each use."""

import contextlib
import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

from datamoat.errors import ContentError
from datamoat.project.fingerprint import code_hash, versions
from datamoat.project.model import Model
from datamoat.storage.files import part_of, read_record, write_json
from datamoat.storage.warehouse import known_sha256

HASHES = "hashes.json"  # the record of a cached result; written last, so that half a result is none
RETAINED_RESULTS = 3


class CachedResult:
    """One materialized result: a folder with a Parquet file for each table and the hashes of them."""

    def __init__(self, folder: Path) -> None:
        """Name the folder; nothing is read."""
        self.folder = folder

    def file(self, table_name: str) -> Path:
        """Return where a table of the result is."""
        return self.folder / f"{table_name}.parquet"

    def hashes(self, recorded: dict[str, str] | None = None) -> tuple[dict[str, str], str | None]:
        """Return the hash of each table, and what is wrong: no hashes where there is no result or it is damaged.

        Args:
            recorded: The hash of each table as the last build took it from this folder, which the result must still have.
        """
        if not self.folder.is_dir():
            return {}, None
        try:
            stated: dict[str, str] = dict(json.loads((self.folder / HASHES).read_bytes()))
        except FileNotFoundError:
            return {}, None  # a build was stopped in the middle of writing it
        except (OSError, ValueError, TypeError):
            return {}, f"{self.folder / HASHES} is damaged"
        for name, sha256 in stated.items():
            with contextlib.suppress(OSError):
                if known_sha256(self.file(name)) == sha256:
                    continue
            return {}, f"{self.file(name)} is damaged or missing, or its name in {HASHES} is"
        if recorded is not None and recorded != stated:
            return {}, f"{self.folder} was changed together with {HASHES}: the last build took other bytes from it"
        return stated, None

    def save(self, hashes: dict[str, str]) -> None:
        """Record a result that was written whole, and remove the oldest ones of its model."""
        write_json(self.folder / HASHES, hashes)
        for older in sorted(self.folder.parent.iterdir(), key=lambda folder: folder.stat().st_mtime)[:-RETAINED_RESULTS]:
            shutil.rmtree(older, ignore_errors=True)

    def link(self, table_name: str, path: Path) -> None:
        """Let a table stand in the lake too, without a second copy where the disk allows; both are checked before use."""
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and path.samefile(self.file(table_name)):
            return  # to rename one link of a file over another leaves both
        part = part_of(path)
        try:
            part.hardlink_to(self.file(table_name))
        except OSError:
            shutil.copyfile(self.file(table_name), part)
        part.replace(path)


def cache_key(model: Model, taken: dict[str, Any], hashes: dict[str, str]) -> str:
    """Return the hash of everything a cached model's result depends on.

    Args:
        model: The model.
        taken: The constants it takes.
        hashes: The hash of every table made before it.
    """
    code = hashlib.sha256(model.text.encode()).hexdigest() if model.is_sql else code_hash(model.path)
    depends = {read: hashes[read] for read in model.reads}
    constants = {name: str(value) for name, value in taken.items()}
    return hashlib.sha256(json.dumps([code, depends, constants, versions()], sort_keys=True).encode()).hexdigest()[:24]


def folder_of(lake: Path, model: Model, key: str) -> Path:
    """Return where the result of a model under a key is."""
    return lake / "cache" / model.name / key


def damaged_results(lake: Path) -> list[str]:
    """Return what is wrong with the cached results, a line each."""
    folders = sorted((lake / "cache").glob("*/*"))
    problems = [problem for folder in folders if (problem := CachedResult(folder).hashes()[1])]
    problems += [
        f"{path / HASHES} was deleted, or never written" for path in folders if path.is_dir() and not (path / HASHES).exists()
    ]
    for path in sorted((lake / "cache").glob("*.json")):
        try:
            read_record(path)
        except (OSError, ValueError, ContentError):
            problems.append(f"{path} is damaged, or of a later version")
    return problems
