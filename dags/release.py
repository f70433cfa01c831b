"""Hand out what was published: Parquet and CSV after every publication, a dated release when a person asks for one."""

from datetime import timedelta

from airflow import sdk

from datamoat.orchestration import notify, schedule

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
WAREHOUSE = sdk.Asset(schedule.WAREHOUSE, group="published")
EXPORT = sdk.Asset(schedule.EXPORT, group="published")
RELEASE = sdk.Asset(schedule.RELEASE, group="published")


@sdk.dag(schedule=[WAREHOUSE], catchup=False, max_active_runs=1, tags=["export"], default_args=EACH,
     dag_display_name="Export the published tables", is_paused_upon_creation=False)  # fmt: skip
def export_tables():
    """Write every published table as Parquet and CSV with its data package; runs after every publication."""

    @sdk.task(
        outlets=[EXPORT], doc_md="Write the tables of the published file; a build that was exported before is left as it is."
    )
    def export(outlet_events=None):
        from datamoat.orchestration import tasks as verbs

        outlet_events[EXPORT].extra = facts = verbs.export()
        return facts

    export()


@sdk.dag(schedule=None, catchup=False, max_active_runs=1, tags=["export"], default_args=EACH,
     dag_display_name="Make a dated release", is_paused_upon_creation=False)  # fmt: skip
def release():
    """Keep what is published as a dated release for good; runs when a person triggers it."""

    @sdk.task(outlets=[RELEASE], doc_md="Write the bundle with its seal; write the seal down where the bundle is not.")
    def export_release(outlet_events=None):
        from datamoat.orchestration import tasks as verbs

        outlet_events[RELEASE].extra = facts = verbs.release()
        return facts

    export_release()


export_tables()
release()
