"""Build, audit and publish whenever a source has landed something; one run after another.

A build that fails its audit is not published: readers keep the last good file.
"""

from airflow import sdk

from datamoat.orchestration import schedule
from datamoat.project.sources import read_sources
from datamoat.settings import find_content

TITLES = schedule.titles(read_sources(find_content()))
LANDED = [sdk.Asset(schedule.raw(name), group="raw", extra={"of": title}) for name, title in TITLES.items()]
DECIDED = sdk.Asset(schedule.DECIDED, group="raw")
WAREHOUSE = sdk.Asset(schedule.WAREHOUSE, group="published")


@sdk.dag(**schedule.common(sdk, "build_warehouse", pool=schedule.WRITER), schedule=sdk.AssetAny(*LANDED, DECIDED), tags=["warehouse"],
     doc_md=__doc__, dag_display_name="Build, audit, publish", is_paused_upon_creation=False)  # fmt: skip
def build_warehouse():
    """Build, audit, publish."""

    @sdk.task(doc_md="Compute every table from the reference facts and the snapshots; what readers see is not changed yet.")
    def build(triggering_asset_events=None):
        from datamoat.orchestration import hosts, tasks

        landed = [event.extra for events in (triggering_asset_events or {}).values() for event in events]
        return hosts.check_store(*landed) | tasks.build()

    @sdk.task(doc_md="Run every check on the build; a critical check that does not pass ends the run.")
    def audit(built):
        from datamoat.orchestration import hosts, tasks

        return hosts.check_folder(built) | tasks.audit(built["build_id"])

    @sdk.task(outlets=[WAREHOUSE], doc_md="Replace the file that readers open with the audited build.")
    def publish(audited, outlet_events=None):
        from datamoat.orchestration import hosts, tasks

        outlet_events[WAREHOUSE].extra = facts = audited | hosts.check_folder(audited) | tasks.publish(audited["build_id"])
        return facts

    publish(audit(build()))


build_warehouse()
