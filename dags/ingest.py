"""One DAG for each source: fetch what is new, land it in tables, and fail if the newest response is not valid."""

from airflow import sdk
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk.exceptions import AirflowSkipException

from datamoat.orchestration import schedule
from datamoat.project.sources import REFERENCE, read_sources
from datamoat.settings import find_content


def ingest(source_id, title, about, when, tags, host, requests=()):
    """Make the DAG of one source; one that sends requests is switched on by a person, the others run from the start."""
    landed = sdk.Asset(schedule.raw(source_id), group="raw", extra={"of": title})
    timetable = sdk.CronTriggerTimetable(when, "UTC", run_immediately=True)
    sends_requests = host not in (None, schedule.INBOX)

    one = sdk.Param(None, type=["null", "string"], enum=[None, *requests], description="Only this request; empty for all.")
    dry = sdk.Param(False, type="boolean", description="Only list what would be fetched, in the log of the task.")

    @sdk.dag(**schedule.common(sdk, f"ingest__{source_id}", retries=3), schedule=timetable, tags=tags, doc_md=about,
         dag_display_name=f"Ingest: {title}", is_paused_upon_creation=sends_requests,
         params={"request": one, "dry_run": dry} if sends_requests else None,
         allowed_run_types=["scheduled", "manual"])  # fmt: skip
    def of_source():
        @sdk.task(pool=host, queue=schedule.ANY_QUEUE if sends_requests else schedule.LAKE_QUEUE,
                  doc_md="Send the requests of the source and store each response as received.")  # fmt: skip
        def fetch(params=None):
            from datamoat.orchestration import hosts, tasks

            return hosts.place() | tasks.fetch(source_id, request=params.get("request"), dry_run=params.get("dry_run", False))

        @sdk.task(pool=schedule.LANDING, outlets=[landed], trigger_rule="all_done", doc_md="Parse new snapshots into tables.")
        def land(outlet_events=None, ti=None):
            from datamoat.orchestration import hosts, tasks

            facts = hosts.check_fetched(source_id, ti.xcom_pull(task_ids="fetch")) | tasks.land(source_id)
            outlet_events[landed].extra = facts
            ti.xcom_push("landed", facts)
            if not facts["is_new"]:
                raise AirflowSkipException(f"the published file has all of it: {facts}")
            return facts

        @sdk.task(trigger_rule="all_done", doc_md="Fail, with the reason, when the newest response is not valid.")
        def validate(ti=None):
            from datamoat.orchestration import hosts, tasks

            return hosts.check_folder(ti.xcom_pull(task_ids="land", key="landed")) | tasks.validate(source_id)

        @sdk.task(trigger_rule="none_failed", doc_md="List the requests in quarantine that nobody has decided about.")
        def undecided():
            from datamoat.orchestration import quarantine

            return quarantine.undecided(source_id)

        if host is None:
            land()
        else:
            (fetched := fetch()) >> (landing := land()) >> [(validated := validate()), (waiting := undecided())]
            [fetched, landing, validated] >> EmptyOperator(
                task_id="all_good", trigger_rule="none_failed", doc_md="So that a failed request fails the run, whatever came after.",
            )  # fmt: skip
            schedule.open_decision(TriggerDagRunOperator, waiting)

    return of_source()


ingest(
    REFERENCE, schedule.REFERENCE_TITLE, "Transcribed by people and cited: `data/reference`.", "0 5 * * *", ["reference"], None
)
for _one in read_sources(find_content()):
    if _one.part is None:  # those with parts are in streamed.py
        ingest(_one.id, _one.title, _one.about, schedule.cron(_one), [_one.kind], schedule.pool(_one), list(_one.fetch.requests))
