"""A release is fetched from a folder or an address, compared, and read by a program that has only what readers install."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest
from pytest_httpserver import HTTPServer
from typer.testing import CliRunner
from werkzeug import Request, Response
from werkzeug.utils import send_from_directory

import datamoat
from datamoat.cli.app import app
from datamoat.errors import DatamoatError, PublishRefusedError, SourceUnavailableError, UsageError
from datamoat.release.bundle import register
from datamoat.release.layout import write_layout
from datamoat.release.pull import pull
from datamoat.release.verify import verify_bundle
from datamoat.settings import Settings
from datamoat.storage.lake import content_of
from datamoat.storage.warehouse import check_published, open_published, retained_builds

# A program like `datamoat`, in which what only building needs cannot be imported.
WITHOUT_BUILDER = """
import importlib.metadata, re, sys

missing = {
    re.match(r"[\\w-]+", line)[0].replace("-", "_")
    for line in importlib.metadata.requires("datamoat") if re.search("extra == .(build|reports|agents)", line)
}


class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in missing:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


assert {"polars", "pyarrow", "numpy", "great_expectations"} <= missing
sys.meta_path.insert(0, Refuse())
from datamoat.cli.app import main

main()
"""


@pytest.fixture
def reader(tmp_path: Path, made: Settings) -> Settings:
    """Return settings of a reader: the content, and an empty data folder."""
    return replace(made, data=tmp_path / "reader")


def test_a_release_in_a_folder_becomes_the_published_file(reader: Settings, released_bundle: Path) -> None:
    published = pull(reader, str(released_bundle))
    assert published.is_new
    assert check_published(reader).build_id == json.loads((released_bundle / "manifest.json").read_text())["build_id"]
    with open_published(reader) as con:
        assert con.sql("select count(*) from marts.lab_volume").fetchall() == [(30,)]
    assert not pull(reader, str(released_bundle)).is_new
    assert len(retained_builds(reader)) == 1
    assert [path.name for path in reader.warehouse.glob(".pull-*")] == []


def test_the_newest_release_of_a_place_is_in_latest(reader: Settings, released_bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    shutil.copytree(released_bundle, tmp_path / "site" / "latest")
    assert pull(reader, f"{tmp_path / 'site'}/").is_new


def test_a_release_is_fetched_from_an_address(reader: Settings, released_bundle: Path, httpserver: HTTPServer) -> None:
    seen = []

    def serve(request: Request) -> Response:
        seen.append(request.path)
        return send_from_directory(released_bundle, request.path.removeprefix("/data/latest/"), request.environ)

    httpserver.expect_request("/data/SHA256SUMS").respond_with_data("gone", status=404)
    for name in ("SHA256SUMS", "manifest.json", "datamoat.duckdb"):
        httpserver.expect_request(f"/data/latest/{name}").respond_with_handler(serve)
    assert pull(reader, httpserver.url_for("/data")).is_new
    assert sorted(seen) == ["/data/latest/SHA256SUMS", "/data/latest/datamoat.duckdb", "/data/latest/manifest.json"]


def flip(path: Path) -> None:
    body = bytearray(path.read_bytes())
    body[len(body) // 2] ^= 1
    path.write_bytes(bytes(body))


DAMAGE: dict[str, Callable[[Path], object]] = {
    "the database": lambda bundle: flip(bundle / "datamoat.duckdb"),
    "the manifest": lambda bundle: flip(bundle / "manifest.json"),
    "the manifest, which is missing": lambda bundle: (bundle / "manifest.json").unlink(),
    "the manifest, a folder": lambda bundle: ((bundle / "manifest.json").unlink(), (bundle / "manifest.json").mkdir()),
    "a list that names no database": lambda bundle: (bundle / "SHA256SUMS").write_text("0" * 64 + "  README.md\n"),
    "a list of other lines": lambda bundle: (bundle / "SHA256SUMS").write_text("hello"),
    "a database that is not there": lambda bundle: (bundle / "datamoat.duckdb").unlink(),
}


@pytest.mark.parametrize("what", DAMAGE)
def test_what_is_not_as_it_was_released_is_refused_and_nothing_is_left(reader: Settings, bundle: Path, what: str) -> None:
    DAMAGE[what](bundle)
    with pytest.raises(PublishRefusedError):
        pull(reader, str(bundle))
    assert not reader.published.exists()
    assert [path for path in reader.data.rglob("*") if path.is_file()] == []


def test_a_list_of_hashes_has_at_most_16_mebibytes(reader: Settings, tmp_path: Path) -> None:
    (tmp_path / "SHA256SUMS").touch()
    for n_bytes, reason in ((2**24, "malformed"), (2**24 + 1, "larger than 16777216 bytes")):
        os.truncate(tmp_path / "SHA256SUMS", n_bytes)
        with pytest.raises(PublishRefusedError, match=reason):
            pull(reader, str(tmp_path))


def test_a_build_id_that_is_a_path_is_refused(reader: Settings, bundle: Path) -> None:
    stated = json.loads((bundle / "manifest.json").read_text())
    text = json.dumps({**stated, "build_id": "../../x"}).encode()
    (bundle / "manifest.json").write_bytes(text)
    sums = (bundle / "SHA256SUMS").read_text().splitlines(keepends=True)
    listed = [
        f"{hashlib.sha256(text).hexdigest()}  manifest.json\n" if line.endswith("  manifest.json\n") else line for line in sums
    ]
    (bundle / "SHA256SUMS").write_text("".join(listed))
    with pytest.raises(PublishRefusedError, match="manifest is malformed"):
        pull(reader, str(bundle))


def test_the_checksum_of_a_release_note_is_compared(reader: Settings, released_bundle: Path) -> None:
    right = hashlib.sha256((released_bundle / "SHA256SUMS").read_bytes()).hexdigest()
    with pytest.raises(PublishRefusedError, match="not the one given"):
        pull(reader, str(released_bundle), "0" * 64)
    assert pull(reader, str(released_bundle), right).is_new


def rehash(bundle: Path) -> None:
    """Write the hashes that the files of a bundle have now into its list."""
    listed = [line.split("  ") for line in (bundle / "SHA256SUMS").read_text().splitlines()]
    lines = [f"{hashlib.sha256((bundle / name).read_bytes()).hexdigest()}  {name}\n" for _, name in listed]
    (bundle / "SHA256SUMS").write_text("".join(lines))


def forge(bundle: Path, **stated: object) -> None:
    """Multiply the rows of a bundle's database by 1000 and write the hashes it has then; state other values in its manifest."""
    with duckdb.connect(str(bundle / "datamoat.duckdb")) as con:
        con.execute("update marts.lab_volume set uploads = uploads * 1000")
        content = content_of(con, "marts.lab_volume")
    if stated:
        manifest = json.loads((bundle / "manifest.json").read_text())
        manifest["tables"]["lab_volume"]["content_hash"] = content
        (bundle / "manifest.json").write_text(json.dumps(manifest | stated))
    rehash(bundle)


def test_a_forged_release_is_refused_where_the_register_knows_it(fresh: Settings, bundle: Path) -> None:
    before = fresh.published.read_bytes()
    forge(bundle)
    with pytest.raises(PublishRefusedError, match=r"the register of exports/ has [0-9a-f]{64}"):
        pull(fresh, str(bundle))
    assert fresh.published.read_bytes() == before


def test_a_forged_release_under_another_name_is_refused_where_its_build_is_retained(fresh: Settings, bundle: Path) -> None:
    (build,) = retained_builds(fresh)
    renamed = bundle.rename(bundle.with_name("renamed"))
    forge(renamed, release_id="renamed")
    with pytest.raises(PublishRefusedError, match=f"build {build.build_id} is retained here with other rows in lab_volume"):
        pull(fresh, str(renamed))
    assert retained_builds(fresh) == [build]


def test_rows_that_are_not_those_of_the_manifest_are_refused_in_an_empty_data_folder(reader: Settings, bundle: Path) -> None:
    forge(bundle)
    with pytest.raises(PublishRefusedError, match=r"marts\.lab_volume has not the rows that the manifest of the release states"):
        pull(reader, str(bundle))
    assert [path for path in reader.data.rglob("*") if path.is_file()] == []


def test_a_checksum_that_nobody_knows_is_printed(
    reader: Settings, fresh: Settings, released_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = hashlib.sha256((released_bundle / "SHA256SUMS").read_bytes()).hexdigest()
    for settings, more, is_known in ((reader, [], False), (reader, ["--checksum", own], True), (fresh, [], True)):
        monkeypatch.setenv("DATAMOAT_ROOT", str(settings.content))
        monkeypatch.setenv("DATAMOAT_DATA", str(settings.data))
        done = CliRunner().invoke(app, ["pull", str(released_bundle), *more], catch_exceptions=False)
        assert (f"no register here knows its checksum {own}" in done.stdout) is not is_known
        verified = CliRunner().invoke(app, ["verify", str(released_bundle), *more], catch_exceptions=False)
        assert done.exit_code == verified.exit_code == (0 if is_known else 3)
        printed = CliRunner().invoke(app, ["pull", str(released_bundle), *more, "--json"], catch_exceptions=False).stdout
        assert json.loads(printed)["is_known"] is is_known


@pytest.mark.parametrize(
    ("source", "error", "message"),
    [
        ("file:///etc", UsageError, "neither a folder nor an address"),
        ("ftp://example.org/x", UsageError, "neither a folder nor an address"),
        ("nowhere", UsageError, "there is no release"),
        ("http://127.0.0.1:9/x", SourceUnavailableError, "does not respond"),
    ],
)
def test_a_source_that_is_none_is_explained(reader: Settings, source: str, error: type[DatamoatError], message: str) -> None:
    with pytest.raises(error, match=message):
        pull(reader, source)


def test_the_folder_that_is_served_has_every_release_the_newest_as_latest_and_the_register(fresh: Settings) -> None:
    (fresh.exports / "site").mkdir(parents=True)
    (fresh.exports / "site" / "index.html").write_text("a page of the site")
    (fresh.exports / "site" / ".latest.part").mkdir()  # of a run that was killed
    (fresh.exports / "site" / ".latest.part" / "half").write_text("x")
    site = write_layout(fresh)
    (entry,) = register(fresh.exports)
    assert sorted(path.name for path in site.iterdir()) == ["index.html", "latest", "releases", "releases.csv"]
    assert register(site) == [entry]
    for bundle in (site / "latest", site / "releases" / entry.release_id):
        assert verify_bundle(fresh, bundle).is_good
        assert verify_bundle(fresh, bundle).is_known
    before = {path: path.stat().st_ino for path in (site / "releases").rglob("*")}
    assert write_layout(fresh) == site
    assert {path: path.stat().st_ino for path in (site / "releases").rglob("*")} == before
    assert pull(replace(fresh, data=fresh.data / "elsewhere"), str(site), entry.checksum).is_new


def test_python_opens_what_is_published_and_what_it_fetches(
    reader: Settings, released_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATAMOAT_ROOT", str(reader.content))
    monkeypatch.setenv("DATAMOAT_DATA", str(reader.data))
    with pytest.raises(PublishRefusedError, match="nothing is published yet"):
        datamoat.open()
    with datamoat.open(released_bundle) as con:
        assert con.sql("select count(*) from marts.lab_volume").fetchall() == [(30,)]
        with pytest.raises(Exception, match="disabled"):
            con.sql("from read_text('/etc/hostname')")
    with datamoat.open() as con, pytest.raises(Exception, match="read-only"):
        con.execute("create table marts.t as select 1")


# The commands of a reader, and those that need what only building installs.
READS = (
    "status", "show", "show lab_volume", "query 'from marts.lab_volume' --format csv", "query 'select 1' --format parquet",
    "trace lab_volume.uploads --where platform_id=p00", "verify BUNDLE", "doctor", "--help",
)  # fmt: skip
BUILDS = ("run", "build", "land", "audit", "check", "whatif --set A=1", "export --to out")


def without_builder(reader: Settings, words: str, bundle: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "DATAMOAT_ROOT": str(reader.content), "DATAMOAT_DATA": str(reader.data)}
    import shlex

    command = [sys.executable, "-c", WITHOUT_BUILDER, *shlex.split(words.replace("BUNDLE", str(bundle)))]
    return subprocess.run(
        command, env=environment, cwd=reader.data, capture_output=True, check=False, text=True, errors="replace"
    )


def test_the_commands_of_a_reader_need_nothing_that_only_building_installs(reader: Settings, released_bundle: Path) -> None:
    reader.data.mkdir()
    assert without_builder(reader, "pull BUNDLE", released_bundle).returncode == 3  # nobody here knows its checksum
    failed = {}
    for words in READS:
        done = without_builder(reader, words, released_bundle)
        if done.returncode not in {0, 3} or not done.stdout:
            failed[words] = done.stderr
    assert failed == {}


@pytest.mark.parametrize("words", BUILDS)
def test_a_command_that_needs_the_builder_names_what_to_install(reader: Settings, released_bundle: Path, words: str) -> None:
    reader.data.mkdir()
    pull(reader, str(released_bundle))
    done = without_builder(reader, words, released_bundle)
    assert done.returncode == 2, done.stderr
    assert re.search(r"pip install .*\[build\]'", done.stderr)
