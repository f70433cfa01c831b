"""Alerts: one event in the log always, a webhook or a mail where one is configured.

`DATAMOAT_WEBHOOK` is an https address (or one on this machine) that takes `{"text": …}`. `DATAMOAT_MAIL_TO` and
`DATAMOAT_MAIL_HOST` (`host` or `host:port`), with `DATAMOAT_MAIL_FROM` if wanted, send a plain mail. Neither address is
ever printed, and no message contains the value of a secret.
"""

import http.client
import json
import os
import re
import smtplib
import urllib.request
from collections.abc import Mapping
from email.message import EmailMessage
from typing import Any
from urllib.parse import urlsplit

from datamoat.log import log

WEBHOOK, MAIL_TO, MAIL_FROM, MAIL_HOST = (f"DATAMOAT_{name}" for name in ("WEBHOOK", "MAIL_TO", "MAIL_FROM", "MAIL_HOST"))
SECONDS = 10
ENDED = {"success", "failed"}
MOST = 1500  # characters of a message
SECRET_NAME = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|WEBHOOK|CREDENTIAL|_CONN|CONN_|BROKER|BACKEND", re.IGNORECASE)
SHORTEST_SECRET = 6
IN_URL = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*://)[^/\s@]*@|(?P<path>https?://[^\s?#\"']+)[?#][^\s\"']*", re.IGNORECASE)


def failed(context: Mapping[str, Any]) -> None:
    """Send an alert that a task failed for good; the callback of every task.

    Args:
        context: The scheduler's context: `task_instance`, `dag_run` and `exception` are read, where they are given.
    """
    task = context.get("task_instance") or context.get("ti")
    name = f"{getattr(task, 'dag_id', '?')}.{getattr(task, 'task_id', '?')}"
    run = getattr(context.get("dag_run"), "run_id", "?")
    alert(f"{name} failed in run {run}: {context.get('exception') or 'the process died'}")


def late(context: Mapping[str, Any] | None = None, *, dag_id: str = "?", minutes: float = 0) -> None:
    """Send an alert that a run has not ended by its deadline; the run goes on.

    Airflow calls this for a run that ended before its deadline too: then there is nothing to send.
    """
    run = ((context or {}).get("dag_run")) or {}
    if isinstance(run, Mapping) and run.get("state") in ENDED:
        return
    run_id = run.get("dag_run_id") or run.get("run_id") if isinstance(run, Mapping) else getattr(run, "run_id", None)
    alert(f"{dag_id} has not ended {minutes:g} minutes after it was queued (run {run_id or '?'}); it goes on")


def alert(text: str) -> list[str]:
    """Send one line to the log and to every channel that is configured, and return the channels that took it; never fails."""
    line = " ".join(redact(text).split())[:MOST]
    line = "".join(character if character.isprintable() else "?" for character in line)
    log.error("alert", alert=line)
    sent = ["log"]
    for name, send in (("webhook", _to_webhook), ("mail", _to_mail)):
        try:
            if send(line):
                sent.append(name)
        except (OSError, ValueError, http.client.HTTPException, smtplib.SMTPException) as failure:
            log.error("alert", channel=name, error=type(failure).__name__)
    return sent


def redact(text: str, environment: Mapping[str, str] = os.environ) -> str:
    """Return a text without the values of secret variables, passwords in addresses, and queries of addresses.

    >>> redact("fetched https://user:pw@example.org/x?key=1", {})
    'fetched https://***@example.org/x?***'
    """
    for name, value in environment.items():
        if SECRET_NAME.search(name) and len(value) >= SHORTEST_SECRET:
            text = text.replace(value, "***")
    previous = ""
    while previous != text:
        previous, text = text, IN_URL.sub(lambda m: f"{m['scheme']}***@" if m["scheme"] else f"{m['path']}?***", text)
        text = text.replace("?***?***", "?***")
        if previous == text or "@" not in text:
            break
    return text


def _to_webhook(line: str) -> bool:
    address = os.environ.get(WEBHOOK)
    if not address:
        return False
    parts = urlsplit(address)
    if parts.scheme != "https" and parts.hostname not in {"127.0.0.1", "localhost"}:
        message = f"{WEBHOOK} is not https"
        raise ValueError(message)
    body = json.dumps({"text": f"datamoat: {line}"}).encode()
    request = urllib.request.Request(address, body, {"Content-Type": "application/json"})  # noqa: S310  (scheme checked above)
    with urllib.request.urlopen(request, timeout=SECONDS) as answer:  # noqa: S310
        answer.read(1024)
    return True


def _to_mail(line: str) -> bool:
    to, host = os.environ.get(MAIL_TO), os.environ.get(MAIL_HOST)
    if not to or not host:
        return False
    mail = EmailMessage()
    mail["Subject"], mail["To"] = f"datamoat: {line[:100]}", to
    mail["From"] = os.environ.get(MAIL_FROM) or to
    mail.set_content(f"{line}\n\nWhat to do about each alert: docs/operations.md\n")
    name, _, port = host.partition(":")
    with smtplib.SMTP(name, int(port or 25), timeout=SECONDS) as server:
        server.send_message(mail)
    return True
