"""The standards' own validators accept a release."""

import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from datamoat.release.catalogs import write_catalogues
from datamoat.settings import Settings
from datamoat.storage.warehouse import open_published

BIN = Path(sys.executable).parent
COMMANDS = {
    "frictionless": ["frictionless", "validate", "datapackage.json"],
    "croissant": ["mlcroissant", "validate", "--jsonld", "croissant.json"],
    "citation file format": ["check-jsonschema", "--builtin-schema", "vendor.citation-file-format", "CITATION.cff"],
}


def run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    if not (BIN / command[0]).is_file():
        pytest.skip(f"{command[0]} is not installed")
    return subprocess.run([str(BIN / command[0]), *command[1:]], cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("standard", sorted(COMMANDS))
def test_g04_the_standards_own_validator_accepts_a_release(released_bundle: Path, standard: str) -> None:
    done = run(COMMANDS[standard], released_bundle)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "arning" not in done.stdout + done.stderr


def test_the_frictionless_validator_sees_a_changed_cell(bundle: Path) -> None:
    path = bundle / "csv" / "lab_volume.csv"
    path.write_bytes(path.read_bytes().replace(b"2026-03-01", b"yesterday"))
    assert run(COMMANDS["frictionless"], bundle).returncode == 1


def test_croissant_yields_the_rows_of_a_table(released_bundle: Path) -> None:
    script = (  # ended at once: threads of the library abort the interpreter's own end now and then
        "import json, os, mlcroissant as m; d = m.Dataset(jsonld='croissant.json');"
        "rows = [r['marts.lab_volume/title'].decode() for r in d.records(record_set='marts.lab_volume')];"
        "print(json.dumps(rows), flush=True); os._exit(0)"
    )
    if not (BIN / "mlcroissant").is_file():
        pytest.skip("mlcroissant is not installed")
    done = subprocess.run([sys.executable, "-c", script], cwd=released_bundle, capture_output=True, text=True, check=True)
    assert "=1+2" in json.loads(done.stdout.splitlines()[-1])


def test_croissant_states_the_unit_of_a_column_that_has_one(released_bundle: Path) -> None:
    (record,) = (
        r for r in json.loads((released_bundle / "croissant.json").read_text())["recordSet"] if r["name"] == "marts.lab_volume"
    )
    described = {field["name"]: field["description"] for field in record["field"]}
    assert described["uploads"] == "Videos uploaded a day. [videos a day]"
    assert described["n_seen"] == "A whole number."


def test_the_crate_names_every_file_the_build_its_inputs_and_whom_to_credit(released_bundle: Path) -> None:
    graph = {part["@id"]: part for part in json.loads((released_bundle / "ro-crate-metadata.json").read_text())["@graph"]}
    files = {path.relative_to(released_bundle).as_posix() for path in released_bundle.rglob("*") if path.is_file()}
    assert files - {"ro-crate-metadata.json", "SHA256SUMS"} <= set(graph)
    assert {part["@id"] for part in graph["./"]["hasPart"]} <= set(graph)
    assert graph["#build"]["instrument"] == {"@id": "#software"}
    assert graph["#source-press"]["creditText"] == "Source: the press"
    named = {value["@id"] for part in graph.values() for value in part.values() if isinstance(value, dict) and "@id" in value}
    assert named - set(graph) <= {"https://w3id.org/ro/crate/1.3"}


def validate_crate(folder: Path) -> dict[str, Any]:
    """Return what RO-Crate's own validator finds; it lives in an environment of its own, which `make test-slow` makes."""
    python = Path(sys.prefix) / "rocrate" / "bin" / "python"
    if not python.is_file():
        pytest.skip("RO-Crate's validator is not installed: `make .venv/rocrate` brings it")
    script = Path(__file__).with_name("rocrate_check.py")
    done = subprocess.run([str(python), str(script), str(folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_the_crates_own_validator_accepts_a_release(released_bundle: Path) -> None:
    found = validate_crate(released_bundle)
    assert found["issues"] == []
    assert found["passed"]
    assert found["n_checks"] > 50


def test_the_crates_own_validator_sees_a_missing_date(bundle: Path) -> None:
    path = bundle / "ro-crate-metadata.json"
    crate = json.loads(path.read_text())
    next(part for part in crate["@graph"] if part["@id"] == "./").pop("datePublished")
    path.write_text(json.dumps(crate))
    found = validate_crate(bundle)
    assert not found["passed"]
    assert any("datePublished" in issue for issue in found["issues"])


def test_coreutils_accept_the_list_of_hashes(released_bundle: Path) -> None:
    tool = shutil.which("sha256sum")
    if tool is None:
        pytest.skip("no sha256sum here")
    done = subprocess.run(
        [tool, "-c", "--strict", "--quiet", "SHA256SUMS"], cwd=released_bundle, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_lineage_of_a_release_names_every_table_and_the_column_behind_a_column(released_bundle: Path) -> None:
    lines = (released_bundle / "catalogs" / "openlineage.ndjson").read_text().splitlines()
    outputs = {event["job"]["name"]: event["outputs"][0]["facets"] for event in map(json.loads, lines)}
    assert set(outputs) == {
        "staging.stg_reference__facts", "intermediate.int_lab__uploads", "marts.lab_volume", "marts.lab_volume_draws", "marts.source_freshness",
    }  # fmt: skip
    fields = outputs["intermediate.int_lab__uploads"]["columnLineage"]["fields"]
    assert fields["tags"]["inputFields"] == [{"namespace": "datamoat", "name": "staging.stg_reference__facts", "field": "title"}]
    manifest = json.loads((released_bundle / "catalogs" / "dbt" / "manifest.json").read_text())
    assert manifest["child_map"]["model.datamoat.int_lab__uploads"] == [
        "model.datamoat.lab_volume",
        "model.datamoat.lab_volume_draws",
    ]


@pytest.mark.slow
def test_the_readers_of_the_catalogs_formats_accept_a_release(
    published: Settings, released_bundle: Path, tmp_path: Path, checkout: Path
) -> None:
    group = tomllib.loads((checkout / "pyproject.toml").read_text())["dependency-groups"]["catalogs"]
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "venv")], check=True)
    python = str(tmp_path / "venv" / "bin" / "python")
    subprocess.run([python, "-m", "pip", "install", "-q", *group], check=True, capture_output=True)
    with open_published(published, is_closed=False) as con:
        write_catalogues(con, tmp_path, "CC BY 4.0")
        wanted = con.sql("select count(*), count(*) filter (where layer = 'marts') from meta.models").fetchall()[0]
    for folder in (released_bundle, tmp_path):
        check = [python, str(Path(__file__).with_name("catalogue_check.py")), str(folder / "catalogs")]
        done = subprocess.run(check, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout.splitlines()[-1])
    assert (found["nodes"], found["events"], found["contracts"]) == (wanted[0], wanted[0], wanted[1])
