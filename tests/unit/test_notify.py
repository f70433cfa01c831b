"""A person is told once, on every way that is configured, and no secret is told."""

import logging
import smtplib
from types import SimpleNamespace
from typing import Any, Self

import pytest

from datamoat.orchestration import notify


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (notify.WEBHOOK, notify.MAIL_TO, notify.MAIL_FROM, notify.MAIL_HOST):
        monkeypatch.delenv(name, raising=False)


def test_without_anything_configured_the_log_is_told(caplog: pytest.LogCaptureFixture) -> None:
    assert notify.tell("the disk is full") == ["log"]
    assert caplog.messages == ["ALARM the disk is full"]


def test_a_webhook_is_told_the_same_line(httpserver: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    httpserver.expect_oneshot_request(
        "/hook", method="POST", json={"text": "datamoat: x.land failed in run r: gone"}
    ).respond_with_data("")
    monkeypatch.setenv(notify.WEBHOOK, httpserver.url_for("/hook"))
    context = {"ti": SimpleNamespace(dag_id="x", task_id="land"), "dag_run": SimpleNamespace(run_id="r"), "exception": "gone"}
    notify.failed(context)
    httpserver.check()


@pytest.mark.parametrize("address", ["http://example.org/hook", "ftp://example.org", "nonsense", "http://127.0.0.1:1/x"])
def test_a_webhook_that_cannot_be_told_is_a_line_in_the_log_without_its_address(
    address: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(notify.WEBHOOK, address)
    assert notify.tell("something") == ["log"]
    assert "the webhook could not be told" in caplog.text
    assert address not in caplog.text


def test_a_mail_says_what_and_where_to_read_on(monkeypatch: pytest.MonkeyPatch) -> None:
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
    assert notify.tell("build failed\nSubject: other") == ["log", "mail"]
    assert sent[0] == ("mail.example.org", 2525, notify.SECONDS)
    assert sent[1]["Subject"] == "datamoat: build failed Subject: other"
    assert "docs/operations.md" in sent[1].get_content()


def test_values_of_secrets_and_passwords_in_addresses_are_left_out(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("EXAMPLE_API_KEY", "canary-1234")
    monkeypatch.setenv("HARMLESS", "publisher")
    notify.tell("publisher said canary-1234 at postgresql://me:canary-5678@db/x and https://example.org/a?key=canary-9 and b@c")
    assert "canary" not in caplog.text
    assert caplog.messages == ["ALARM publisher said *** at postgresql://***@db/x and https://example.org/a?*** and b@c"]


def test_a_name_with_control_characters_cannot_write_a_line_of_its_own(caplog: pytest.LogCaptureFixture) -> None:
    notify.tell("entry \x1b[2Jevil\nALARM forged\x07")
    assert caplog.messages == ["ALARM entry ?[2Jevil ALARM forged?"]


def test_a_late_run_is_told_of_with_its_name(caplog: pytest.LogCaptureFixture) -> None:
    notify.late({"dag_run": {"dag_run_id": "r9", "state": "running"}}, dag_id="build_warehouse", minutes=60)
    assert caplog.records[0].levelno == logging.ERROR
    assert caplog.messages == ["ALARM build_warehouse is not through 60 minutes after it was queued (run r9); it goes on"]


@pytest.mark.parametrize("state", ["failed", "success"])
def test_a_run_that_is_through_is_not_told_of_as_late(state: str, caplog: pytest.LogCaptureFixture) -> None:
    notify.late({"dag_run": {"dag_run_id": "r9", "state": state}}, dag_id="build_warehouse", minutes=60)
    assert caplog.messages == []
