"""One DAG for each source: fetch what is new, land it in tables, and fail if the newest response is not valid."""

from airflow import sdk
from airflow.sdk.exceptions import AirflowSkipException

from datamoat.orchestration import schedule
from datamoat.project.sources import REFERENCE, read_sources
from datamoat.settings import find_content


def ingest(source_id, title, about, when, tags, host):
    """Make the DAG of one source; one that sends requests is switched on by a person, the others run from the start."""
    landed = sdk.Asset(schedule.raw(source_id), group="raw", extra={"of": title})
    timetable = sdk.CronTriggerTimetable(when, "UTC", run_immediately=True)
    sends_requests = host not in (None, schedule.INBOX)

    @sdk.dag(f"ingest__{source_id}", schedule=timetable, catchup=False, max_active_runs=1, tags=tags, doc_md=about,
         dag_display_name=f"Ingest: {title}", default_args=schedule.defaults(sdk, retries=3),
         deadline=schedule.deadline(sdk, f"ingest__{source_id}"), is_paused_upon_creation=sends_requests)  # fmt: skip
    def of_source():
        @sdk.task(
            pool=host, doc_md="Send the requests of the source and store each response as received; a backfill reads the inbox."
        )
        def fetch(dag_run=None):
            from datamoat.orchestration import tasks

            return tasks.fetch(source_id, past_day(dag_run))

        @sdk.task(pool=schedule.WRITER, outlets=[landed], trigger_rule="all_done", doc_md="Parse new snapshots into tables.")
        def land(dag_run=None, outlet_events=None):
            from datamoat.orchestration import tasks

            outlet_events[landed].extra = facts = tasks.land(source_id, past_day(dag_run))
            if not facts["is_new"]:
                raise AirflowSkipException(f"the published file has all of it: {facts}")
            return facts

        @sdk.task(trigger_rule="none_failed", doc_md="Fail, with the reason, when the newest response is not valid.")
        def validate():
            from datamoat.orchestration import tasks

            return tasks.validate(source_id)

        if host is None:
            land()
        else:
            (fetched := fetch()) >> land() >> (validated := validate())
            fetched >> validated

    return of_source()


def past_day(dag_run):
    """Return the day that a backfill is about; None for any other run."""
    return str(dag_run.logical_date.date()) if dag_run.run_type == "backfill" else None


ingest(
    REFERENCE, schedule.REFERENCE_TITLE, "Transcribed by people and cited: `data/reference`.", "0 5 * * *", ["reference"], None
)
for _one in read_sources(find_content()):
    if _one.part is None:  # those with parts are in streamed.py
        ingest(_one.id, _one.title, _one.about, schedule.cron(_one), [_one.kind], schedule.pool(_one))
