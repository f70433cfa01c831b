"""Polars models: each called with the tables it reads, and expensive ones in processes of their own, two at a time."""

import contextlib
import ctypes
import json
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
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
from datamoat.project.model import Model, Table
from datamoat.project.python_models import load
from datamoat.storage.files import part_of, put_in_place
from datamoat.storage.lake import path_of

DONE = b"done\n"
GROUP_BYTES = 16_000_000  # of a table, in one row group of its file
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
    tables = result if isinstance(result, dict) else {model.tables[0].name: result}
    if set(tables) != {table.name for table in model.tables}:
        raise ModelFailedError(
            f"{model.name} returned {sorted(tables)}, and its header promises {sorted(t.name for t in model.tables)}",
            str(model.path),
            "return one frame for each table.",
        )
    _free()
    for table in model.tables:
        path = paths[table.name]
        path.parent.mkdir(parents=True, exist_ok=True)
        part = part_of(path)
        _write(part, tables.pop(table.name), table, model.path)
        put_in_place(part, path)
    del tables, result
    _free()


def _free() -> None:
    """Return to the system what NumPy has freed: glibc holds on to it where something small lies above it."""
    with contextlib.suppress(OSError, AttributeError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)


def _write(part: Path, given: pl.DataFrame | pl.LazyFrame | Iterator[pl.DataFrame], table: Table, where: Path) -> None:
    """Write what a model returned for a table: a frame in any order, or frames that follow each other in the order of the grain.

    The file has a row group for each frame, or for each `GROUP_BYTES` of one, so that neither writing nor reading it takes the memory
    of the whole.
    """
    writer: pq.ParquetWriter | None = None
    last: pl.DataFrame | None = None
    is_whole = isinstance(given, pl.DataFrame | pl.LazyFrame)
    try:
        for frame in [given.lazy().collect()] if isinstance(given, pl.DataFrame | pl.LazyFrame) else given:
            missing = [name for name in table.grain if name not in frame.columns]
            if missing:
                raise ModelFailedError(
                    f"{table.id} has no column {missing[0]!r}, which its grain names", str(where), f"columns: {frame.columns}."
                )
            keys = frame.select(table.grain)
            if _in_order(keys if last is None else pl.concat([last, keys]), table.grain):
                ordered = frame
            elif is_whole:
                ordered = frame.sort(table.grain, maintain_order=True)
            else:
                raise ModelFailedError(
                    f"the frames of {table.id} do not follow each other in the order of its grain",
                    str(where),
                    f"yield them by {', '.join(table.grain)}, or return one frame.",
                )
            last = keys.tail(1)
            height = max(1, frame.height * GROUP_BYTES // max(1, int(frame.estimated_size())))
            for group in ordered.iter_slices(height) if frame.height else [ordered]:
                rows = group.to_arrow()
                writer = writer or pq.ParquetWriter(part, rows.schema, compression="zstd", **_encodings(frame.schema))
                writer.write_table(rows, row_group_size=height)
    finally:
        if writer is not None:
            writer.close()


def _encodings(schema: pl.Schema) -> dict[str, list[str]]:
    """Return which columns are written with a dictionary, and which by the bytes of their numbers: those of decimal fractions."""
    kinds = {f"{name}.list.element" if isinstance(kind, pl.List) else name: kind for name, kind in schema.items()}
    fractions = [path for path, kind in kinds.items() if getattr(kind, "inner", kind).is_float()]
    return {"use_dictionary": [path for path in kinds if path not in fractions], "use_byte_stream_split": fractions}


def _in_order(frame: pl.DataFrame, grain: tuple[str, ...]) -> bool:
    """Return whether the rows already stand in the order of the grain: sorting would copy millions of them for nothing."""
    later = pl.lit(value=False)
    for name in reversed(grain):
        this, before = pl.col(name), pl.col(name).shift(1)
        later = (this > before) | ((this == before) & later)
    return frame.height < 2 or bool(frame.select(later.slice(1).all()).item())  # noqa: PLR2004


class Workers:
    """Processes that compute expensive models, before their turn where they can; they are killed at the end of the build.

    Where the build itself is killed, they are killed with it on Linux; elsewhere each finishes the model it is at, writes nothing that
    is read, and ends.

    What a model takes of memory is gone from the process that runs the build. A result that fails here is none: the model then runs
    in that process, where its error is reported.
    """

    def __init__(self, lake: Path, *, n: int) -> None:
        """Start nothing yet.

        Args:
            lake: Where the tables are.
            n: How many there may be; with 0 nothing is ever started.
        """
        self._lake, self._n = lake, n
        self._idle: list[subprocess.Popen[bytes]] = []
        self._computing: dict[str, subprocess.Popen[bytes]] = {}
        self._done: dict[str, bool] = {}

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """End the processes, whatever they compute."""
        for process in (*self._idle, *self._computing.values()):
            process.kill()
            process.communicate()

    def may_start(self, model: Model) -> bool:
        """Return whether this model may be started now: it was not yet, and a process is free for it."""
        if model.name in self._done or model.name in self._computing:
            return False
        self._collect(seconds=0)
        return len(self._computing) < self._n

    def start(self, model: Model, taken: dict[str, Any], paths: dict[str, Path]) -> None:
        """Let a model be computed; arguments as of `run_polars`."""
        process = self._idle.pop() if self._idle else _worker()
        self._computing[model.name] = process
        with contextlib.suppress(OSError):  # it died, and its output ends
            _stream(process.stdin).write(_job_line(self._lake, model, taken, paths))
            _stream(process.stdin).flush()

    def has_made(self, model: Model, taken: dict[str, Any], paths: dict[str, Path]) -> bool:
        """Wait for a model whose turn it is, started or not, and return whether its tables are written; arguments as of `run_polars`."""
        while self._n and model.name not in self._done:
            if self.may_start(model):
                self.start(model, taken, paths)
            else:
                self._collect(seconds=None)
        return self._done.get(model.name, False)

    def _collect(self, seconds: float | None) -> None:
        """Note what has been computed, and wait so long for the first of it; None waits until there is one."""
        streams = {_stream(process.stdout): name for name, process in self._computing.items()}
        for stream in select.select(list(streams), [], [], seconds)[0] if streams else []:
            name = streams[stream]
            process, answer = self._computing.pop(name), stream.readline()
            self._done[name] = answer == DONE
            if answer:
                self._idle.append(process)
            else:
                process.communicate()  # it ended


def _worker() -> subprocess.Popen[bytes]:
    """Start a process that waits for jobs."""
    return subprocess.Popen(
        [sys.executable, "-m", "datamoat.build.polars_models"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )


def _stream(stream: IO[bytes] | None) -> IO[bytes]:
    """Return a pipe that is there."""
    if stream is None:
        raise OSError("the process has no pipe")
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


def _work() -> None:  # pragma: no cover  (runs in a worker)
    """Read jobs from standard input until it is closed, and write a line for each to standard output; end with the build."""
    with contextlib.suppress(OSError, AttributeError):  # another system: it ends after the model it is at
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
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
