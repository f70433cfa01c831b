"""The schedule of the DAGs: when each source is fetched, pools, names of assets, and the defaults of every task.

Light to import. Only the files of `dags/` import Airflow; they pass its SDK to `common`. As a program it prints the pools as
JSON, in the form that `airflow pools import` reads.
"""

import json
import os
import re
import sys
import zlib
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from datamoat.errors import UsageError
from datamoat.orchestration import notify
from datamoat.project.sources import REFERENCE, Source, read_sources
from datamoat.settings import find_content

WRITER = "datamoat_writer"  # one slot: one process at a time builds, publishes or exports
WAREHOUSE, EXPORT, RELEASE = "warehouse", "exported_tables", "dated_release"
CAPTURES = "captures_in_inbox"
QUARANTINE, DECIDED = "quarantine", "quarantine_decisions"  # the DAG in which persons decide, and its asset
REFERENCE_TITLE = "Reference facts"
PARTS = "datamoat_parts"  # two slots: two parts of streamed sources are counted at a time
INBOX = "host_inbox"  # the pool of files that people bring in
LANDING = "datamoat_landing"  # one slot: one process at a time lands, beside a build
PAGES = "host_of_cited_pages"
# Celery's queues: what needs the lake or the inbox runs on the one worker that takes `writer`; what only fetches, on any.
LAKE_QUEUE, ANY_QUEUE = "writer", "default"
# What a failed task means: the error, whether to retry, after how many minutes, and why. The first that matches counts.
RULES = (
    ("datamoat.errors.SourceUnavailableError", "retry", 10, "it may work later"),
    ("datamoat.errors.StoreUnavailableError", "retry", 5, "it may work later"),
    ("datamoat.errors.BusyError", "retry", 1, "another process is writing"),
    ("datamoat.errors.DatamoatError", "fail", 0, "a person must look"),
)
LATE = "DATAMOAT_LATE_MINUTES"  # after which a run that has not ended raises an alert
CRON = {
    "hourly": "{minute} * * * *",
    "daily": "{minute} 6 * * *",
    "weekly": "{minute} 6 * * 1",
    "monthly": "{minute} 6 2 * *",
    "quarterly": "{minute} 6 2 1,4,7,10 *",
    "half-yearly": "{minute} 6 2 1,7 *",
    "never": "{minute} 5 * * *",  # no request is sent: the inbox is searched
}


def common(sdk: Any, dag_id: str, retries: int = 2, **more: Any) -> dict[str, Any]:  # noqa: ANN401  (Airflow's SDK, never imported here)
    """Return the arguments of every DAG: one run at a time, one alert for a failed run, one for a late run, the defaults of its tasks.

    A deadline counts from the usual end of a run, the mean of its last ten, so the first run of a DAG has none. Airflow 3.3.2
    has a deadline that counts from the queue, and cannot clear a run that has it (its issue 70368).

    Args:
        sdk: `airflow.sdk`.
        dag_id: The DAG.
        retries: How often a task is tried again.
        more: Further default arguments of its tasks, such as the pool.
    """
    minutes = late_minutes(os.environ)
    late = sdk.SyncCallback(notify.late, {"dag_id": dag_id, "minutes": minutes})
    usual = sdk.DeadlineReference.AVERAGE_RUNTIME(max_runs=10, min_runs=1)
    return {
        "dag_id": dag_id,
        "catchup": False,
        "max_active_runs": 1,
        "on_failure_callback": notify.run_failed,
        "deadline": sdk.DeadlineAlert(usual, timedelta(minutes=minutes), late),
        "default_args": _defaults(sdk, retries, more),
    }


def open_decision(operator: Any, waiting: Any) -> Any:  # noqa: ANN401  (the same)
    """Return the task that starts a run in which a person decides, for each of some requests in quarantine.

    Args:
        operator: Airflow's operator that triggers a run.
        waiting: The task that lists the requests.
    """
    return operator.partial(
        task_id="open_decision", trigger_dag_id=QUARANTINE, skip_when_already_exists=True,
        doc_md="Start a run in which a person decides, once for each quarantine of a request.",
    ).expand_kwargs(waiting)  # fmt: skip


def late_minutes(environment: Mapping[str, str]) -> float:
    """Return after how many minutes a run that goes on raises an alert.

    Raises:
        UsageError: It is set, and not a number above zero.

    >>> late_minutes({})
    60.0
    """
    text = environment.get(LATE) or "60"
    if re.fullmatch(r"\d+(\.\d+)?", text, re.ASCII) and float(text) > 0:
        return float(text)
    raise UsageError(f"{LATE} is {text!r}, not a number above zero", "the environment", f"set {LATE}=60, say.")


def _defaults(sdk: Any, retries: int, more: dict[str, Any]) -> dict[str, Any]:  # noqa: ANN401  (the same)
    """Return the default arguments of tasks: retries by the kind of error, the reason left when one fails for good."""
    rules = [sdk.RetryRule(error, sdk.RetryAction(action), timedelta(minutes=wait), why) for error, action, wait, why in RULES]
    return {
        "retries": retries,
        "retry_delay": timedelta(seconds=20),
        "queue": LAKE_QUEUE,
        "retry_policy": sdk.ExceptionRetryPolicy(rules),
        "on_failure_callback": notify.failed,
        **more,
    }


def titles(sources: tuple[Source, ...]) -> dict[str, str]:
    """Return the title of everything that lands, the reference facts first."""
    return {REFERENCE: REFERENCE_TITLE, **{source.id: source.title for source in sources}}


def raw(source_id: str) -> str:
    """Return the name of the asset that is updated when a source has landed."""
    return f"raw__{source_id}"


def cron(source: Source) -> str:
    """Return when a source is fetched, in UTC, at a minute that its id decides, so that not all are fetched at once.

    >>> CRON["daily"].format(minute=17)
    '17 6 * * *'
    """
    return CRON[source.every].format(minute=zlib.crc32(source.id.encode()) % 60)


def pool(source: Source) -> str:
    """Return the pool of a source's first host: one request at a time for each host."""
    if source.fetch.protocol == "inbox" or not source.fetch.hosts:
        return INBOX
    host = source.fetch.hosts[0]
    return "host_" + re.sub(r"[^a-z0-9]+", "_", host.lower()).strip("_")


def pools(sources: tuple[Source, ...]) -> dict[str, dict[str, object]]:
    """Return every pool with its slots, as `airflow pools import` takes them."""
    hosts = {pool(one): f"one request at a time for {one.fetch.hosts[0]}" for one in sources if pool(one) != INBOX}
    hosts[INBOX] = "files that people bring in"
    hosts[PAGES] = "one cited page at a time"
    about = {WRITER: "one process at a time writes tables", LANDING: "one process at a time lands", **dict(sorted(hosts.items()))}
    if any(one.part is not None for one in sources):
        about[PARTS] = "two parts of streamed sources are counted at a time"
    return {
        name: {"slots": 2 if name == PARTS else 1, "description": text, "include_deferred": False} for name, text in about.items()
    }


if __name__ == "__main__":
    json.dump(pools(read_sources(find_content())), sys.stdout, indent=1)
    sys.stdout.write("\n")
