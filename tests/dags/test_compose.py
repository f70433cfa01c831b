"""docker-compose.yml fits the schema, refers to nothing that is absent, and uses only words the programs know."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from alert_table import refreshed, rows
from stack import VARIABLE

from datamoat import settings
from datamoat.errors import UsageError
from datamoat.orchestration import airflow_local as local
from datamoat.orchestration import notify, schedule
from datamoat.project import sources

pytestmark = [pytest.mark.airflow, pytest.mark.xdist_group("airflow")]
ONE_SHOT = {"migrate"}
COMMANDS = {"api-server", "scheduler", "dag-processor", "triggerer", "celery worker"}
OUR_OWN = {"watcher"}
# From the tables of Airflow's page "Security Model", "Deployment hardening": which service needs which secret.
NEEDED = {
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": {"api-server", "scheduler", "dag-processor", "triggerer"},
    "AIRFLOW__API_AUTH__JWT_SECRET": {"api-server", "scheduler"},
    "AIRFLOW__API__SECRET_KEY": {"api-server", "scheduler", "worker", "triggerer"},
    "AIRFLOW__CORE__FERNET_KEY": {"api-server", "scheduler", "worker", "dag-processor", "triggerer"},
    "AIRFLOW__CELERY__BROKER_URL": {"scheduler", "worker"},
    "AIRFLOW__CELERY__RESULT_BACKEND": {"scheduler", "worker"},
    "AA_API_KEY": {"scheduler", "worker"},
    "AWS_SECRET_ACCESS_KEY": {"scheduler", "worker"},
}
ALERTS = {"scheduler", "worker", "dag-processor", "watcher"}  # whatever runs a callback, a task, or the watcher


@pytest.fixture(scope="module")
def compose(checkout: Path) -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((checkout / "docker-compose.yml").read_text(encoding="utf-8"))
    return read


@pytest.fixture(scope="module")
def example(checkout: Path) -> dict[str, str]:
    """Return every variable of .env.example, those in comments too."""
    lines = (checkout / ".env.example").read_text(encoding="utf-8").splitlines()
    found = [re.fullmatch(r"#?([A-Z_]+)=(.*)", line) for line in lines]
    return {match[1]: match[2] for match in found if match}


def test_it_fits_the_schema_of_compose_files(checkout: Path) -> None:
    check = Path(sys.executable).parent / "check-jsonschema"
    call = [str(check), "--builtin-schema", "vendor.compose-spec", "docker-compose.yml"]
    done = subprocess.run(call, cwd=checkout, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_every_service_volume_and_network_that_is_named_exists(compose: dict[str, Any]) -> None:
    services = compose["services"]
    for name, service in services.items():
        for other, how in service.get("depends_on", {}).items():
            assert other in services, (name, other)
            condition = how["condition"]
            if condition == "service_healthy":
                assert "test" in services[other]["healthcheck"], (name, other)
            if condition == "service_completed_successfully":
                assert services[other]["restart"] == "no", (name, other)
            assert set(services[other].get("profiles", [])) <= set(service.get("profiles", [])), "it would wait for nothing"
        for volume in service.get("volumes", []):
            named = VARIABLE.match(volume)
            assert (named[3] if named else volume.split(":")[0]) in compose["volumes"], name
        assert set(service["networks"]) <= set(compose["networks"]), name


def test_every_service_is_pinned_bounded_and_watched(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        tag = service["image"].rpartition(":")[2]
        assert re.match(r"\d+\.\d+", tag), (name, service["image"])
        assert service["security_opt"] == ["no-new-privileges:true"], name
        if name not in ONE_SHOT:
            assert service["healthcheck"]["test"], name
            assert service["restart"] == "unless-stopped", name
        if name != "postgres":  # its own entry point steps down from root
            assert service["user"].split(":")[0] not in {"0", "root"}, name
            assert service["read_only"] is True, name
            assert service["cap_drop"] == ["ALL"], name
        assert "privileged" not in service, name
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:"), name


def test_every_service_is_bounded_in_memory_processes_and_log(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        limits = service["deploy"]["resources"]["limits"]
        assert limits["memory"], name
        assert 0 < limits["pids"] <= 1024, name
        assert service["logging"]["options"]["max-size"] == "10m", name
        assert re.fullmatch(r"\d+[sm]", service["stop_grace_period"]), name


def test_a_secret_is_given_to_the_services_that_need_it_and_to_no_other(compose: dict[str, Any]) -> None:
    given = {
        secret: {name for name, service in compose["services"].items() if secret in service.get("environment", {})} - ONE_SHOT
        for secret in NEEDED
    }
    assert given == NEEDED


def test_whatever_sends_an_alert_has_the_channel_and_a_way_out(compose: dict[str, Any]) -> None:
    services = compose["services"]
    assert compose["networks"]["inside"]["internal"] is True
    assert {name for name, service in services.items() if notify.WEBHOOK in service.get("environment", {})} == ALERTS
    assert {name for name in ALERTS if "outside" not in services[name]["networks"]} == set()
    assert {name for name, service in services.items() if notify.PING in service.get("environment", {})} == {
        "scheduler",
        "worker",
    }


def test_the_database_is_on_the_network_of_those_that_have_its_password(compose: dict[str, Any]) -> None:
    assert compose["networks"]["storage"]["internal"] is True
    on = {name for name, service in compose["services"].items() if "storage" in service["networks"]}
    assert on == NEEDED["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] | ONE_SHOT | {"postgres"}
    assert compose["services"]["postgres"]["networks"] == ["storage"]


def test_whoever_runs_tasks_waits_for_a_healthy_api_server(compose: dict[str, Any]) -> None:
    for name in ("scheduler", "worker"):
        assert compose["services"][name]["depends_on"]["api-server"]["condition"] == "service_healthy"


def test_secrets_of_the_example_are_refused(compose: dict[str, Any], example: dict[str, str]) -> None:
    def place(given: dict[str, str]) -> dict[str, str]:
        named = compose["services"]["migrate"]["environment"].items()
        return {name: VARIABLE.sub(lambda match: given.get(match[1], match[3] or ""), str(text)) for name, text in named}

    own = dict.fromkeys(("POSTGRES_PASSWORD", "AIRFLOW_JWT_SECRET", "AIRFLOW_FERNET_KEY", "AIRFLOW_SECRET_KEY"), "a" * 44)
    local.refuse_examples(place(own))
    for name in own:
        with pytest.raises(UsageError, match="the example's, or too short") as refusal:
            local.refuse_examples(place(own | {name: example[name]}))
        assert example[name] not in str(refusal.value)
    with pytest.raises(UsageError, match="BROKER_URL"):
        local.refuse_examples(place(own | {"AIRFLOW_EXECUTOR": "CeleryExecutor"}))
    local.refuse_examples(place(own | {"AIRFLOW_EXECUTOR": "CeleryExecutor", "REDIS_PASSWORD": "own"}))


def test_every_command_is_one_airflow_has(compose: dict[str, Any]) -> None:
    ours = {
        name: service
        for name, service in compose["services"].items()
        if service["image"].startswith("datamoat:") and name not in OUR_OWN
    }
    commands = {
        name: " ".join(service["command"][1:]).partition(" --")[0] for name, service in ours.items() if name not in ONE_SHOT
    }
    assert set(commands.values()) == COMMANDS
    assert all(service["command"][0] == "airflow" for name, service in ours.items() if name not in ONE_SHOT)
    assert ours["migrate"]["command"][2].split(" && ")[1] == "airflow db migrate"
    assert "install" not in json.dumps([service["command"] for service in ours.values()])


def test_every_setting_of_airflow_is_one_it_knows(compose: dict[str, Any], checkout: Path, tmp_path: Path) -> None:
    pytest.importorskip("airflow")
    from airflow.configuration import conf
    from airflow.providers_manager import ProvidersManager

    known = {section: set(entry["options"]) for section, entry in conf.configuration_description.items()}
    for _, sections in ProvidersManager().provider_configs:
        for section, entry in sections.items():
            known.setdefault(section, set()).update(entry["options"])
    names = {name for service in compose["services"].values() for name in service.get("environment", {})}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATAMOAT_ROOT", str(checkout))
        patch.setenv("DATAMOAT_DATA", str(tmp_path))
        names |= set(local.describe(tmp_path / "airflow", 18099, {}).environment)
    unknown = []
    for name in sorted(name for name in names if name.startswith("AIRFLOW__")):
        _, section, key = name.lower().split("__")
        if section == "celery" and section not in known:
            continue  # the provider is installed where workers are
        if key not in known.get(section, set()):
            unknown.append(name)
    assert unknown == []


def test_every_setting_of_ours_is_one_we_read(compose: dict[str, Any], checkout: Path) -> None:
    names = {name for service in compose["services"].values() for name in service.get("environment", {})}
    ours = {name for name in names if not name.startswith(("AIRFLOW", "POSTGRES", "REDIS", "AWS_"))}  # AWS_: of the client for S3
    code = "".join(path.read_text(encoding="utf-8") for path in (checkout / "src").rglob("*.py"))
    known = {name for name in ours if name in code} | {
        notify.WEBHOOK,
        notify.MAIL_TO,
        notify.MAIL_FROM,
        notify.MAIL_HOST,
        notify.PING,
    }
    keys = {source.fetch.key.env for source in sources.read_sources(checkout) if source.fetch.key}
    assert ours - known == keys
    assert settings.MARKER.split("/")[0] in (checkout / "Dockerfile").read_text(encoding="utf-8")


def test_every_variable_the_page_names_reaches_the_containers(compose: dict[str, Any], checkout: Path) -> None:
    page = (checkout / "docs" / "operations.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:DATAMOAT|AWS|OTEL)_[A-Z_]+)`", page)) | {
        name for name in notify.CHANNELS.values() if name.isupper() and "," not in name
    }
    used = {match[1] for match in VARIABLE.finditer(json.dumps(compose))}
    assert len(named) > 10
    assert named - used == set()
    settings_of = compose["services"]["scheduler"]["environment"]
    assert named - {"DATAMOAT_LIMIT", "DATAMOAT_VOLUME"} <= set(settings_of)
    assert schedule.LATE in compose["services"]["dag-processor"]["environment"]  # which reads the deadlines


def test_the_example_holds_every_variable_and_no_real_secret(compose: dict[str, Any], example: dict[str, str]) -> None:
    used = {match[1]: match for match in VARIABLE.finditer(json.dumps(compose))}
    required = {name for name, match in used.items() if match[2] == "?"}
    assert required == {"POSTGRES_PASSWORD", "AIRFLOW_FERNET_KEY", "AIRFLOW_JWT_SECRET", "AIRFLOW_SECRET_KEY"}
    assert set(used) - {"HOSTNAME"} <= set(example)
    assert set(example) - set(used) == {"COMPOSE_PROFILES"}
    secret = {name for name in example if re.search("PASSWORD|SECRET|FERNET", name)}
    assert all(example[name].startswith(("change-me", "Y2hhbmdlLW1l")) for name in secret - {"AWS_SECRET_ACCESS_KEY"})
    assert example["AWS_SECRET_ACCESS_KEY"] == ""


def test_the_image_copies_what_is_there_and_runs_as_nobody_special(checkout: Path) -> None:
    text = (checkout / "Dockerfile").read_text(encoding="utf-8")
    ignored = (checkout / ".dockerignore").read_text(encoding="utf-8").split()
    for line in re.findall(r"^COPY (?!--from)(.+)$", text, re.MULTILINE):
        for path in line.split()[:-1]:
            assert (checkout / path).exists(), path
            assert path.split("/")[0] not in ignored or f"!{path}" in ignored
    assert re.findall(r"^USER (\S+)$", text, re.MULTILINE) == ["10001:10001"]
    assert all("@" in image or re.search(r":\d+\.\d+\.\d+-", image) for image in re.findall(r"^FROM (\S+)", text, re.MULTILINE))


def pins(path: Path) -> dict[str, str]:
    """Return what a lock pins, with the versions."""
    return dict(re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==(\S+)", path.read_text(encoding="utf-8"), re.MULTILINE))


def test_the_image_holds_what_runs_and_nothing_of_the_tests(checkout: Path) -> None:
    lock = next(iter(re.findall(r"-r (\S+\.lock)", (checkout / "Dockerfile").read_text(encoding="utf-8"))))
    core, image, dev = (pins(checkout / name) for name in ("requirements.lock", lock, "requirements-dev.lock"))
    assert core.items() < image.items() < dev.items()
    assert {"apache-airflow", "apache-airflow-providers-celery", "psycopg2-binary", "redis", "duckdb"} <= set(image)
    assert {"pytest", "ruff", "mypy", "sqlfluff", "hypothesis", "frictionless", "mlcroissant"} & set(image) == set()
    text = (checkout / lock).read_text(encoding="utf-8")
    assert not re.search(r"https?://|--(extra-)?index-url|--find-links", text)
    assert all("--hash=sha256:" in entry for entry in re.split(r"\n(?=[A-Za-z0-9])", text))


@pytest.mark.skipif(shutil.which("docker") is None, reason="no client of Docker here")
def test_the_client_of_docker_reads_it_too(checkout: Path, example: dict[str, str], tmp_path: Path) -> None:
    known = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
    if known.returncode != 0:
        pytest.skip("this client has no compose")
    given = tmp_path / "env"
    given.write_text("".join(f"{name}={value}\n" for name, value in example.items()))
    call = ["docker", "compose", "--env-file", str(given), "--profile", "celery", "config", "--quiet"]
    done = subprocess.run(
        call, cwd=checkout, capture_output=True, text=True, check=False, env={**os.environ, "HOME": str(tmp_path)}
    )
    assert done.returncode == 0, done.stderr


def test_the_page_of_operations_shows_the_table_of_alerts_and_each_fault_in_it_is_brought_about(checkout: Path) -> None:
    page = (checkout / "docs" / "operations.md").read_text(encoding="utf-8")
    assert refreshed(page) == page, "run `python tests/dags/alert_table.py`"
    tests = [
        Path(__file__).with_name(f"{name}.py").read_text(encoding="utf-8")
        for name in ("faults", "test_faults", "test_celery", "test_two_hosts")
    ]
    faults = {row["fault"] for row in rows()} - {""}
    assert len(faults) >= 8
    assert faults == {name for text in tests for name in re.findall(r'one_alert\("(\w+)"', text)}


def test_a_command_of_the_page_writes_into_a_folder_that_is_there_or_made(checkout: Path) -> None:
    page = (checkout / "docs" / "operations.md").read_text(encoding="utf-8")
    written = [
        (block, Path(name).parent)
        for block in re.findall(r"```sh\n(.*?)```", page, re.DOTALL)
        for name in re.findall(r" > (\S+)", block)
    ]
    assert written
    for block, folder in written:
        assert (checkout / folder).is_dir() or f"mkdir -p {folder}\n" in block, folder
