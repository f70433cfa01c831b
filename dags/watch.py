"""Once a week: has a page that a person transcribed changed?

Only pages that were read, are public and can change are asked for, once each. The log says how many were not, and why.
"""

from datetime import timedelta

from airflow import sdk

from datamoat.orchestration import notify, schedule

POLICY = sdk.ExceptionRetryPolicy(
    [sdk.RetryRule(error, sdk.RetryAction(act), timedelta(minutes=wait), why) for error, act, wait, why in schedule.RULES]
)
EACH = {"retries": 2, "retry_policy": POLICY, "on_failure_callback": notify.failed}


@sdk.dag(schedule="17 7 * * 6", catchup=False, max_active_runs=1, tags=["watch"], doc_md=__doc__, default_args=EACH,
    dag_display_name="Watch cited pages", is_paused_upon_creation=True)  # fmt: skip
def watch_pages():
    """Wire the one task."""

    @sdk.task(pool=schedule.PAGES, doc_md="Compare the visible text of every cited page with what it was the week before.")
    def watch():
        from datamoat.orchestration import tasks as verbs

        return verbs.watch()

    watch()


watch_pages()
