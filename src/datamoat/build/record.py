"""What one build made, on record in the lake, and whether the lake still holds it."""

from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

from datamoat.build.cache import damaged_results
from datamoat.errors import ModelFailedError
from datamoat.storage.files import read_record, write_record
from datamoat.storage.lake import path_of
from datamoat.storage.warehouse import known_sha256

BUILD_FILE = "build.json"


@dataclass(frozen=True)
class Build:
    """What one build made, as recorded in `build.json`.

    Attributes:
        build_id: The as-of date and the first eight hex digits of the hash of all inputs.
        as_of: The newest date in the inputs, or the date that was given.
        inputs: Hash by input: each reference file, the served snapshots, the content tree, the engine.
        tables: By table id: rows, hash of the file, content hash (marts only), seconds, bytes.
        meta: Hash of the file by meta table.
        settings: The constants of `transforms/build.yml` that models may take.
        made_from: The hash of the bytes of everything it is a function of (`build.inputs.fingerprint`).
        cached: By folder of a cached result that it took or made: the hash of each table.
    """

    build_id: str
    as_of: date
    built_at: datetime
    inputs: dict[str, str] = field(hash=False)
    tables: dict[str, dict[str, Any]] = field(hash=False)
    settings: dict[str, Any] = field(hash=False)
    meta: dict[str, str] = field(default_factory=dict, hash=False)
    made_from: str = ""
    cached: dict[str, dict[str, str]] = field(default_factory=dict, hash=False)

    def write(self, path: Path) -> None:
        """Write the record in one step, so that a reader never sees half of it."""
        write_record(path, {**self.__dict__, "as_of": self.as_of.isoformat(), "built_at": self.built_at.isoformat()})


def read_build(lake: Path) -> Build:
    """Return the build in the lake.

    Raises:
        ModelFailedError: There is none, or the last one did not finish.
    """
    try:
        stated = read_record(lake / BUILD_FILE)
    except (OSError, ValueError) as failure:
        raise ModelFailedError("there is no finished build", str(lake / BUILD_FILE), "run `datamoat build`.") from failure
    dates = {"as_of": date.fromisoformat(stated["as_of"]), "built_at": datetime.fromisoformat(stated["built_at"])}
    return Build(**{**stated, **dates})


def damaged_files(lake: Path, build: Build) -> list[Path]:
    """Return the files of the lake that are not what the build wrote."""
    stated = {table_id: measured["sha256"] for table_id, measured in build.tables.items()}
    stated |= {f"meta.{name}": sha256 for name, sha256 in build.meta.items()}
    paths = {path_of(lake, table_id): sha256 for table_id, sha256 in stated.items()}
    return [path for path, sha256 in paths.items() if not path.is_file() or known_sha256(path) != sha256]


def check_lake(lake: Path, build: Build) -> None:
    """Compare every file of a build in the lake with its hash.

    Raises:
        ModelFailedError: One is missing or not what was built; all are named.
    """
    damaged = damaged_files(lake, build)
    if damaged:
        raise ModelFailedError(
            f"{len(damaged)} file(s) of the lake are not what was built: {', '.join(path.stem for path in damaged[:8])}",
            str(damaged[0]),
            "run `datamoat build`, which makes them again.",
        )


def examine_lake(lake: Path) -> list[tuple[bool, str, str]]:
    """Return findings about the build in the lake and the cached results: whether good, what was seen, what to do."""
    findings = []
    if not (lake / BUILD_FILE).exists():
        findings.append((True, "lake: no finished build", ""))
    else:
        try:
            build = read_build(lake)
        except ModelFailedError:
            findings.append((False, f"lake: {BUILD_FILE} is damaged", "`datamoat build` makes it again"))
        else:
            damaged = [f"{path.parent.name}.{path.stem}" for path in damaged_files(lake, build)]
            again = "`datamoat build` makes them again"
            findings += [(False, f"lake: {name} is damaged or missing", again) for name in damaged]
            findings += [] if damaged else [(True, f"lake: build {build.build_id}, every file as it was built", "")]
    again = "the next build that needs it computes it again; or delete it"
    return findings + [(False, f"cache: {problem}", again) for problem in damaged_results(lake)]
