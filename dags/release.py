"""Export what was published: Parquet and CSV after every publication, a dated release when a person triggers one."""

from airflow import sdk

from datamoat.orchestration import schedule

WAREHOUSE = sdk.Asset(schedule.WAREHOUSE, group="published")
EXPORT = sdk.Asset(schedule.EXPORT, group="published")
RELEASE = sdk.Asset(schedule.RELEASE, group="published")


@sdk.dag(**schedule.common(sdk, "export_tables", pool=schedule.WRITER), schedule=[WAREHOUSE], tags=["export"],
     dag_display_name="Export the published tables", is_paused_upon_creation=False)  # fmt: skip
def export_tables():
    """Write every published table as Parquet and CSV with its data package; runs after every publication."""

    @sdk.task(outlets=[EXPORT], doc_md="Write the tables of the published file; an export of the same build is left as it is.")
    def export(outlet_events=None):
        from datamoat.orchestration import tasks

        outlet_events[EXPORT].extra = facts = tasks.export()
        return facts

    export()


@sdk.dag(**schedule.common(sdk, "release", pool=schedule.WRITER), schedule=None, tags=["export"],
     dag_display_name="Make a dated release", is_paused_upon_creation=False,
     params={"note": sdk.Param(None, type=["null", "string"], description="A note that the event of the release carries.")})  # fmt: skip
def release():
    """Keep what is published as a dated release for good; runs when a person triggers it."""

    @sdk.task(outlets=[RELEASE], doc_md="Write the bundle, and record its checksum where the bundle is not.")
    def export_release(params=None, outlet_events=None):
        from datamoat.orchestration import tasks

        outlet_events[RELEASE].extra = facts = tasks.release(params["note"])
        return facts

    export_release()


export_tables()
release()
