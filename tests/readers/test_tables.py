"""A table that is given away is described whole: itself, its columns, its key, its rows, in every file that speaks of it."""

import csv
import json
import os
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from datamoat.errors import UsageError
from datamoat.release import tables
from datamoat.release.sums import SUMS, read_sums
from datamoat.release.tables import checked_target, credits_of, export_tables, prune_exports, resources_of, write_tables
from datamoat.settings import Settings
from datamoat.storage.files import sha256_of
from datamoat.storage.warehouse import open_published

KEY_FIRST = ("platform_id", "VARCHAR", None, "A platform, as a slug.", False)


def test_each_table_is_written_with_its_own_description_its_columns_and_its_rows(made: Settings, tmp_path: Path) -> None:
    with open_published(made, is_closed=False) as con:
        written = {
            table.name: table
            for table in write_tables(con, tmp_path, {"release": "r"}, schemas=("marts",), without=("marts.source_freshness",))
        }
        stated = dict(con.sql("select table_name, content_hash from meta.models where layer = 'marts'").fetchall())
    assert list(written) == ["marts.change", "marts.lab_volume", "marts.lab_volume_draws"]
    one = written["marts.lab_volume"]
    assert (one.description, one.grain, one.n_rows, one.content_hash) == (
        "Uploads of each lab.",
        ("platform_id",),
        30,
        stated["lab_volume"],
    )
    assert (one.parquet, one.csv) == ("parquet/lab_volume.parquet", "csv/lab_volume.csv")
    assert one.columns[0] == KEY_FIRST
    assert {column[0]: column[1:3] + column[4:] for column in one.columns} == {
        "platform_id": ("VARCHAR", None, False), "title": ("VARCHAR", None, True), "tags": ("VARCHAR[]", None, True),
        "uploads": ("DOUBLE", "videos a day", False), "n_seen": ("BIGINT", None, False), "is_open": ("BOOLEAN", None, False),
        "stated_on": ("DATE", None, False), "citation_ids": ("VARCHAR[]", None, False),
    }  # fmt: skip
    draws, change = written["marts.lab_volume_draws"], written["marts.change"]
    assert (draws.description, draws.parquet, draws.csv, draws.n_rows) == ("Draws.", "draws/lab_volume_draws.parquet", None, 90)
    assert change.description.startswith("What differs from the build published before")
    assert change.columns[0][3] == "The build in which the value is new."
    labels = pq.read_metadata(tmp_path / one.parquet).metadata
    assert {key.decode(): value.decode() for key, value in labels.items() if key.startswith(b"datamoat")} == {
        "datamoat.release": "r", "datamoat.table": "marts.lab_volume", "datamoat.description": "Uploads of each lab.",
        "datamoat.grain": "platform_id", "datamoat.content_hash": stated["lab_volume"],
    }  # fmt: skip
    csv_file, parquet_file = resources_of(tmp_path, one)
    assert (csv_file["title"], csv_file["description"], csv_file["path"], csv_file["name"]) == (
        "marts.lab_volume", "Uploads of each lab.", "csv/lab_volume.csv", "csv-lab-volume",
    )  # fmt: skip
    assert csv_file["hash"] == f"sha256:{sha256_of(tmp_path / 'csv/lab_volume.csv')}"
    assert csv_file["bytes"] == (tmp_path / "csv/lab_volume.csv").stat().st_size
    assert csv_file["schema"]["primaryKey"] == ["platform_id"]
    assert csv_file["schema"]["fields"][0] == {
        "name": "platform_id", "type": "string", "description": "A platform, as a slug.", "constraints": {"required": True},
    }  # fmt: skip
    assert csv_file["schema"]["fields"][3] == {
        "name": "uploads", "type": "number", "description": "Videos uploaded a day.", "unit": "videos a day", "constraints": {"required": True},
    }  # fmt: skip
    assert "constraints" not in csv_file["schema"]["fields"][1]
    assert (parquet_file["path"], parquet_file["format"], "schema" in parquet_file) == (
        "parquet/lab_volume.parquet",
        "parquet",
        False,
    )
    assert [resource["path"] for resource in resources_of(tmp_path, draws)] == ["draws/lab_volume_draws.parquet"]


def test_a_release_describes_each_table_by_its_own_words(released_bundle: Path) -> None:
    page = (released_bundle / "README.md").read_text()
    assert (
        "### marts.lab_volume\n\nUploads of each lab.\n\nOne row for each `platform_id`; 30 rows in `parquet/lab_volume.parquet`.\n"
        in page
    )
    resources = {one["path"]: one for one in json.loads((released_bundle / "datapackage.json").read_text())["resources"]}
    assert resources["csv/source_freshness.csv"]["description"] == "How each source is."
    assert resources["csv/meta_build.csv"]["description"] == "This build in one row."


def test_a_table_of_more_rows_than_a_spreadsheet_holds_is_no_csv(
    made: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for most, has_csv in ((30, True), (29, False)):
        monkeypatch.setattr(tables, "CSV_ROWS", most)
        with open_published(made, is_closed=False) as con:
            found = {table.name: table.csv for table in write_tables(con, tmp_path / str(most), schemas=("marts",))}
        assert (found["marts.lab_volume"] is not None) == has_csv
        assert (tmp_path / str(most) / "csv" / "lab_volume.csv").exists() == has_csv


def test_an_export_is_written_once_and_again_only_by_force(made: Settings, tmp_path: Path) -> None:
    settings = replace(made, data=made.data)
    folder = export_tables(settings, tmp_path / "out")
    stated = json.loads((folder / "datapackage.json").read_text())
    assert folder.name == f"datamoat-{stated['version']}"
    assert (stated["name"], stated["created"]) == ("datamoat", "2026-03-28")
    assert stated["sources"] == [{"title": "The press", "path": "", "credit": "Source: the press"}]
    assert {one["path"].partition("/")[0] for one in stated["resources"]} == {"csv", "parquet", "draws"}
    listed = dict(read_sums((folder / SUMS).read_bytes()) or [])
    assert listed == {
        path.relative_to(folder).as_posix(): sha256_of(path) for path in folder.rglob("*") if path.is_file() and path.name != SUMS
    }
    with pytest.raises(UsageError, match="exists already"):
        export_tables(settings, tmp_path / "out")
    (folder / "own").write_text("x")
    assert export_tables(settings, tmp_path / "out", replace=True) == folder
    assert not (folder / "own").exists()
    assert [path.name for path in (tmp_path / "out").iterdir()] == [folder.name]


def test_the_newest_exports_stay_and_at_least_one(tmp_path: Path) -> None:
    settings = Settings(content=tmp_path, data=tmp_path)
    for number, name in enumerate(("b", "a", "d", "c")):
        folder = settings.exports / f"datamoat-{name}"
        folder.mkdir(parents=True)
        os.utime(folder, (number, number))
    (settings.exports / "releases").mkdir()
    assert prune_exports(settings, 3) == ["datamoat-b"]
    assert prune_exports(settings, 3) == []
    assert prune_exports(settings, 0) == ["datamoat-a", "datamoat-d"]
    assert sorted(path.name for path in settings.exports.iterdir()) == ["datamoat-c", "releases"]


def test_a_folder_to_export_to_is_named_outright_and_is_no_link_or_file(tmp_path: Path) -> None:
    assert checked_target(tmp_path / "new", replace=False) == tmp_path / "new"
    climbing = tmp_path / "a" / ".." / "b"
    assert checked_target(climbing, replace=True) == climbing
    with pytest.raises(UsageError, match="climbs out"):
        checked_target(climbing, replace=False)
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path)
    for name, message in (("file", "is a file"), ("link", "is a link"), ("link/deeper", "is a link")):
        with pytest.raises(UsageError, match=message):
            checked_target(tmp_path / name, replace=True)


def test_a_source_is_credited_where_a_row_cites_it_or_a_response_of_it_was_served(made: Settings) -> None:
    with open_published(made, is_closed=False) as con:
        assert [source["source_id"] for source in credits_of(con)] == ["press"]


def test_rows_of_a_register_are_csv_with_their_columns() -> None:
    text = tables.csv_text(("a", "b"), [(1, "x,y"), (None, 'say "so"')])
    assert text == 'a,b\n1,"x,y"\n,"say ""so"""\n'
    assert list(csv.reader(text.splitlines())) == [["a", "b"], ["1", "x,y"], ["", 'say "so"']]
