"""Great Expectations in a process of its own; the only module that sees it or pandas.

The import costs seconds, so the process is started when a build starts and is warm when the build is done.
"""

import contextlib
import json
import os
import re
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

import duckdb

from datamoat.errors import ContentError
from datamoat.project.python_models import load
from datamoat.publish.contracts import SHOWN_ROWS
from datamoat.publish.results import Result
from datamoat.storage.lake import identifier, parquet


class Worker:
    """Great Expectations in a process of its own, warming up while the build runs."""

    def __init__(self) -> None:
        """Start the process; it imports what it needs and waits."""
        environment = {**os.environ, "GX_ANALYTICS_ENABLED": "false", "TQDM_DISABLE": "1", "PYTHONWARNINGS": "ignore"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "datamoat.publish.gx_worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def __enter__(self) -> Self:
        """Return the worker."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let the process end."""
        with contextlib.suppress(OSError):
            if self._process.stdin:
                self._process.stdin.close()
        self._process.terminate()
        self._process.wait()
        for stream in (self._process.stdout, self._process.stderr):
            if stream:
                stream.close()

    def validate(self, jobs: list[dict[str, Any]]) -> list[Result]:
        """Return the results of every suite.

        Raises:
            ContentError: An expectation file does not load, or the worker died.
        """
        if not jobs:
            return []
        output, stderr = self._process.communicate(json.dumps(jobs) + "\n")
        try:
            response = json.loads(output)
        except ValueError as failure:
            raise ContentError(
                f"the audit's worker died: {stderr.strip().splitlines()[-1:] or 'without a message'}",
                "datamoat.publish.gx_worker",
                "run `datamoat doctor`.",
            ) from failure
        if "error" in response:
            raise ContentError(response["error"], response["where"], "correct the file of expectations.")
        return [Result(**result) for result in response["results"]]


def _work() -> None:  # pragma: no cover  (runs in the worker process)
    """Import Great Expectations, read jobs from standard input, write results to standard output."""
    output, sys.stdout = sys.stdout, sys.stderr
    import great_expectations as gx
    import great_expectations.expectations
    import pandas as pd  # noqa: F401

    line = sys.stdin.readline()
    if not line:
        return
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    datasource = context.data_sources.add_pandas("lake")
    results: list[dict[str, Any]] = []
    job: dict[str, Any] = {"expectations": "the job"}
    try:
        for job in json.loads(line):
            results += _validate(gx, context, datasource, job)
    except Exception as failure:  # noqa: BLE001  (whatever an expectation file does, the parent must hear of it)
        output.write(json.dumps({"error": f"{type(failure).__name__}: {failure}", "where": job["expectations"]}))
        return
    output.write(json.dumps({"results": results}))


def _validate(gx: Any, context: Any, datasource: Any, job: dict[str, Any]) -> list[dict[str, Any]]:  # noqa: ANN401
    """Run one table's suite on a frame handed over by DuckDB; the seconds of a result are those of its suite."""
    began = time.perf_counter()
    module = load(Path(job["expectations"]))
    for expectation in module.EXPECTATIONS:
        if not expectation.notes or expectation.severity not in {"critical", "warning"}:
            raise ContentError(
                f"{type(expectation).__name__} has no reason or severity", job["expectations"], "give notes and severity."
            )
    with duckdb.connect() as con:
        table = con.sql(f"from {parquet(Path(job['parquet']))}")
        frame = table.project(*map(identifier, _wanted(module.EXPECTATIONS, job["keys"], table.columns))).df()
    name = f"{job['table']}-{time.monotonic_ns()}"
    batch = datasource.add_dataframe_asset(name).add_batch_definition_whole_dataframe(name)
    suite = context.suites.add(gx.ExpectationSuite(name=name, expectations=module.EXPECTATIONS))
    outcome = gx.ValidationDefinition(name=name, data=batch, suite=suite).run(
        batch_parameters={"dataframe": frame},
        result_format={"result_format": "COMPLETE"}
        | ({"unexpected_index_column_names": job["keys"]} if set(job["keys"]) <= set(frame.columns) else {}),
    )
    seconds = time.perf_counter() - began
    return [_result(job["table"], one) | {"seconds": seconds} for one in outcome.results]


def _wanted(expectations: list[Any], keys: list[str], columns: list[str]) -> list[str]:
    """Return the columns a suite needs, with the keys where it checks row by row; all where it may check any."""
    named: set[str] = set()
    for expectation in expectations:
        mentioned = [getattr(expectation, field, None) for field in ("column", "column_A", "column_B")]
        mentioned += getattr(expectation, "column_list", None) or []
        found = {column for column in mentioned if isinstance(column, str)}
        if not found:
            return columns
        condition = re.findall(r"\w+", str(getattr(expectation, "row_condition", None) or ""))
        named |= found | {column for column in columns if column in condition}
        if "Values" in type(expectation).__name__:
            named |= set(keys)
    return [column for column in columns if column in named]


def _result(table: str, one: Any) -> dict[str, Any]:  # noqa: ANN401
    """Return one of Great Expectations' results as one of ours."""
    config, detail = one.expectation_config, one.result or {}
    arguments = {k: v for k, v in config.kwargs.items() if k not in {"batch_id", "result_format"} and v is not None}
    listed = ", ".join(f"{key}={value!r}" for key, value in sorted(arguments.items()))
    broken = detail.get("unexpected_index_list") or detail.get("partial_unexpected_list") or []
    if not one.success and not broken:
        raised = [str(info.get("exception_message")) for info in (one.exception_info or {}).values() if isinstance(info, dict)]
        broken = raised or [{"observed": detail.get("observed_value")}]
    notes = config.notes if isinstance(config.notes, str) else " ".join(config.notes or [])
    severity = getattr(config.severity, "value", config.severity)
    return asdict(
        Result(
            table, f"{config.type} ({listed})", "expectation", str(severity), notes, bool(one.success),
            int(detail.get("unexpected_count") or (0 if one.success else len(broken))),
            None if one.success else json.dumps(broken[:SHOWN_ROWS], default=str, ensure_ascii=False),
        )
    )  # fmt: skip


if __name__ == "__main__":
    _work()
