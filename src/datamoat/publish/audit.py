"""The gate: contracts, expectations and checks; what is *critical* and fails keeps a build from being published.

Three kinds of claim. A *contract* is generated from a table's header and the dictionary: columns, types, keys, nulls,
allowed values, row bounds, and what became of the rows of the last published build. An *expectation* is written with
Great Expectations, one file for each table. A *check* is a SELECT that returns the rows which break a claim across
tables. This is the only module that sees Great Expectations or pandas, and it sees them in a worker of its own: the
import costs seconds, so the worker is started when a build starts and is warm when the build is done.
"""

import contextlib
import functools
import hashlib
import importlib.util
import json
import logging
import os
import re
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

import duckdb
import polars as pl

from datamoat.build.meta_tables import OF_A_BUILD
from datamoat.build.run import Build, read_build
from datamoat.errors import AuditFailedError, ContentError
from datamoat.log import log
from datamoat.project.model import LAYERS, Project, Table
from datamoat.project.sql import parsed, tables_in
from datamoat.settings import Settings
from datamoat.storage.files import part_of, put_in_place, write_json
from datamoat.storage.lake import Known, identifier, lake_connection, path_of, quoted, view

AUDIT_FILE = "audit.json"
SHOWN_ROWS = 5  # how many offending rows a result names


@dataclass(frozen=True)
class Result:
    """How one claim came out.

    Attributes:
        table_name: The table, with its schema; the check's name where it spans several.
        claim: What was claimed.
        kind: contract, expectation or check.
        severity: critical or warning.
        reason: Why it is claimed.
        is_ok: Whether it holds.
        n_offending: How many rows break it.
        offending: Up to five of them, as JSON.
    """

    table_name: str
    claim: str
    kind: str
    severity: str
    reason: str
    is_ok: bool
    n_offending: int = 0
    offending: str | None = None


class Worker:
    """Great Expectations in a process of its own, warming up while the build runs."""

    def __init__(self) -> None:
        """Start the process; it imports what it needs and waits."""
        environment = {**os.environ, "GX_ANALYTICS_ENABLED": "false", "TQDM_DISABLE": "1", "PYTHONWARNINGS": "ignore"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "datamoat.publish.audit"],
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
        output, complaint = self._process.communicate(json.dumps(jobs) + "\n")
        try:
            answer = json.loads(output)
        except ValueError as failure:
            raise ContentError(
                f"the audit's worker died: {complaint.strip().splitlines()[-1:] or 'without a word'}",
                "datamoat.publish.audit",
                "run `datamoat doctor`.",
            ) from failure
        if "error" in answer:
            raise ContentError(answer["error"], answer["where"], "mend the expectation file.")
        return [Result(**result) for result in answer["results"]]


@dataclass(frozen=True)
class Audit:
    """All results of one build."""

    build_id: str
    results: tuple[Result, ...] = field(hash=False)

    @property
    def critical(self) -> tuple[Result, ...]:
        """What stops publication."""
        return tuple(result for result in self.results if not result.is_ok and result.severity == "critical")

    @property
    def warnings(self) -> tuple[Result, ...]:
        """What is published with the data, for the reader to know."""
        return tuple(result for result in self.results if not result.is_ok and result.severity == "warning")


def audit_build(settings: Settings, project: Project, worker: Worker | None = None) -> Audit:
    """Check every claim about the build in the lake and keep the results beside it.

    Raises:
        AuditFailedError: A critical claim does not hold; the message names the table, the rows and the reason.
    """
    began = time.perf_counter()
    build = read_build(settings.lake)
    (settings.lake / AUDIT_FILE).unlink(missing_ok=True)
    with lake_connection(settings) as con:
        for schema in ("meta", *LAYERS):
            con.execute(f"create schema {schema}")
        for name in OF_A_BUILD:
            view(con, f"meta.{name}", path_of(settings.lake, f"meta.{name}"))
        for table_id in project.tables:
            view(con, table_id, path_of(settings.lake, table_id))
        contracts = Known(settings.lake / "cache" / "contracts.json")
        results = []
        for table in project.tables.values():
            check = functools.partial(_contract, con, project, table)
            results += [Result(**one) for one in contracts.get(_promise(project, table, build), check)]
        contracts.keep()
        results += _compared_with_published(settings, build)
        results += [_check(con, snippet.name, snippet.sql, snippet.header) for snippet in project.checks]
    jobs = [
        {
            "table": f"{path.parent.name}.{path.stem}",
            "parquet": str(path_of(settings.lake, f"{path.parent.name}.{path.stem}")),
            "expectations": str(path),
            "keys": list(project.tables[f"{path.parent.name}.{path.stem}"].grain),
        }
        for path in project.expectations
    ]
    if worker is None:
        with Worker() as own:
            results += own.validate(jobs)
    else:
        results += worker.validate(jobs)
    audit = Audit(build.build_id, tuple(results))
    _keep(settings, audit)
    _log(audit, time.perf_counter() - began)
    if audit.critical:
        raise AuditFailedError(
            f"{len(audit.critical)} critical claim(s) do not hold:\n" + "\n".join(_told(result) for result in audit.critical[:8]),
            str(settings.lake / AUDIT_FILE),
            "mend the inputs or the model, then run again; what was published before still stands.",
        )
    return audit


def read_audit(lake: Path) -> Audit:
    """Return the audit of the build in the lake.

    Raises:
        AuditFailedError: There is none.
    """
    try:
        known = json.loads((lake / AUDIT_FILE).read_text())
    except (OSError, ValueError) as failure:
        raise AuditFailedError("this build was not audited", str(lake / AUDIT_FILE), "run `datamoat audit`.") from failure
    return Audit(known["build_id"], tuple(Result(**result) for result in known["results"]))


def _told(result: Result) -> str:
    """Return one failed claim in a few lines."""
    rows = f"\n    rows ({result.n_offending:,}): {result.offending}" if result.offending else ""
    return f"  {result.table_name}: {result.claim}\n    why: {result.reason}{rows}"


def _log(audit: Audit, seconds: float) -> None:
    """Log one event for each check, as a warning or an error where it does not pass, and one for the audit."""
    for n, one in enumerate(audit.results, start=1):
        level = logging.INFO if one.is_ok else logging.ERROR if one.severity == "critical" else logging.WARNING
        about = {"table": one.table_name, "is_ok": one.is_ok, "severity": one.severity, "rows": one.n_offending}
        log.log(level, "check", check=one.claim, **about, n=n, of=len(audit.results))
    counts = {"checks": len(audit.results), "warnings": len(audit.warnings), "critical": len(audit.critical)}
    log.info("audit", build_id=audit.build_id, **counts, seconds=round(seconds, 3))


def _keep(settings: Settings, audit: Audit) -> None:
    """Write the results for a person, and as `meta.audits` for the reader."""
    path = path_of(settings.lake, "meta.audits")
    part = part_of(path)
    pl.DataFrame([asdict(result) for result in audit.results], infer_schema_length=None).sort(
        "table_name", "kind", "claim"
    ).write_parquet(part)
    put_in_place(part, path)
    write_json(settings.lake / AUDIT_FILE, {"build_id": audit.build_id, "results": [asdict(r) for r in audit.results]})


def _promise(project: Project, table: Table, build: Build) -> str:
    """Return the hash of a table's bytes and of everything that is claimed of it."""
    words = {name: column.values for name, column in sorted(project.columns.items()) if column.values}
    header = (table.id, table.grain, sorted(table.nullable), table.min_rows, table.max_rows)
    return hashlib.sha256(json.dumps([build.tables[table.id]["sha256"], header, words]).encode()).hexdigest()


def _contract(con: duckdb.DuckDBPyConnection, project: Project, table: Table) -> list[dict[str, Any]]:
    """Return the generated claims about one table; one pass over its rows."""
    found = [row[0] for row in con.sql(f"describe {table.id}").fetchall()]
    required = [name for name in found if name not in table.nullable]
    worded = [name for name in found if project.columns[name].values]
    key = ", ".join(identifier(name) for name in table.grain)
    measures = ["count(*)", f"count(distinct row({key}))"]
    measures += [f"count(*) - count({identifier(name)})" for name in required]
    allowed = {name: ", ".join(quoted(value) for value in project.columns[name].values) for name in worded}
    measures += [f"count(*) filter (where {identifier(n)}::varchar not in ({allowed[n]}))" for n in worded]
    n_rows, n_keys, *counts = con.sql(f"select {', '.join(measures)} from {table.id}").fetchall()[0]
    nulls, strangers = counts[: len(required)], counts[len(required) :]
    bounds = f"at least {table.min_rows}" + (f" and at most {table.max_rows}" if table.max_rows is not None else "")
    results = [
        Result(
            table.id, f"{', '.join(table.grain)} is unique", "contract", "critical", "The header calls it the grain.",
            n_rows == n_keys, n_rows - n_keys,
            _rows(con, f"select {key}, count(*) AS n from {table.id} group by all having count(*) > 1 order by all") if n_rows != n_keys else None,
        ),
        Result(
            table.id, f"{bounds} rows", "contract", "critical", "The header bounds it; it has " + f"{n_rows:,}.",
            n_rows >= table.min_rows and (table.max_rows is None or n_rows <= table.max_rows),
        ),
        Result(table.id, "columns that the header does not call nullable are never null", "contract", "critical",
               "A reader must not have to guess what an absent value means.", not any(nulls), sum(nulls),
               _null_rows(con, table, required, nulls) if any(nulls) else None),
    ]  # fmt: skip
    if worded:
        bad = [name for name, n in zip(worded, strangers, strict=True) if n]
        where = " or ".join(f"{identifier(n)}::varchar not in ({allowed[n]})" for n in bad)
        shown = ", ".join(identifier(n) for n in dict.fromkeys([*table.grain, *bad]))
        results.append(
            Result(
                table.id, f"{', '.join(worded)} hold only the words of the dictionary", "contract", "critical",
                "A word without a meaning in columns.yml means nothing to a reader.", not bad, sum(strangers),
                _rows(con, f"select {shown} from {table.id} where {where} order by all") if bad else None,
            )
        )  # fmt: skip
    return [asdict(result) for result in results]


def _null_rows(con: duckdb.DuckDBPyConnection, table: Table, required: list[str], nulls: list[int]) -> str:
    """Return the keys of rows that lack a required value."""
    bad = [name for name, n in zip(required, nulls, strict=True) if n]
    shown = ", ".join(identifier(n) for n in dict.fromkeys([*table.grain, *bad]))
    return _rows(con, f"select {shown} from {table.id} where {' or '.join(f'{identifier(n)} is null' for n in bad)} order by all")


def _rows(con: duckdb.DuckDBPyConnection, sql: str) -> str:
    """Return the first rows of a query as JSON."""
    return _as_json(con.sql(f"select * from ({sql}) limit {SHOWN_ROWS}").pl())


def _as_json(frame: pl.DataFrame) -> str:
    """Return rows as a person can read them in one line."""
    return json.dumps(frame.to_dicts(), default=str, ensure_ascii=False)


def _check(con: duckdb.DuckDBPyConnection, name: str, sql: str, header: dict[str, Any]) -> Result:
    """Run one check; the rows it returns break the claim."""
    claim, severity = " ".join(str(header["description"]).split()), str(header["severity"])
    try:
        offending = con.sql(sql).pl()
    except duckdb.Error as failure:
        raise ContentError(f"the check does not run: {failure}", f"expectations/checks/{name}.sql", "mend it.") from failure
    shown = _as_json(offending.head(SHOWN_ROWS)) if offending.height else None
    return Result(f"checks.{name}", claim, "check", severity, claim, offending.is_empty(), offending.height, shown)


def _compared_with_published(settings: Settings, build: Build) -> list[Result]:
    """Compare the rows of each mart with the published file's."""
    if not settings.published.is_file():
        return []
    try:
        with duckdb.connect(str(settings.published), read_only=True) as con:
            before = dict(con.sql("select table_name, n_rows from meta.models where layer = 'marts'").fetchall())
    except duckdb.Error as failure:
        reason = f"Its rows could not be compared: {str(failure).strip().splitlines()[0]}"
        return [Result("meta.build", "the file published before can be opened", "contract", "warning", reason, is_ok=False)]
    results = []
    for name, was in sorted(before.items()):
        n_rows = build.tables.get(f"marts.{name}", {}).get("n_rows", 0)
        results += [
            Result(f"marts.{name}", "a table that readers had does not become empty or vanish", "contract", "critical",
                   f"It had {was:,} rows when last published and has {n_rows:,} now.", n_rows > 0 or was == 0),
            Result(f"marts.{name}", "a tenth of the published rows does not vanish in one step", "contract", "warning",
                   f"It had {was:,} rows when last published and has {n_rows:,} now.", n_rows >= 0.9 * was),
        ]  # fmt: skip
    return results


def check_tables_exist(project: Project) -> None:
    """Refuse a check or a macro that reads a table no model yields.

    Raises:
        ContentError: It names the file and the table.
    """
    for snippet in project.checks:
        for schema, name in sorted(tables_in(parsed(snippet.sql, snippet.path))):
            if schema != "meta" and f"{schema}.{name}" not in project.tables:
                raise ContentError(
                    f"the check reads {schema}.{name}, which no model yields", str(snippet.path), "correct the name."
                )


def _work() -> None:  # pragma: no cover  (runs in the worker process)
    """Import Great Expectations, read jobs from standard input, write results to standard output."""
    answer_to, sys.stdout = sys.stdout, sys.stderr
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
        answer_to.write(json.dumps({"error": f"{type(failure).__name__}: {failure}", "where": job["expectations"]}))
        return
    answer_to.write(json.dumps({"results": results}))


def _validate(gx: Any, context: Any, datasource: Any, job: dict[str, Any]) -> list[dict[str, Any]]:  # noqa: ANN401
    """Run one table's suite on a frame handed over by DuckDB."""
    specification = importlib.util.spec_from_file_location("expectations_file", job["expectations"])
    if specification is None or specification.loader is None:
        raise ContentError("cannot be loaded", job["expectations"], "mend the file.")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    for expectation in module.EXPECTATIONS:
        if not expectation.notes or expectation.severity not in {"critical", "warning"}:
            raise ContentError(
                f"{type(expectation).__name__} has no reason or severity", job["expectations"], "give notes and severity."
            )
    with duckdb.connect() as con:
        table = con.sql(f"from read_parquet({quoted(job['parquet'])})")
        frame = table.project(*map(identifier, _wanted(module.EXPECTATIONS, job["keys"], table.columns))).df()
    name = f"{job['table']}-{time.monotonic_ns()}"
    batch = datasource.add_dataframe_asset(name).add_batch_definition_whole_dataframe(name)
    suite = context.suites.add(gx.ExpectationSuite(name=name, expectations=module.EXPECTATIONS))
    outcome = gx.ValidationDefinition(name=name, data=batch, suite=suite).run(
        batch_parameters={"dataframe": frame},
        result_format={"result_format": "COMPLETE"}
        | ({"unexpected_index_column_names": job["keys"]} if set(job["keys"]) <= set(frame.columns) else {}),
    )
    return [_result(job["table"], one) for one in outcome.results]


def _wanted(expectations: list[Any], keys: list[str], columns: list[str]) -> list[str]:
    """Return the columns a suite looks at, with the keys where it looks row by row; all where it may look at any."""
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
    told = ", ".join(f"{key}={value!r}" for key, value in sorted(arguments.items()))
    broken = detail.get("unexpected_index_list") or detail.get("partial_unexpected_list") or []
    if not one.success and not broken:
        raised = [str(info.get("exception_message")) for info in (one.exception_info or {}).values() if isinstance(info, dict)]
        broken = raised or [{"observed": detail.get("observed_value")}]
    notes = config.notes if isinstance(config.notes, str) else " ".join(config.notes or [])
    severity = getattr(config.severity, "value", config.severity)
    return asdict(
        Result(
            table, f"{config.type} ({told})", "expectation", str(severity), notes, bool(one.success),
            int(detail.get("unexpected_count") or (0 if one.success else len(broken))),
            None if one.success else json.dumps(broken[:SHOWN_ROWS], default=str, ensure_ascii=False),
        )
    )  # fmt: skip


if __name__ == "__main__":
    _work()
