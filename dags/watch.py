"""Watch what no other DAG does: cited pages once a week, and every hour the free disk and the age of every source."""

from airflow import sdk

from datamoat.orchestration import schedule


@sdk.dag(**schedule.common(sdk, "watch_pages"), schedule="17 7 * * 6", tags=["watch"],
    dag_display_name="Watch cited pages", is_paused_upon_creation=True)  # fmt: skip
def watch_pages():
    """Has a page that a person transcribed changed?

    Only pages that were read, are public and can change are fetched, once each. The log counts the others, with the reason.
    """

    @sdk.task(pool=schedule.PAGES, doc_md="Compare the visible text of every cited page with that of the week before.")
    def watch():
        from datamoat.orchestration import tasks

        return tasks.watch()

    watch()


@sdk.dag(**schedule.common(sdk, "watch_state"), schedule=sdk.CronTriggerTimetable("37 * * * *", "UTC"), tags=["watch"],
    dag_display_name="Watch the disk and the age of sources", is_paused_upon_creation=False)  # fmt: skip
def watch_state():
    """Send an alert when the disk fills or a source is silent for two intervals, and a line when it is good again.

    Then the address in `DATAMOAT_PING` is called: the service behind it raises an alarm when nothing runs here any more.
    """

    @sdk.task(doc_md="Check free disk and the newest response of every source.")
    def check():
        from datamoat.orchestration import tasks

        return tasks.watch_state()

    @sdk.task(doc_md="Remove logs of tasks that are older than `DATAMOAT_KEEP_DAYS`.")
    def tidy():
        from datamoat.orchestration import tasks

        return tasks.tidy()

    check()
    tidy()


watch_pages()
watch_state()
