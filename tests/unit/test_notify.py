"""An alert goes once to every channel that is configured, and contains no secret."""

import smtplib
from types import SimpleNamespace
from typing import Any, Self

import pytest

from datamoat.orchestration import notify


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (notify.WEBHOOK, notify.MAIL_TO, notify.MAIL_FROM, notify.MAIL_HOST):
        monkeypatch.delenv(name, raising=False)


def test_without_any_channel_an_alert_is_an_event_of_the_log(events: list[dict[str, Any]]) -> None:
    assert notify.alert("the disk is full") == ["log"]
    assert [event["alert"] for event in events] == ["the disk is full"]


def test_a_webhook_gets_the_same_line(httpserver: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    httpserver.expect_oneshot_request(
        "/hook", method="POST", json={"text": "datamoat: x.land failed in run r: gone"}
    ).respond_with_data("")
    monkeypatch.setenv(notify.WEBHOOK, httpserver.url_for("/hook"))
    context = {"ti": SimpleNamespace(dag_id="x", task_id="land"), "dag_run": SimpleNamespace(run_id="r"), "exception": "gone"}
    notify.failed(context)
    httpserver.check()


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


def test_a_late_run_is_named(events: list[dict[str, Any]]) -> None:
    notify.late({"dag_run": {"dag_run_id": "r9", "state": "running"}}, dag_id="build_warehouse", minutes=60)
    assert events[0]["level"] == "error"
    assert [event["alert"] for event in events] == [
        "build_warehouse has not ended 60 minutes after it was queued (run r9); it goes on"
    ]


@pytest.mark.parametrize("state", ["failed", "success"])
def test_a_run_that_has_ended_is_not_late(state: str, events: list[dict[str, Any]]) -> None:
    notify.late({"dag_run": {"dag_run_id": "r9", "state": state}}, dag_id="build_warehouse", minutes=60)
    assert events == []
