"""An alert goes once to every channel that is configured, and contains no secret."""

import os
import re
import smtplib
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

import pytest
from typer.testing import CliRunner
from werkzeug import Response

from datamoat.cli.app import app
from datamoat.errors import NoRoomError
from datamoat.orchestration import notify


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, checkout: Path) -> None:
    for name in (notify.WEBHOOK, notify.MAIL_TO, notify.MAIL_FROM, notify.MAIL_HOST, notify.PING, "AIRFLOW__API__BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DATAMOAT_ROOT", str(checkout))
    monkeypatch.setenv("DATAMOAT_DATA", str(tmp_path))


def test_without_any_channel_an_alert_is_an_event_of_the_log(events: list[dict[str, Any]]) -> None:
    assert notify.alert("the disk is full") == ["log"]
    assert [event["alert"] for event in events] == ["the disk is full"]


class Task:
    """A task instance as Airflow's dag-processor gives it: what tasks left, and the states of a run."""

    dag_id, task_id, run_id = "x", "land", "r"

    def __init__(self, left: dict[str, Any] | None = None, states: dict[str, str] | None = None) -> None:
        self.left, self.states = left or {}, states or {}

    def xcom_push(self, key: str, value: Any) -> None:
        assert key == notify.REASON
        self.left[self.task_id] = value

    def xcom_pull(self, task_ids: str, key: str) -> Any:
        assert key == notify.REASON
        return self.left.get(task_ids)

    def get_task_states(self, dag_id: str, run_ids: list[str]) -> dict[str, dict[str, str]]:
        return {run_ids[0]: self.states} if dag_id == "x" else {}


def run_of(task: Task | None, start: str = "2026-11-01T00:00:00+00:00") -> dict[str, Any]:
    """Return the context of a DAG's callback."""
    return {
        "dag": SimpleNamespace(dag_id="x", task_ids=["fetch", "land"]),
        "run_id": "r",
        "dag_run": SimpleNamespace(start_date=datetime.fromisoformat(start)),
        **({"ti": task} if task else {"reason": "task_failure"}),
    }


def alerts(events: list[dict[str, Any]]) -> list[str]:
    return [event["alert"] for event in events if "alert" in event and event["event"] == "alert"]


def test_a_webhook_gets_one_line_for_a_run_with_the_reason_of_each_task(httpserver: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    line = "datamoat: x failed in run r: fetch: the process died; land: gone (http://here:8080/dags/x/runs/r)"
    httpserver.expect_oneshot_request("/hook", method="POST", json={"text": line}).respond_with_data("")
    monkeypatch.setenv(notify.WEBHOOK, httpserver.url_for("/hook"))
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "http://here:8080/")
    task = Task(states={"fetch": "failed", "land": "failed", "validate": "upstream_failed"})
    notify.failed({"ti": task, "exception": "gone"})
    notify.run_failed(run_of(task))
    notify.run_failed(run_of(task))  # Airflow may call twice
    httpserver.check()
    assert len(httpserver.log) == 1


def test_a_task_that_was_killed_leaves_no_reason_and_its_run_is_reported(events: list[dict[str, Any]]) -> None:
    task = Task(states={"land": "failed"})
    notify.failed({"ti": task})
    notify.run_failed(run_of(task))
    assert alerts(events) == ["x failed in run r: land: the process died"]


def test_a_mapped_task_is_named_once_with_every_reason(events: list[dict[str, Any]]) -> None:
    many = [{"reason": reason, "is_reported": False} for reason in ("gone", "late", "gone")]
    task = Task(left={"land": many}, states={"land_0": "failed", "land_1": "failed", "land_2": "failed", "land_3": "success"})
    notify.run_failed(run_of(task))
    task.states["land_3"] = "failed"
    notify.run_failed(run_of(task, "2026-11-02T00:00:00+00:00"))
    assert alerts(events) == ["x failed in run r: land: gone; late", "x failed in run r: land: gone; late; the process died"]


def test_a_run_of_which_nothing_is_known_is_reported_all_the_same(events: list[dict[str, Any]]) -> None:
    class Broken(Task):
        def xcom_pull(self, task_ids: str, key: str) -> Any:
            raise RuntimeError(task_ids, key)

    notify.run_failed(run_of(None))
    notify.run_failed(run_of(Broken(), "2026-11-02T00:00:00+00:00"))
    assert alerts(events) == ["x failed in run r: task_failure", "x failed in run r: no reason given"]


def test_a_run_that_was_cleared_and_fails_again_is_reported_again(events: list[dict[str, Any]]) -> None:
    task = Task(left={"land": {"reason": "gone", "is_reported": False}})
    for start in ("2026-11-01T00:00:00+00:00", "2026-11-01T00:00:00+00:00", "2026-11-01T05:00:00+00:00"):
        notify.run_failed(run_of(task, start))
    assert len(alerts(events)) == 2


def test_a_full_disk_is_one_alert_whatever_runs_into_it_and_one_line_when_it_is_good_again(events: list[dict[str, Any]]) -> None:
    assert notify.condition("free disk", "1 GB is free")
    task = Task()
    notify.failed({"ti": task, "exception": NoRoomError("1 GB is free", "here", "free space.")})
    notify.run_failed(run_of(task))
    assert not notify.condition("free disk", "1 GB is free")
    assert notify.condition("free disk", None)
    assert not notify.condition("free disk", None)
    assert alerts(events) == ["free disk: 1 GB is free", "free disk: good again"]


def test_what_cannot_be_marked_is_reported_and_not_lost(tmp_path: Path, events: list[dict[str, Any]]) -> None:
    (tmp_path / "airflow").write_text("a file where a folder must be")
    notify.run_failed(run_of(None))
    assert alerts(events) == ["x failed in run r: task_failure"]


def test_the_dead_man_address_is_called_and_never_fails(
    httpserver: Any, monkeypatch: pytest.MonkeyPatch, events: list[Any]
) -> None:
    assert not notify.ping()
    httpserver.expect_oneshot_request("/ping", method="GET").respond_with_data("OK")
    monkeypatch.setenv(notify.PING, httpserver.url_for("/ping"))
    assert notify.ping()
    monkeypatch.setenv(notify.PING, "http://127.0.0.1:1/secret-of-the-path")
    assert not notify.ping()
    assert "secret-of-the-path" not in str(events)


def test_the_command_names_each_channel_and_fails_if_one_refuses(httpserver: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    httpserver.expect_request("/hook", method="POST").respond_with_data("")
    monkeypatch.setenv(notify.WEBHOOK, httpserver.url_for("/hook"))
    sent = CliRunner().invoke(app, ["notify", "--test"])
    assert (sent.exit_code, [line.split()[:2] for line in sent.output.splitlines() if "webhook" in line]) == (
        0,
        [["webhook", "took"]],
    )
    assert len(httpserver.log) == 1
    monkeypatch.setenv(notify.PING, "http://127.0.0.1:1/")
    assert CliRunner().invoke(app, ["notify", "--test"]).exit_code == 1
    assert CliRunner().invoke(app, ["notify"]).exit_code == 0
    assert len(httpserver.log) == 2


@pytest.mark.parametrize("address", ["http://example.org/hook", "ftp://example.org", "nonsense", "http://127.0.0.1:1/x"])
def test_a_webhook_that_fails_is_an_event_of_the_log_without_its_address(
    address: str, monkeypatch: pytest.MonkeyPatch, events: list[dict[str, Any]]
) -> None:
    monkeypatch.setenv(notify.WEBHOOK, address)
    assert notify.alert("something") == ["log"]
    assert events[1]["channel"] == "webhook"
    assert address not in str(events)


def test_a_mail_names_the_failure_and_the_page_to_read(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Any] = []

    class Server:
        def __init__(self, name: str, port: int, timeout: float) -> None:
            sent.append((name, port, timeout))

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *words: object) -> None:
            return None

        def send_message(self, mail: Any) -> None:
            sent.append(mail)

    monkeypatch.setattr(smtplib, "SMTP", Server)
    monkeypatch.setenv(notify.MAIL_TO, "somebody@example.org")
    monkeypatch.setenv(notify.MAIL_HOST, "mail.example.org:2525")
    assert notify.alert("build failed\nSubject: other") == ["log", "mail"]
    assert sent[0] == ("mail.example.org", 2525, notify.SECONDS)
    assert sent[1]["Subject"] == "datamoat: build failed Subject: other"
    assert "docs/operations.md" in sent[1].get_content()


def test_values_of_secrets_and_passwords_in_addresses_are_left_out(
    monkeypatch: pytest.MonkeyPatch, events: list[dict[str, Any]]
) -> None:
    monkeypatch.setenv("EXAMPLE_API_KEY", "canary-1234")
    monkeypatch.setenv("HARMLESS", "publisher")
    notify.alert("publisher sent canary-1234 at postgresql://me:canary-5678@db/x and https://example.org/a?key=canary-9 and b@c")
    assert "canary" not in str(events)
    assert [event["alert"] for event in events] == [
        "publisher sent *** at postgresql://***@db/x and https://example.org/a?*** and b@c"
    ]


def test_a_name_with_control_characters_cannot_write_a_line_of_its_own(events: list[dict[str, Any]]) -> None:
    notify.alert("entry \x1b[2Jevil\nALERT forged\x07")
    assert [event["alert"] for event in events] == ["entry ?[2Jevil ALERT forged?"]


def test_a_late_run_is_named_and_one_that_succeeded_is_not(events: list[dict[str, Any]]) -> None:
    for state in ("running", "success"):
        notify.late({"dag_run": {"dag_run_id": "r9", "state": state}}, dag_id="build_warehouse", minutes=60)
    assert alerts(events) == ["build_warehouse has not ended 60 minutes after its usual time (run r9); it goes on"]


def test_at_its_deadline_a_failed_run_is_reported_if_nothing_reported_it(events: list[dict[str, Any]]) -> None:
    run = {"dag_run_id": "r", "state": "failed", "start_date": "2026-11-01T00:00:00Z"}
    notify.run_failed(run_of(None))
    notify.late({"dag_run": run}, dag_id="x", minutes=60)
    assert len(alerts(events)) == 1
    notify.late({"dag_run": run | {"dag_run_id": "r10"}}, dag_id="x", minutes=60)
    assert alerts(events)[1:] == ["x failed in run r10; nothing reported it until its deadline"]


@pytest.fixture
def hook(httpserver: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A webhook that refuses while `is_down`, and remembers what it took."""
    taken: list[str] = []
    state = SimpleNamespace(is_down=True, taken=taken)

    def answer(request: Any) -> Response:
        if state.is_down:
            return Response("", 500)
        taken.append(request.get_json()["text"].removeprefix("datamoat: "))
        return Response("")

    httpserver.expect_request("/hook", method="POST").respond_with_handler(answer)
    monkeypatch.setenv(notify.WEBHOOK, httpserver.url_for("/hook"))
    return state


def undated(taken: list[str]) -> list[str]:
    """Return lines that were sent later without the time they are of, which each must have."""
    parted = [re.fullmatch(r"(.*) \(of \d{4}-\d\d-\d\d \d\d:\d\d UTC, which no channel took then\)", line) for line in taken]
    return [found[1] if found else "without its time" for found in parted]


def test_an_alert_that_no_channel_took_is_sent_again_until_one_does(hook: Any) -> None:
    assert notify.condition("free disk", "1 GB is free")
    hook.is_down = False
    assert notify.condition("free disk", "1 GB is free")
    assert not notify.condition("free disk", "1 GB is free")
    assert undated(hook.taken) == ["free disk: 1 GB is free"]


def test_an_alert_that_nobody_received_has_no_good_again(hook: Any) -> None:
    notify.condition("free disk", "1 GB is free")
    hook.is_down = False
    assert not notify.condition("free disk", None)
    assert hook.taken == []
    assert notify.condition("free disk", "1 GB is free")
    assert hook.taken == ["free disk: 1 GB is free"]


def test_a_good_again_that_no_channel_took_is_sent_again(hook: Any) -> None:
    hook.is_down = False
    notify.condition("free disk", "1 GB is free")
    hook.is_down = True
    notify.condition("free disk", None)
    hook.is_down = False
    notify.condition("free disk", None)
    assert not notify.condition("free disk", None)
    assert hook.taken == ["free disk: 1 GB is free", "free disk: good again"]


def test_a_failed_run_that_no_channel_took_is_sent_with_its_reasons_at_its_deadline(hook: Any) -> None:
    run = {"dag_run_id": "r", "state": "failed", "start_date": "2026-11-01T00:00:00Z"}
    notify.run_failed(run_of(Task(left={"land": {"reason": "gone", "is_reported": False}})))
    hook.is_down = False
    for _ in range(2):
        notify.late({"dag_run": run}, dag_id="x", minutes=60)
    assert undated(hook.taken) == ["x failed in run r: land: gone"]


def test_what_no_channel_took_is_sent_by_the_next_look_and_once(hook: Any) -> None:
    for number in (1, 2):
        notify.run_failed(run_of(None, f"2026-11-0{number}T00:00:00+00:00"))
    notify.late({"dag_run": {"dag_run_id": "r9", "state": "running"}}, dag_id="x", minutes=60)
    assert notify.send_again() == 0
    hook.is_down = False
    assert [notify.send_again(), notify.send_again()] == [3, 0]
    late = "x has not ended 60 minutes after its usual time (run r9); it goes on"
    assert sorted(undated(hook.taken)) == ["x failed in run r: task_failure"] * 2 + [late]


def test_alerts_that_no_channel_took_are_sent_in_the_order_they_were_written(hook: Any) -> None:
    for number in range(1, 7):
        notify.run_failed(run_of(None, f"2026-11-0{number}T00:00:00+00:00"))
    marks = sorted((notify.read_settings().data / "airflow" / "alerts").glob("run-*"))
    for age, mark in enumerate(marks):  # the first by name was written last
        key, line = mark.read_text(encoding="utf-8").splitlines()
        mark.write_text(f"{key}\n{line} {age}\n", encoding="utf-8")
        os.utime(mark, (2e9 - age, 2e9 - age))
    hook.is_down = False
    notify.send_again()
    assert [line[-1] for line in undated(hook.taken)] == list("543210")


def test_a_redirect_to_a_page_that_answers_is_no_receipt(httpserver: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    httpserver.expect_request("/hook").respond_with_response(Response("", 302, {"Location": "/login"}))
    httpserver.expect_request("/login").respond_with_data("log in")
    for name in (notify.WEBHOOK, notify.PING):
        monkeypatch.setenv(name, httpserver.url_for("/hook"))
    assert notify.alert("something") == ["log"]
    assert not notify.ping()
    assert {request.path for request, _ in httpserver.log} == {"/hook"}


@pytest.mark.parametrize(("given", "missing"), [(notify.MAIL_TO, notify.MAIL_HOST), (notify.MAIL_HOST, notify.MAIL_TO)])
def test_a_mail_of_which_half_is_set_is_named_with_what_is_missing(
    given: str, missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(given, "mail.example.org")
    shown = CliRunner().invoke(app, ["notify"])
    assert shown.exit_code == 1
    assert f"INCOMPLETE: set {missing}" in shown.output
