"""Rebuild, audit and publish whenever a source has landed something; one build after another.

A build that fails its audit is not published: readers keep the last good file.
"""

from datetime import timedelta

from airflow import sdk

from datamoat.orchestration import notify, schedule
from datamoat.project.sources import read_sources
from datamoat.settings import find_content

POLICY = sdk.ExceptionRetryPolicy(
    [sdk.RetryRule(error, sdk.RetryAction(act), timedelta(minutes=wait), why) for error, act, wait, why in schedule.RULES]
)
EACH = {
    "retries": 2,
    "retry_delay": timedelta(seconds=20),
    "retry_policy": POLICY,
    "pool": schedule.WRITER,
    "on_failure_callback": notify.failed,
}
TITLES = schedule.titles(read_sources(find_content()))
LANDED = [sdk.Asset(schedule.raw(name), group="raw", extra={"of": title}) for name, title in TITLES.items()]
WAREHOUSE = sdk.Asset(schedule.WAREHOUSE, group="published")
LATE = sdk.SyncCallback(notify.late, {"dag_id": "build_warehouse", "minutes": schedule.LATE_MINUTES})
DUE = sdk.DeadlineAlert(sdk.DeadlineReference.DAGRUN_QUEUED_AT, timedelta(minutes=schedule.LATE_MINUTES), LATE)


@sdk.dag(schedule=sdk.AssetAny(*LANDED), catchup=False, max_active_runs=1, tags=["warehouse"], doc_md=__doc__, default_args=EACH,
     dag_display_name="Build, audit, publish", deadline=DUE, is_paused_upon_creation=False)  # fmt: skip
def build_warehouse():
    """Wire build, audit and publish."""

    @sdk.task(doc_md="Compute every table from the facts and the snapshots; readers see nothing of it yet.")
    def build():
        from datamoat.orchestration import tasks as verbs

        return verbs.build()

    @sdk.task(doc_md="Check every claim about the build; a critical one that does not hold ends the run.")
    def audit(built):
        from datamoat.orchestration import tasks as verbs

        return verbs.audit(built["build_id"])

    @sdk.task(outlets=[WAREHOUSE], doc_md="Let the audited build take the place of the file that readers open.")
    def publish(audited, outlet_events=None):
        from datamoat.orchestration import tasks as verbs

        outlet_events[WAREHOUSE].extra = facts = audited | verbs.publish(audited["build_id"])
        return facts

    publish(audit(build()))


build_warehouse()
