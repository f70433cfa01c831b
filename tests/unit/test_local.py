"""Airflow on one machine: secrets of its own, loopback alone, a port that is free, and nothing left running."""

import socket
import stat
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from datamoat.errors import UsageError
from datamoat.orchestration import airflow_local as local
from datamoat.orchestration import schedule
from datamoat.project.sources import read_sources


@pytest.fixture
def here(tree: Path, monkeypatch: pytest.MonkeyPatch) -> local.Airflow:
    monkeypatch.setenv("DATAMOAT_ROOT", str(tree))
    monkeypatch.setenv("DATAMOAT_DATA", str(tree / "data"))
    return local.describe(tree / "data" / "airflow", 18099, {})


def test_a_home_has_secrets_of_its_own_that_stay_and_that_its_owner_alone_can_read(here: local.Airflow) -> None:
    keys = here.home / "keys.json"
    assert stat.S_IMODE(keys.stat().st_mode) == 0o600
    again = local.describe(here.home, 18099, {})
    assert again.environment == here.environment
    other = local.describe(here.home.parent / "other", 18099, {})
    ours, theirs = (one.environment["AIRFLOW__API_AUTH__JWT_SECRET"] for one in (here, other))
    assert len(ours) >= 32
    assert ours != theirs


def test_it_listens_to_this_machine_alone_and_not_everybody_is_an_admin(here: local.Airflow) -> None:
    assert here.environment["AIRFLOW__API__HOST"] == "127.0.0.1"
    assert here.environment["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS"] == "admin:admin"  # a name and a role, no password
    assert not any("ALL_ADMINS" in name for name in here.environment)


def test_what_a_person_set_in_the_environment_is_kept(here: local.Airflow) -> None:
    given = {"AIRFLOW__CORE__PARALLELISM": "2", "AA_API_KEY": "k"}
    found = local.describe(here.home, 18099, given).environment
    assert (found["AIRFLOW__CORE__PARALLELISM"], found["AA_API_KEY"]) == ("2", "k")


def test_the_login_is_the_generated_one_unless_somebody_set_another_auth_manager(here: local.Airflow) -> None:
    assert here.login == "log in as its auth manager is set up in the environment"
    (here.home / "passwords.json").write_text('{"admin": "generated"}')
    assert here.login == "log in as admin / generated"
    (here.home / "passwords.json").write_text('{"somebody": "else"}')
    assert here.login == "log in as its auth manager is set up in the environment"


def test_no_proxy_stands_between_a_check_of_health_and_this_machine(
    here: local.Airflow, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    httpserver.expect_request("/health").respond_with_data("")
    assert local.is_healthy(f"http://127.0.0.1:{httpserver.port}")
    assert here.environment["NO_PROXY"] == "127.0.0.1"
    assert local.describe(here.home, 18099, {"no_proxy": "example.org"}).environment["NO_PROXY"] == "example.org,127.0.0.1"


def test_a_port_that_is_taken_is_refused_before_anything_starts(here: local.Airflow) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=f"port {port} is taken"), local.running(local.describe(here.home, port, {})):
            pass
    assert not (here.home / "logs").exists()


def test_a_part_is_healthy_only_if_the_server_reports_it(httpserver: Any) -> None:
    httpserver.expect_request("/api/v2/monitor/health").respond_with_json({"scheduler": {"status": "healthy"}, "triggerer": None})
    httpserver.expect_request("/health").respond_with_data("", status=503)
    address = f"http://127.0.0.1:{httpserver.port}"
    parts = ("scheduler", "triggerer", "nonsense", None)
    assert [local.is_healthy(address, part) for part in parts] == [True, False, False, False]
    assert not local.is_healthy("http://127.0.0.1:1")


def test_a_part_that_is_not_healthy_twice_is_one_alert_and_one_line_when_it_is_again(
    here: local.Airflow, httpserver: Any, events: list[dict[str, Any]]
) -> None:
    good = {part: {"status": "healthy"} for part in local.PARTS}
    bad = good | {"scheduler": {"status": "unhealthy"}}
    watcher = local.Watcher(f"http://127.0.0.1:{httpserver.port}")
    assert here.home.parent.is_dir()
    sent = []
    once, dead, starts_again_and_again = (bad, good), (bad, bad, bad), (good, good, bad, bad, good, bad)
    for number, answer in enumerate((*once, *dead, *starts_again_and_again, good, good, good, good, good, good)):
        httpserver.clear()
        httpserver.expect_request("/api/v2/monitor/health").respond_with_json(answer)
        watcher.look()
        sent += [(number, event["alert"]) for event in events if event["event"] == "alert"][len(sent) :]
    down, up = "Airflow's scheduler: not healthy; read its log, and start it again", "Airflow's scheduler: good again"
    assert sent == [(3, down), (15, up)]


def test_words_that_are_no_command_print_how_it_is_used(capsys: pytest.CaptureFixture[str]) -> None:
    assert [local.main(words) for words in ([], ["restart"], ["start", "http"])] == [2, 2, 2]
    assert "python -m datamoat.orchestration.airflow_local start" in capsys.readouterr().err


def test_there_is_a_pool_for_the_writer_for_every_host_and_for_what_people_bring(checkout: Path) -> None:
    sources = read_sources(checkout)
    made = schedule.pools(sources)
    assert schedule.WRITER in made
    assert {schedule.pool(source) for source in sources} <= set(made)
    assert all(0 <= int(schedule.cron(source).split()[0]) < 60 for source in sources)


@pytest.mark.parametrize("before", [None, '{"admin": "generated"}'])
def test_the_file_of_logins_is_readable_by_its_owner_alone(
    here: local.Airflow, monkeypatch: pytest.MonkeyPatch, before: str | None
) -> None:
    for name in local.SECRETS:
        monkeypatch.setenv(name, "s" * 44)
    path = here.home / "passwords.json"
    if before:
        path.write_text(before)
        path.chmod(0o644)
    assert local.main(["secrets"]) == 0
    assert (stat.S_IMODE(path.stat().st_mode), path.read_text()) == (0o600, before or "")


def test_the_scheduler_starts_when_the_api_server_answers(here: local.Airflow, monkeypatch: pytest.MonkeyPatch) -> None:
    happened: list[Any] = []
    monkeypatch.setattr(local, "_program", lambda: "airflow")
    monkeypatch.setattr(local, "_run", lambda *_: None)
    monkeypatch.setattr(local, "_stop", lambda *_: None)
    monkeypatch.setattr(local, "_wait", lambda *given: happened.append(given[3]))
    monkeypatch.setattr(local.subprocess, "Popen", lambda words, **_: happened.append(words[1]))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with local.running(local.describe(here.home, port, {})):
        answered = happened.index(("metadatabase",))
        assert happened.index("api-server") < answered < happened.index("scheduler")


def test_minutes_of_a_deadline_that_are_no_number_are_refused_with_the_fix() -> None:
    assert schedule.late_minutes({schedule.LATE: "90.5"}) == 90.5
    for text in ("abc", "-5", "0", "nan", "inf"):
        with pytest.raises(UsageError, match="set DATAMOAT_LATE_MINUTES=60"):
            schedule.late_minutes({schedule.LATE: text})
