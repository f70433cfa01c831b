"""Land history: one partition, and one run, for each day of files in the inbox, also of a source whose own DAG is switched off."""

from airflow import sdk
from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk.exceptions import AirflowSkipException

from datamoat.orchestration import schedule
from datamoat.project.sources import read_sources
from datamoat.settings import find_content

CAPTURES = sdk.Asset(schedule.CAPTURES, group="raw")
IDS = [one.id for one in read_sources(find_content()) if one.part is None]


@sdk.dag(**schedule.common(sdk, "list_captures"), schedule=sdk.PartitionedAtRuntime(), tags=["history"],
     dag_display_name="History: list the captures in the inbox", is_paused_upon_creation=False,
     params={"source": sdk.Param(None, type=["null", "string"], enum=[None, *IDS], description="Only this source.")})  # fmt: skip
def list_captures():
    """Store the files of `data/inbox/<source>/<request>/` and start one run of `land_capture` for each source and day; send no request."""

    @sdk.task(
        outlets=[CAPTURES],
        pool=schedule.INBOX,
        doc_md="Store the files, the same bytes once, and list their days; each is a partition `source|day`, and starts a run.",
    )
    def days(params=None, outlet_events=None):
        from datamoat.orchestration import tasks

        found = tasks.captures(params["source"])
        if not found["partitions"]:
            raise AirflowSkipException(f"no capture in the inbox: {found}")
        outlet_events[CAPTURES].add_partitions(found["partitions"])
        return found

    days()


@sdk.dag(**schedule.common(sdk, "land_capture"), schedule=sdk.PartitionedAssetTimetable(assets=CAPTURES), tags=["history"],
     dag_display_name="History: land one capture", is_paused_upon_creation=False)  # fmt: skip
def land_capture():
    """Land the stored files of one source and day, and start a build if readers have not seen them; twice changes nothing."""

    @sdk.task(pool=schedule.LANDING, doc_md="Parse the snapshots of the day again, and validate them and what follows them.")
    def land(dag_run=None):
        from datamoat.orchestration import tasks

        facts = tasks.land(*dag_run.partition_key.split("|"))
        if not facts["is_new"]:
            raise AirflowSkipException(f"the published file has all of it: {facts}")
        return facts

    @sdk.task(trigger_rule="none_failed", doc_md="Fail, with the reason, when a response of the day is not valid.")
    def validate(dag_run=None):
        from datamoat.orchestration import tasks

        return tasks.validate(*dag_run.partition_key.split("|"))

    @sdk.task.short_circuit(doc_md="Go on unless a build waits to start, which reads this day too.")
    def no_build_waits(ti=None):
        return ti.get_dr_count("build_warehouse", states=["queued"]) == 0

    @sdk.task(trigger_rule="none_failed", doc_md="List the requests in quarantine that nobody has decided about.")
    def undecided(dag_run=None):
        from datamoat.orchestration import quarantine

        return quarantine.undecided(dag_run.partition_key.partition("|")[0])

    start_build = TriggerDagRunOperator(task_id="start_build", trigger_dag_id="build_warehouse",
        doc_md="Events of a partition start no build by themselves.")  # fmt: skip
    (landed := land()) >> [validate(), (waiting := undecided())]
    landed >> no_build_waits() >> start_build
    schedule.open_decision(TriggerDagRunOperator, waiting)


list_captures()
land_capture()
