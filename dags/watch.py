"""Once a week: has a page that a person transcribed changed?

Only pages that were read, are public and can change are fetched, once each. The log counts the others, with the reason.
"""

from airflow import sdk

from datamoat.orchestration import schedule


@sdk.dag(schedule="17 7 * * 6", catchup=False, max_active_runs=1, tags=["watch"], doc_md=__doc__,
    default_args=schedule.defaults(sdk), dag_display_name="Watch cited pages", is_paused_upon_creation=True)  # fmt: skip
def watch_pages():
    """Watch cited pages."""

    @sdk.task(pool=schedule.PAGES, doc_md="Compare the visible text of every cited page with that of the week before.")
    def watch():
        from datamoat.orchestration import tasks

        return tasks.watch()

    watch()


watch_pages()
