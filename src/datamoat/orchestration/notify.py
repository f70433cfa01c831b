"""Alerts: one event in the log always, a webhook or a mail where one is configured.

`DATAMOAT_WEBHOOK` is an https address (or one on this machine) that takes `{"text": …}`. `DATAMOAT_MAIL_TO` and
`DATAMOAT_MAIL_HOST` (`host` or `host:port`), with `DATAMOAT_MAIL_FROM` if wanted, send a plain mail. `DATAMOAT_PING` is an address
of a service that raises an alarm of its own when it was not called for a while. No address is ever printed, and no message
contains the value of a secret.

A failed run is one alert: Airflow calls `run_failed` in the dag-processor when the run has ended, however its tasks ended; the tasks
leave their reasons in XCom. `late` is called through the executor, and reports a failed run that nothing reported.
"""

import hashlib
import http.client
import json
import os
import re
import smtplib
import urllib.request
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from datamoat.errors import NoRoomError
from datamoat.log import log
from datamoat.settings import read_settings

WEBHOOK, MAIL_TO, MAIL_FROM, MAIL_HOST, PING = (
    f"DATAMOAT_{name}" for name in ("WEBHOOK", "MAIL_TO", "MAIL_FROM", "MAIL_HOST", "PING")
)
CHANNELS = {"log": "", "webhook": WEBHOOK, "mail": f"{MAIL_TO}, {MAIL_HOST}", "ping": PING}
SECONDS = 10
MOST = 1500  # characters of a message
REASON = "failure"  # the XCom key under which a task leaves why it failed
SECRET_NAME = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|WEBHOOK|PING|CREDENTIAL|_CONN|CONN_|BROKER|BACKEND", re.IGNORECASE)
SHORTEST_SECRET = 6
IN_URL = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*://)[^/\s@]*@|(?P<path>https?://[^\s?#\"']+)[?#][^\s\"']*", re.IGNORECASE)


def failed(context: Mapping[str, Any]) -> None:
    """Leave the reason of a task that failed for good, for the alert of its run; the callback of every task.

    Args:
        context: The context of the task: `ti` and `exception` are read.
    """
    task, failure = context["ti"], context.get("exception")
    if failure is None:  # Airflow speaks for a process that died, from where nothing can be left
        return
    reason = redact(str(failure))
    log.error("failure", failure=f"{task.dag_id}.{task.task_id}", reason=reason)
    task.xcom_push(REASON, {"reason": reason, "is_reported": isinstance(failure, NoRoomError)})


def run_failed(context: Mapping[str, Any]) -> None:
    """Send the one alert of a run that failed; the callback of every DAG.

    Args:
        context: The context of Airflow's dag-processor: `dag`, `run_id` and, as a rule, `dag_run` and `ti` of a failed task.
    """
    dag, run = context["dag"], context.get("dag_run")
    reasons = _reasons(context)
    if reasons and all(one["is_reported"] for one in reasons.values()):
        _mark(_key(dag.dag_id, context["run_id"], run), "")
        return
    listed = "; ".join(f"{task}: {one['reason']}" for task, one in reasons.items()) or str(
        context.get("reason") or "no reason given"
    )
    text = f"{dag.dag_id} failed in run {context['run_id']}: {listed}{_page(dag.dag_id, context['run_id'])}"
    _report(_key(dag.dag_id, context["run_id"], run), text)


def late(context: Mapping[str, Any] | None = None, *, dag_id: str = "?", minutes: float = 0) -> None:
    """Report a run at its deadline: one that goes on, or one that failed and was not reported.

    Args:
        context: What the scheduler sends: `dag_run` as its REST API shows it.
        dag_id: The DAG.
        minutes: How long after its usual end the deadline is.
    """
    run: Mapping[str, Any] = (context or {}).get("dag_run") or {}
    run_id = str(run.get("dag_run_id") or "?")
    key, page = _key(dag_id, run_id, run), _page(dag_id, run_id)
    if run.get("state") == "failed":
        _report(key, f"{dag_id} failed in run {run_id}; nothing reported it until its deadline{page}")
    elif run.get("state") != "success":
        text = f"{dag_id} has not ended {minutes:g} minutes after its usual time (run {run_id}); it goes on{page}"
        _report(f"{key} late", text)


def condition(name: str, problem: str | None) -> bool:
    """Send an alert when a condition turns bad, and one line when it is good again; nothing in between.

    What no channel took is sent again at the next call. An alert that nobody received has no `good again`.

    Args:
        name: What it is about: `free disk`, `source x`, `Airflow's scheduler`.
        problem: What is wrong, with what to do; None if it is good.

    Returns:
        Whether a line was sent.
    """
    key = f"condition {name}"
    if problem is not None:
        return _report(key, f"{name}: {problem}")
    marker, good = _marker(key), f"{name}: good again"
    if not marker.is_file():  # it was good before
        return False
    is_known = _unreceived(marker) is None
    try:
        marker.unlink()
    except OSError as failure:  # sent without it, the line would be sent at every look
        log.error("alert", marker=key, error=type(failure).__name__)
        return False
    if not is_known:
        log.info("alert", alert=good)
    elif not _is_received(alert(good, is_good=True)):
        _mark(key, "")  # so that it is sent again
    return is_known


def send_again() -> int:
    """Send the alerts of runs that no channel took, up to the first that is refused again; return how many were received."""
    n_received = 0
    for marker in sorted((read_settings().data / "airflow" / "alerts").glob("run-*"), key=_written):
        text = _unreceived(marker)
        if text is not None:
            if not _send(marker, text):
                break
            n_received += 1
    return n_received


def ping() -> bool:
    """Call the address that raises an alarm when it is not called; return whether it was; never fails."""
    address = os.environ.get(PING)
    if not address:
        return False
    try:
        _request(PING, address, None)
    except (OSError, ValueError, http.client.HTTPException) as failure:
        log.error("ping", error=type(failure).__name__)
        return False
    return True


def alert(text: str, *, is_good: bool = False) -> list[str]:
    """Send one line to the log and to every channel that is configured, and return the channels that took it; never fails."""
    line = " ".join(redact(text).split())[:MOST]
    line = "".join(character if character.isprintable() else "?" for character in line)
    (log.info if is_good else log.error)("alert", alert=line)
    sent = ["log"]
    for name, send in (("webhook", _to_webhook), ("mail", _to_mail)):
        try:
            if send(line):
                sent.append(name)
        except (OSError, ValueError, http.client.HTTPException, smtplib.SMTPException) as failure:
            log.error("alert", channel=name, error=type(failure).__name__)
    return sent


def channels() -> dict[str, bool]:
    """Return every channel and whether its variables are set; one with only some of them takes nothing."""
    return {name: all(os.environ.get(one) for one in needed.split(", ") if one) for name, needed in CHANNELS.items()}


def incomplete() -> dict[str, str]:
    """Return every channel of which a variable is set and another one is not, with those that are not."""
    found = {}
    for channel, needed in CHANNELS.items():
        names = needed.split(", ")
        missing = [name for name in names if not os.environ.get(name)]
        if 0 < len(missing) < len(names):
            found[channel] = ", ".join(missing)
    return found


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


def _reasons(context: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return why each failed task of a run failed; what a process that was killed could not leave is filled in."""
    task, names, left = context.get("ti"), list(context["dag"].task_ids), {}
    if task is None:
        return {}
    n_failed: Counter[str] = Counter()
    try:
        for name in names:
            pulled = task.xcom_pull(task_ids=name, key=REASON)
            left[name] = [one for one in (pulled if isinstance(pulled, list) else [pulled]) if one]  # a mapped task leaves many
        states = task.get_task_states(task.dag_id, run_ids=[task.run_id]).get(task.run_id, {})
        n_failed.update(name if name in names else name.rpartition("_")[0] for name, state in states.items() if state == "failed")
    except Exception as failure:  # noqa: BLE001  (whatever Airflow's database answers: the alert goes out with what is known)
        log.error("alert", reasons=task.dag_id, error=type(failure).__name__)
    found = {}
    for name in names:
        many = left.get(name, [])
        texts = list(dict.fromkeys(one["reason"] for one in many)) + ["the process died"] * (n_failed[name] > len(many))
        if texts:
            is_reported = all(one["is_reported"] for one in many) and n_failed[name] <= len(many)
            found[name] = {"reason": "; ".join(texts), "is_reported": is_reported}
    return found


def _key(dag_id: str, run_id: str, run: object) -> str:
    """Return what a failed run is known by; one that was cleared and fails again has another start."""
    start = run.get("start_date") if isinstance(run, Mapping) else getattr(run, "start_date", None)
    if isinstance(start, str):
        start = datetime.fromisoformat(start)
    return f"run {dag_id} {run_id} {start.timestamp() if start else ''}"


def _report(key: str, text: str) -> bool:
    """Send a line, unless it was received before, and return whether it was sent; what no channel took is sent again later."""
    text = " ".join(redact(text).split())
    marker = _marker(key)
    if not _mark(key, text):
        before = _unreceived(marker)
        if before is None:
            return False
        text = before
    _send(marker, text)
    return True


def _mark(key: str, text: str) -> bool:
    """Mark something as reported, with the line that nobody received yet, and return whether it was not marked before."""
    marker = _marker(key)
    try:
        marker.parent.mkdir(parents=True, exist_ok=True)
        with marker.open("x", encoding="utf-8") as file:  # the name is the mark, even on a full disk
            file.write(f"{key}\n{text}\n" if text else f"{key}\n")
    except FileExistsError:
        return False
    except OSError as failure:  # reported again, and never lost
        log.error("alert", marker=key, error=type(failure).__name__)
    return True


def _unreceived(marker: Path) -> str | None:
    """Return the line of a mark that no channel took; None if one did, or if there is no mark."""
    try:
        _, _, text = marker.read_text(encoding="utf-8").partition("\n")
        since = datetime.fromtimestamp(_written(marker), UTC)
    except OSError:
        return None
    return f"{text.strip()} (of {since:%Y-%m-%d %H:%M} UTC, which no channel took then)" if text.strip() else None


def _written(marker: Path) -> float:
    """Return when a mark was written, in seconds."""
    return marker.stat().st_mtime


def _send(marker: Path, text: str) -> bool:
    """Send a line and return whether it was received; if it was not, its mark holds it, or is removed where it cannot."""
    is_received = _is_received(alert(text))
    with suppress(OSError):
        if is_received:
            key, _, _ = marker.read_text(encoding="utf-8").partition("\n")
            marker.write_text(f"{key}\n", encoding="utf-8")
        elif _unreceived(marker) is None:
            marker.unlink()
    return is_received


def _is_received(taken: list[str]) -> bool:
    """Return whether a channel that reaches a person took a line; without any such channel, the log is read."""
    is_set = channels()
    return bool({"webhook", "mail"} & set(taken)) or not (is_set["webhook"] or is_set["mail"])


def _marker(key: str) -> Path:
    name = f"{key.partition(' ')[0]}-{hashlib.sha256(key.encode()).hexdigest()[:16]}"
    return read_settings().data / "airflow" / "alerts" / name


def _page(dag_id: str, run_id: str) -> str:
    """Return where the run is shown, if Airflow's address is known here."""
    address = os.environ.get("AIRFLOW__API__BASE_URL")
    return f" ({address.rstrip('/')}/dags/{dag_id}/runs/{run_id})" if address else ""


def _to_webhook(line: str) -> bool:
    address = os.environ.get(WEBHOOK)
    if not address:
        return False
    _request(WEBHOOK, address, json.dumps({"text": f"datamoat: {line}"}).encode())
    return True


def _request(name: str, address: str, body: bytes | None) -> None:
    """Send a POST with a body, or a GET without one, to an address that is https or on this machine."""
    parts = urlsplit(address)
    if parts.scheme != "https" and parts.hostname not in {"127.0.0.1", "localhost"}:
        message = f"{name} is not https"
        raise ValueError(message)
    request = urllib.request.Request(address, body, {"Content-Type": "application/json"})  # noqa: S310  (scheme checked above)
    with urllib.request.build_opener(_NoRedirect).open(request, timeout=SECONDS) as answer:
        answer.read(1024)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Takes a redirect as an error: a page to log in answers 200, and took no alert."""

    def redirect_request(self, *_: object) -> None:
        """Follow nothing."""


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
