"""One DAG for each streamed source: list the parts that are due, one mapped task for each part, then a build on the counts."""

from airflow import sdk

from datamoat.orchestration import schedule
from datamoat.project.sources import read_sources
from datamoat.settings import find_content


def ingest(source):
    """Make the DAG of one streamed source; one that sends requests is switched on by a person."""
    counted = sdk.Asset(schedule.raw(source.id), group="raw", extra={"of": source.title})
    timetable = sdk.CronTriggerTimetable(schedule.cron(source), "UTC", run_immediately=True)
    sends_requests = schedule.pool(source) != schedule.INBOX

    @sdk.dag(**schedule.common(sdk, f"ingest__{source.id}", retries=3), schedule=timetable, tags=[source.kind], doc_md=source.about,
         dag_display_name=f"Count: {source.title}", is_paused_upon_creation=sends_requests)  # fmt: skip
    def of_source():
        @sdk.task(pool=schedule.pool(source), doc_md="List the parts that are due, and the files in the inbox.")
        def parts():
            from datamoat.orchestration import streamed

            return streamed.parts(source.id)

        @sdk.task(pool=schedule.PARTS, queue=schedule.ANY_QUEUE if sends_requests else schedule.LAKE_QUEUE,
                  doc_md="Fetch one part and store its counts and its receipt; the part is deleted.")  # fmt: skip
        def count(part):
            from datamoat.orchestration import hosts, streamed

            return hosts.place() | streamed.count(source.id, part)

        @sdk.task(pool=schedule.PARTS, outlets=[counted], doc_md="Report what was counted; the event starts a build.")
        def report(counts, outlet_events=None):
            from datamoat.orchestration import hosts

            here = hosts.check_store(*counts)
            outlet_events[counted].extra = facts = here | {"source_id": source.id, "parts": list(counts)}
            return facts

        report(count.expand(part=parts()))

    return of_source()


for _one in read_sources(find_content()):
    if _one.part is not None:
        ingest(_one)
