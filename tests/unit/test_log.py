"""Every model, check and publication is one event with its fields, for a person, a program or a scheduler."""

import json
import logging
import os
import pty
import re
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import structlog
from pytest_httpserver import HTTPServer

from datamoat.build.run import build_models
from datamoat.ingest.fetch import fetch_source
from datamoat.ingest.land import land_source
from datamoat.log import line_of, log, show_log, step
from datamoat.project.read import read_project
from datamoat.project.scaffold import write_source
from datamoat.project.sources import find_source
from datamoat.publish.audit import audit_build
from datamoat.publish.warehouse import publish_warehouse
from datamoat.settings import Settings

HASH_LENGTH = 64


def run(tree: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "DATAMOAT_ROOT": str(tree)}
    environment.pop("DATAMOAT_DATA", None)
    return subprocess.run(
        [sys.executable, "-m", "datamoat", *words], capture_output=True, text=True, check=False, env=environment
    )


def test_the_thread_that_reports_silence_ends_with_its_display() -> None:
    before = set(threading.enumerate())
    show_log("text")
    (reporter,) = {thread for thread in threading.enumerate() if thread.name == "datamoat-log"} - before
    (display,) = logging.getLogger("datamoat").handlers
    display.acquire()
    time.sleep(1.3)  # the thread has woken and waits for the lock
    show_log("text")  # closes the first display; an error in its thread fails this test
    display.release()
    reporter.join(5)
    assert not reporter.is_alive()


def test_a_run_logs_one_event_for_each_model_check_and_publication(settings: Settings, events: list[dict[str, Any]]) -> None:
    project = read_project(settings.content)
    build = build_models(settings, project)
    audit = audit_build(settings, project)
    publish_warehouse(settings, project)
    models = [event for event in events if event["event"] == "model"]
    assert [event["model"] for event in models] == [f"{model.layer}.{model.name}" for model in project.models]
    for event in models:
        assert event["rows"] == build.tables[event["model"]]["n_rows"]
        assert event["hash"] == build.tables[event["model"]]["sha256"]
        assert len(event["hash"]) == HASH_LENGTH
        assert 0 <= event["seconds"] < 60
    assert [event["n"] for event in models] == list(range(1, len(models) + 1))
    assert sum(event["event"] == "check" for event in events) == len(audit.results)
    (publication,) = [event for event in events if event["event"] == "publication"]
    assert (publication["build_id"], publication["is_new"]) == (build.build_id, True)


def test_a_check_that_does_not_pass_is_a_warning_or_an_error(
    settings: Settings, events: list[dict[str, Any]], tree: Path
) -> None:
    check = tree / "expectations" / "checks" / "no_lab_is_nameless.sql"
    check.write_text(check.read_text().replace("critical", "warning").replace("lab_id = ''", "true"))
    project = read_project(settings.content)
    build_models(settings, project)
    audit_build(settings, project)
    bad = [event for event in events if event["event"] == "check" and not event["is_ok"]]
    assert [(event["level"], event["rows"]) for event in bad] == [("warning", 2)]


def test_a_run_with_json_writes_one_object_a_line_and_nothing_else_to_standard_error(tree: Path) -> None:
    done = run(tree, "run", "--log-format", "json")
    assert done.returncode == 0, done.stderr
    logged = [json.loads(line) for line in done.stderr.splitlines()]
    assert all({"event", "level", "timestamp"} <= set(event) for event in logged)
    models = [event for event in logged if event["event"] == "model"]
    assert len(models) == 4
    assert all({"model", "rows", "seconds", "hash"} <= set(event) for event in models)


def test_every_request_and_every_landing_is_an_event(
    settings: Settings, events: list[dict[str, Any]], httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_source(settings, "example_board")
    monkeypatch.setenv("DATAMOAT_ALLOW_LOOPBACK", "1")
    monkeypatch.setenv("DATAMOAT_UPSTREAM_EXAMPLE_BOARD", f"http://127.0.0.1:{httpserver.port}")
    httpserver.expect_request(re.compile(".*")).respond_with_json({"entries": [{"name": "a", "value": 1}]})
    report = fetch_source(settings, "example_board")
    requests = [event for event in events if event["event"] == "request"]
    assert [event["request"] for event in requests] == [f"example_board/{outcome.request}" for outcome in report.outcomes]
    assert [event["snapshot"] for event in requests] == [outcome.snapshot_id for outcome in report.outcomes]
    assert all(event["outcome"] == "new" and 0 < event["seconds"] < 60 for event in requests)
    landed, _ = land_source(settings, find_source(settings.content, "example_board"))
    landings = [event for event in events if event["event"] == "landing"]
    assert [(event["landing"], event["rows"], event["hash"]) for event in landings] == [
        (one.snapshot_id, one.n_rows, one.sha256) for one in landed
    ]
    assert len(landed) == len(report.outcomes)


def test_an_error_is_an_event_where_events_are_json_and_three_lines_elsewhere(tree: Path) -> None:
    assert run(tree, "status").returncode == 1
    done = run(tree, "--log-format", "json", "audit")
    assert done.returncode == 1
    (failed,) = [json.loads(line) for line in done.stderr.splitlines()]
    assert failed["event"] == "failed"
    assert "there is no finished build" in failed["what"]
    assert run(tree, "audit").stderr.splitlines()[2].startswith("  fix:")
    assert "快手" in run(tree, "--log-format", "json", "plan", "快手").stderr


def test_without_a_terminal_a_short_run_logs_its_steps_and_with_verbose_every_model(tree: Path) -> None:
    lines = [line.split()[0] for line in run(tree, "run").stderr.splitlines()]
    assert [kind for kind in lines if kind not in {"model", "check", "running"}] == ["build", "audit", "publication"]
    assert len(lines) < 10  # of the models and checks only what fills ten silent seconds
    assert [line.split()[0] for line in run(tree, "run").stderr.splitlines()] == ["unchanged"]
    assert sum(line.startswith("model ") for line in run(tree, "build", "--verbose").stderr.splitlines()) == 4


def test_on_a_terminal_a_bar_counts_the_models_and_leaves_no_trace(tree: Path) -> None:
    script = (
        "from datamoat.log import show_log, step\nimport time\nshow_log()\n"
        "for n in range(1, 3):\n    with step('model', model=f'marts.m{n}', n=n, of=3):\n        time.sleep(0.15)\n"
        "with step('check', check='one', n=1, of=7):\n    time.sleep(0.15)\n"
    )
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    with subprocess.Popen([sys.executable, "-c", script], stderr=theirs, env=environment) as process:
        os.close(theirs)
        written = b""
        while True:
            try:
                piece = os.read(ours, 4096)
            except OSError:
                break
            if not piece:
                break
            written += piece
    os.close(ours)
    assert process.returncode == 0
    assert b"2 of 3 models" in written
    assert b"0 of 7 checks" in written
    assert b"0:00:0" in written  # the time left


def test_a_silent_program_without_a_terminal_reports_where_it_is(tree: Path) -> None:
    script = (
        "import datamoat.log as l, time\nl.SILENCE = 1.0\nl.show_log('json')\n"
        "with l.step('model', model='marts.slow', n=41, of=106):\n    time.sleep(3.2)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    *running, ended = [json.loads(line) for line in done.stderr.splitlines()]
    assert len(running) >= 1
    assert {(event["event"], event["step"], event["model"], event["n"], event["of"]) for event in running} == {
        ("running", "model", "marts.slow", 41, 106)
    }
    assert ended["event"] == "model"


def test_a_step_that_fails_is_logged_as_failed(events: list[dict[str, Any]]) -> None:
    with pytest.raises(ValueError, match="no"), step("landing", landing="a/b"):
        raise ValueError("no")
    (event,) = events
    assert (event["state"], event["error"], event["level"]) == ("failed", "ValueError", "error")


def test_a_scheduler_that_formats_the_standard_librarys_log_sees_every_field(events: list[dict[str, Any]]) -> None:
    formatter = structlog.stdlib.ProcessorFormatter(
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, structlog.processors.JSONRenderer()]
    )
    lines: list[str] = []

    class Task(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(self.format(record))

    task = Task()
    task.setFormatter(formatter)
    logging.getLogger("datamoat").addHandler(task)
    try:
        log.info("model", model="marts.one", rows=3, seconds=0.1)
    finally:
        logging.getLogger("datamoat").removeHandler(task)
    assert events
    assert json.loads(lines[0])["rows"] == 3


def test_a_line_cannot_steer_the_terminal() -> None:
    assert "\x1b" not in line_of({"event": "request", "request": "a\x1b[31m\nb", "rows": 1234})
    assert line_of({"event": "request", "request": "a", "rows": 1234}) == "request      a  rows 1,234"


@pytest.mark.parametrize(
    ("event", "line"),
    [
        ({"event": "x"}, "x          "),
        ({"event": "model", "model": "marts.a", "n": 2, "of": 9, "rows": 1234, "seconds": 0.26}, "model        marts.a  2 of 9  rows 1,234  (0.3 s)"),
        ({"event": "model", "level": "info", "timestamp": "t", "state": "failed", "of": 9}, "model        ? of 9"),
        ({"event": "landing", "hash": "0123456789", "is_new": True, "is_old": False, "share": 0.5}, "landing      hash 01234567  is_new yes  is_old no  share 0.5"),
        ({"event": "landing", "hash": None, "seconds": 0.0}, "landing      hash None  (0.0 s)"),
    ],
)  # fmt: skip
def test_an_event_is_one_line_with_its_subject_its_facts_and_its_seconds(event: dict[str, Any], line: str) -> None:
    assert line_of(event) == line


def test_of_many_steps_one_line_is_written_every_ten_seconds_and_with_verbose_each(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    logger = logging.getLogger("datamoat")
    before = (list(logger.handlers), logger.level, logger.propagate)
    now = [100.0]
    monkeypatch.setattr("datamoat.log.time", SimpleNamespace(monotonic=lambda: now[0], perf_counter=lambda: now[0]))
    try:
        for verbose, expected in ((False, ["3 of 4"]), (True, ["1 of 4", "2 of 4", "3 of 4", "4 of 4"])):
            show_log("text", verbose=verbose)
            for n, seconds in ((1, 0.0), (2, 10.0), (3, 0.5), (4, 1.0)):
                now[0] += seconds
                log.info("model", model="a", n=n, of=4)
            lines = capsys.readouterr().err.splitlines()
            assert [line.split("  ")[-1] for line in lines] == expected
        show_log("text")
        log.warning("model", model="a", n=1, of=4)
        assert capsys.readouterr().err == "model        a  1 of 4\n"
    finally:
        show_log("text")  # ends the thread of the display before
        (display,) = logger.handlers
        display.close()
        logger.handlers, logger.propagate = before[0], before[2]
        logger.setLevel(before[1])
