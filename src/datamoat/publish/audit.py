"""The gate: contracts, expectations and checks; a *critical* one that fails keeps a build from being published.

A *contract* is generated from a table's header and the dictionary: columns, types, keys, nulls, allowed values, row
bounds, and what became of the rows of the last published build. An *expectation* is written with Great Expectations,
one file for each table. A *check* is a SELECT across tables; every row it returns is a failure.
"""

import functools
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import duckdb

from datamoat.build.record import check_lake, read_build
from datamoat.errors import AuditFailedError, ContentError
from datamoat.log import log
from datamoat.project.model import LAYERS, Project
from datamoat.project.sql import parsed, tables_in
from datamoat.publish.contracts import SHOWN_ROWS, as_json, cache_key, compared_with_published, contract
from datamoat.publish.gx_worker import Worker
from datamoat.publish.results import AUDIT_FILE, Audit, Result, write_audit
from datamoat.settings import Settings
from datamoat.storage.lake import JsonCache, lake_connection, path_of, quoted, view

KEYS_IN_MEMORY = "64MB"  # of a table, while it is checked that they are unique; the rest spills, which is as fast


def audit_build(settings: Settings, project: Project, worker: Worker | None = None) -> Audit:
    """Run every check on the build in the lake and record the results beside it.

    Raises:
        ModelFailedError: A file of the lake is not what was built.
        AuditFailedError: A critical check failed; the message names the table, the rows and the reason.
    """
    if worker is None:
        with Worker() as own:
            return audit_build(settings, project, own)
    began = time.perf_counter()
    build = read_build(settings.lake)
    (settings.lake / AUDIT_FILE).unlink(missing_ok=True)
    check_lake(settings.lake, build)
    jobs = [
        {
            "table": f"{path.parent.name}.{path.stem}",
            "parquet": str(path_of(settings.lake, f"{path.parent.name}.{path.stem}")),
            "expectations": str(path),
            "keys": list(project.tables[f"{path.parent.name}.{path.stem}"].grain),
        }
        for path in project.expectations
    ]
    with ThreadPoolExecutor(1) as beside, lake_connection(settings) as con:
        validated = beside.submit(worker.validate, jobs)  # in its own process, while contracts and checks run in this one
        con.execute(f"set operator_memory_limit = {quoted(KEYS_IN_MEMORY)}")
        for schema in ("meta", *LAYERS):
            con.execute(f"create schema {schema}")
        for name in build.meta:
            view(con, f"meta.{name}", path_of(settings.lake, f"meta.{name}"))
        for table_id in project.tables:
            view(con, table_id, path_of(settings.lake, table_id))
        contracts = JsonCache(settings.lake / "cache" / "contracts.json")
        results = []
        for table in project.tables.values():
            started = time.perf_counter()
            check = functools.partial(contract, con, project, table)
            found = contracts.get(cache_key(project, table, build), check)
            results += [Result(**one | {"seconds": time.perf_counter() - started}) for one in found]
        contracts.save()
        results += compared_with_published(settings, build)
        results += [_check(con, snippet.name, snippet.sql, snippet.header) for snippet in project.checks]
    results += validated.result()
    audit = Audit(build.build_id, tuple(results))
    write_audit(settings, audit)
    _log(audit, time.perf_counter() - began)
    if audit.critical:
        raise AuditFailedError(
            f"{len(audit.critical)} critical check(s) failed:\n" + "\n".join(map(str, audit.critical[:8])),
            str(settings.lake / AUDIT_FILE),
            "correct the inputs or the model, then run again; what was published before is unchanged.",
        )
    return audit


def _log(audit: Audit, seconds: float) -> None:
    """Log one event for each check, as a warning or an error where it does not pass, and one for the audit."""
    for n, one in enumerate(audit.results, start=1):
        level = logging.INFO if one.is_ok else logging.ERROR if one.severity == "critical" else logging.WARNING
        about = {"table": one.table_name, "is_ok": one.is_ok, "severity": one.severity, "rows": one.n_offending}
        log.log(level, "check", check=one.check_name, **about, n=n, of=len(audit.results), seconds=round(one.seconds, 3))
    counts = {"checks": len(audit.results), "warnings": len(audit.warnings), "critical": len(audit.critical)}
    log.info("audit", build_id=audit.build_id, **counts, seconds=round(seconds, 3))


def _check(con: duckdb.DuckDBPyConnection, name: str, sql: str, header: dict[str, Any]) -> Result:
    """Run one check; the rows it returns are the failures."""
    description, severity = " ".join(str(header["description"]).split()), str(header["severity"])
    began = time.perf_counter()
    try:
        offending = con.sql(sql).pl()
    except duckdb.Error as failure:
        raise ContentError(f"the check does not run: {failure}", f"expectations/checks/{name}.sql", "correct it.") from failure
    shown = as_json(offending.head(SHOWN_ROWS)) if offending.height else None
    outcome = (offending.is_empty(), offending.height, shown, time.perf_counter() - began)
    return Result(f"checks.{name}", description, "check", severity, description, *outcome)


def check_tables_exist(project: Project) -> None:
    """Refuse a check or a macro that reads a table no model builds.

    Raises:
        ContentError: It names the file and the table.
    """
    for snippet in project.checks:
        for schema, name in sorted(tables_in(parsed(snippet.sql, snippet.path))):
            if schema != "meta" and f"{schema}.{name}" not in project.tables:
                raise ContentError(
                    f"the check reads {schema}.{name}, which no model builds", str(snippet.path), "correct the name."
                )
