"""Polars models: each called with the tables it reads, and an expensive one before its turn where a second core is free."""

import json
import select
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from pydantic import TypeAdapter

from datamoat.errors import DatamoatError, ModelFailedError
from datamoat.project.model import Model
from datamoat.project.python_models import load
from datamoat.storage.files import part_of, put_in_place
from datamoat.storage.lake import path_of

DONE = b"done\n"
MODEL = TypeAdapter(Model)


def run_polars(lake: Path, model: Model, taken: dict[str, Any], paths: dict[str, Path]) -> None:
    """Call a Polars model and store what it returns, in the order of the grain.

    Args:
        lake: Where the tables are that it reads.
        model: The model.
        taken: The constants it takes, by name.
        paths: By name of a table, the file to write.

    Raises:
        ModelFailedError: It did not run, or did not return what its header promises.
    """
    given: dict[str, Any] = {read.split(".")[1]: pl.scan_parquet(path_of(lake, read), glob=False) for read in model.reads}
    try:
        result = load(model.path).model(**given, **taken)
    except (DatamoatError, OSError, duckdb.Error, pl.exceptions.PolarsError, pa.ArrowException):
        raise
    except Exception as failure:
        raise ModelFailedError(
            f"{model.layer}.{model.name} did not run: {type(failure).__name__}: {failure}", str(model.path), "correct the model."
        ) from failure
    frames = result if isinstance(result, dict) else {model.tables[0].name: result}
    if set(frames) != {table.name for table in model.tables}:
        raise ModelFailedError(
            f"{model.name} returned {sorted(frames)}, and its header promises {sorted(t.name for t in model.tables)}",
            str(model.path),
            "return one frame for each table.",
        )
    for table in model.tables:
        path = paths[table.name]
        path.parent.mkdir(parents=True, exist_ok=True)
        part = part_of(path)
        frame = frames.pop(table.name)
        if isinstance(frame, pa.Table):
            pq.write_table(frame.sort_by([(name, "ascending") for name in table.grain]), part, compression="zstd")
        else:
            frame = frame.collect() if isinstance(frame, pl.LazyFrame) else frame
            missing = [name for name in table.grain if name not in frame.columns]
            if missing:
                raise ModelFailedError(
                    f"{table.id} has no column {missing[0]!r}, which its grain names",
                    str(model.path),
                    f"columns: {frame.columns}.",
                )
            ordered = frame if _in_order(frame, table.grain) else frame.sort(table.grain, maintain_order=True)
            ordered.write_parquet(part, compression="zstd")
        put_in_place(part, path)


def _in_order(frame: pl.DataFrame, grain: tuple[str, ...]) -> bool:
    """Return whether the rows already stand in the order of the grain: sorting would copy millions of them for nothing."""
    later = pl.lit(value=False)
    for name in reversed(grain):
        this, before = pl.col(name), pl.col(name).shift(1)
        later = (this > before) | ((this == before) & later)
    return frame.height < 2 or bool(frame.select(later.slice(1).all()).item())  # noqa: PLR2004


class SecondProcess:
    """A process that computes models before their turn, one at a time; it is killed at the end of the build.

    Where the build itself is killed, it finishes the model it is at, writes nothing that is read, and ends.

    A result that fails here is none: the model then runs in its turn, where its error is reported.
    """

    def __init__(self, lake: Path, *, is_wanted: bool) -> None:
        """Start nothing yet.

        Args:
            lake: Where the tables are.
            is_wanted: Whether there is a core for it; without one nothing is ever started.
        """
        self._lake, self._is_wanted = lake, is_wanted
        self._process: subprocess.Popen[bytes] | None = None
        self._computing: str | None = None
        self._done: dict[str, bool] = {}

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """End the process, whatever it computes."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()

    def may_start(self, model: Model) -> bool:
        """Return whether this model may be started now: it was not yet, and nothing is being computed."""
        if not self._is_wanted or model.name in self._done or model.name == self._computing:
            return False
        if self._computing is not None and select.select([self._stream("stdout")], [], [], 0)[0]:
            self._wait()
        return self._computing is None

    def start(self, model: Model, taken: dict[str, Any], paths: dict[str, Path]) -> None:
        """Let a model be computed; arguments as of `run_polars`."""
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "datamoat.build.polars_models"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        self._computing = model.name
        try:
            self._stream("stdin").write(_job_line(self._lake, model, taken, paths))
            self._stream("stdin").flush()
        except OSError:  # it died
            self._is_wanted = False

    def has_made(self, model: Model) -> bool:
        """Wait for a model that was started, and return whether its tables are written; False if it was not started."""
        if self._computing == model.name:
            self._wait()
        return self._done.get(model.name, False)

    def _wait(self) -> None:
        if self._computing is not None:
            self._done[self._computing] = self._stream("stdout").readline() == DONE
            self._computing = None

    def _stream(self, name: str) -> IO[bytes]:
        stream: IO[bytes] = getattr(self._process, name)
        return stream


def _job_line(lake: Path, model: Model, taken: dict[str, Any], paths: dict[str, Path]) -> bytes:
    """Return the arguments of `run_polars` as one line; the constants are of YAML, which has dates."""
    job = {
        "lake": str(lake),
        "model": MODEL.dump_python(model, mode="json"),
        "taken": taken,
        "paths": {name: str(path) for name, path in paths.items()},
    }
    return json.dumps(yaml.safe_dump(job)).encode() + b"\n"


def _job_of(line: bytes) -> tuple[Path, Model, dict[str, Any], dict[str, Path]]:
    """Return the arguments of `run_polars` from their line."""
    job = yaml.safe_load(json.loads(line))
    paths = {name: Path(path) for name, path in job["paths"].items()}
    return Path(job["lake"]), MODEL.validate_python(job["model"]), job["taken"], paths


def _work() -> None:  # pragma: no cover  (runs in the second process)
    """Read jobs from standard input until it is closed, and write a line for each to standard output."""
    output, sys.stdout = sys.stdout.buffer, sys.stderr
    for line in sys.stdin.buffer:
        try:
            run_polars(*_job_of(line))
            answer = DONE
        except Exception:  # noqa: BLE001  (the parent runs the model again and reports it)
            answer = b"failed\n"
        output.write(answer)
        output.flush()


if __name__ == "__main__":
    _work()
