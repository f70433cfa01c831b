"""A person decides about a response that failed validation: Accept or Keep, with a reason.

A run waits under *Required Actions* until somebody answers; it holds no worker meanwhile, and needs no triggerer. One run is
started for each quarantine of a request, by the DAG of its source.
"""

from airflow import sdk
from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk.exceptions import AirflowSkipException

from datamoat.orchestration import schedule

DECIDED = sdk.Asset(schedule.DECIDED, group="raw")
REASON = sdk.Param("", type="string", title="Reason", description="Why; it is published with your name.")


@sdk.dag(**{**schedule.common(sdk, schedule.QUARANTINE), "max_active_runs": 100, "deadline": None}, schedule=None,
     tags=["quarantine"], doc_md=__doc__, dag_display_name="Decide about a quarantined response",
     params={"snapshot_id": sdk.Param(type="string", pattern="^[a-z0-9_]+/[a-z0-9_]+/[0-9-]+/[0-9a-f]+$")},
     is_paused_upon_creation=False)  # fmt: skip
def quarantine():
    """Describe, wait for a decision, record it."""

    @sdk.task(doc_md="Compare the response with what is served.")
    def changes(params):
        from datamoat.orchestration import quarantine

        return quarantine.describe(params["snapshot_id"])

    decision = HITLOperator(
        task_id="decision", doc_md="Wait until a person answers under *Required Actions*.", options=["Accept", "Keep"],
        subject="{{ ti.xcom_pull(task_ids='changes')['title'] }}", body="{{ ti.xcom_pull(task_ids='changes')['text'] }}",
        params={"reason": REASON},
    )  # fmt: skip

    @sdk.task(pool=schedule.LANDING, outlets=[DECIDED], doc_md="Record who decided what and why; what is accepted is landed.")
    def record(answer, params, outlet_events=None):
        from datamoat.orchestration import quarantine

        chosen, user = answer["chosen_options"][0], answer["responded_by_user"]
        facts = quarantine.record(params["snapshot_id"], chosen, user["name"], answer["params_input"]["reason"])
        outlet_events[DECIDED].extra = facts
        if not facts["is_new"]:
            raise AirflowSkipException(f"it stays in quarantine: {facts}")
        return facts

    changes() >> decision
    record(decision.output)


quarantine()
