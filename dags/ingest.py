"""One flow for each source: ask what is new, read what came into tables, and fail loudly if it is not to be believed."""

from datetime import timedelta

from airflow import sdk
from airflow.sdk.exceptions import AirflowSkipException

from datamoat.orchestration import notify, schedule
from datamoat.project.sources import REFERENCE, read_sources
from datamoat.settings import find_content

POLICY = sdk.ExceptionRetryPolicy(
    [sdk.RetryRule(error, sdk.RetryAction(act), timedelta(minutes=wait), why) for error, act, wait, why in schedule.RULES]
)
EACH = {"retries": 3, "retry_policy": POLICY, "on_failure_callback": notify.failed}


def ingest(source_id, title, about, when, tags, host):
    """Make the flow of one source; one that asks a publisher is switched on by a person, the others run from the start."""
    landed = sdk.Asset(schedule.raw(source_id), group="raw", extra={"of": title})
    late = sdk.SyncCallback(notify.late, {"dag_id": f"ingest__{source_id}", "minutes": schedule.LATE_MINUTES})
    due = sdk.DeadlineAlert(sdk.DeadlineReference.DAGRUN_QUEUED_AT, timedelta(minutes=schedule.LATE_MINUTES), late)
    timetable = sdk.CronTriggerTimetable(when, "UTC", run_immediately=True)
    asks = host not in (None, schedule.INBOX)

    @sdk.dag(f"ingest__{source_id}", schedule=timetable, catchup=False, max_active_runs=1, tags=tags, doc_md=about,
         dag_display_name=f"Ingest: {title}", default_args=EACH, deadline=due, is_paused_upon_creation=asks)  # fmt: skip
    def flow():
        @sdk.task(pool=host, doc_md="Ask politely, and keep the answer as received; a backfill looks into the inbox.")
        def fetch(dag_run=None):
            from datamoat.orchestration import tasks as verbs

            return verbs.fetch(source_id, past_day(dag_run))

        @sdk.task(pool=schedule.WRITER, outlets=[landed], trigger_rule="all_done", doc_md="Read what came into tables.")
        def land(dag_run=None, outlet_events=None):
            from datamoat.orchestration import tasks as verbs

            outlet_events[landed].extra = facts = verbs.land(source_id, past_day(dag_run))
            if not facts["is_new"]:
                raise AirflowSkipException(f"readers have seen all of it: {facts}")
            return facts

        @sdk.task(trigger_rule="none_failed", doc_md="Fail, naming it, when the newest answer is not to be believed.")
        def judge():
            from datamoat.orchestration import tasks as verbs

            return verbs.judge(source_id)

        if host is None:
            land()
        else:
            (fetched := fetch()) >> land() >> (judged := judge())
            fetched >> judged

    return flow()


def past_day(dag_run):
    """Return the day that a backfill is about; None for any other run."""
    return str(dag_run.logical_date.date()) if dag_run.run_type == "backfill" else None


ingest(REFERENCE, schedule.OWN, "Transcribed by people and cited: `data/reference`.", "0 5 * * *", ["reference"], None)
for _one in read_sources(find_content()):
    ingest(_one.id, _one.title, _one.about, schedule.cron(_one), [_one.kind], schedule.pool(_one))
