"""A release is whole, describes itself in the formats others read, and never changes."""

import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from datamoat.errors import PublishRefusedError, UsageError
from datamoat.release.bundle import checksum_of, make_release, open_release, released_by, store
from datamoat.release.register import Entry, record, register
from datamoat.release.tables import FORMULA, export_tables, read_back
from datamoat.release.verify import rebuild_bundle, verify_bundle
from datamoat.settings import Settings
from datamoat.storage.files import sha256_of
from datamoat.storage.lake import content_of, quoted
from datamoat.storage.warehouse import check_published, open_published

TOP = {
    "catalogs",
    "CITATION.cff", "LICENSES", "README.md", "SHA256SUMS", "croissant.json", "csv", "datamoat.duckdb", "datapackage.json", "draws",
    "manifest.json", "parquet", "ro-crate-metadata.json",
}  # fmt: skip


def test_a_release_has_everything_at_its_top(released_bundle: Path) -> None:
    assert released_bundle.name.startswith("datamoat-2026-04-01-")
    assert {path.name for path in released_bundle.iterdir()} == TOP


def test_every_csv_reads_back_as_the_table_it_came_from(released_bundle: Path) -> None:
    with duckdb.connect() as con:
        con.execute(f"attach {quoted(str(released_bundle / 'datamoat.duckdb'))} as d (read_only)")
        con.execute("use d")
        compared = 0
        for path in sorted((released_bundle / "csv").iterdir()):
            name = f"meta.{path.stem.removeprefix('meta_')}" if path.stem.startswith("meta_") else f"marts.{path.stem}"
            columns = tuple(row[:2] for row in con.sql(f"describe {name}").fetchall())
            con.execute(f"create or replace temp view back as {read_back(columns, path)}")
            assert content_of(con, "temp.back") == content_of(con, name), name
            compared += 1
    assert compared >= 10


def test_f03_no_cell_of_text_begins_as_a_formula_and_numbers_stay_numbers(released_bundle: Path) -> None:
    path = released_bundle / "csv" / "lab_volume.csv"
    with duckdb.connect() as con:
        cells = f"from read_csv({quoted(str(path))}, all_varchar = true, header = true, quote = '\"', escape = '\"', delim = ',')"
        runnable = con.sql(
            f"select title from ({cells}) where regexp_matches(title, {quoted(FORMULA)}) and title[1] <> ''''"
        ).fetchall()
        marked = con.sql(f"select count(*) as n from ({cells}) where title[1] = ''''").fetchall()[0][0]
        negative = con.sql(f"select count(*) as n from ({cells}) where uploads[1] = '-'").fetchall()[0][0]
    assert runnable == []
    assert marked >= 12
    assert negative >= 20


def test_the_parquet_file_keeps_texts_as_they_are_and_says_where_it_is_from(released_bundle: Path) -> None:
    table = pq.read_table(released_bundle / "parquet" / "lab_volume.parquet", page_checksum_verification=True)
    assert "=1+2" in table["title"].to_pylist()
    reported = {key.decode(): value.decode() for key, value in table.schema.metadata.items()}
    assert reported["datamoat.release"] == released_bundle.name
    assert reported["datamoat.table"] == "marts.lab_volume"
    assert reported["datamoat.licence"].startswith("https://creativecommons.org/")
    assert table.schema.field("uploads").metadata[b"unit"] == b"videos a day"


def test_a_flipped_bit_in_a_page_is_caught_by_the_reader_itself(bundle: Path) -> None:
    path = bundle / "parquet" / "lab_volume.parquet"
    body = bytearray(path.read_bytes())
    body[40] ^= 1
    path.write_bytes(bytes(body))
    with pytest.raises(OSError, match="CRC"):
        pq.read_table(path, page_checksum_verification=True)


def test_draws_are_parquet_only_and_apart(released_bundle: Path) -> None:
    assert [path.name for path in (released_bundle / "draws").iterdir()] == ["lab_volume_draws.parquet"]
    assert not (released_bundle / "csv" / "lab_volume_draws.csv").exists()


def test_only_sources_that_are_in_it_are_credited(released_bundle: Path) -> None:
    text = (released_bundle / "LICENSES" / "ATTRIBUTION.md").read_text()
    assert "Source: the press" in text
    assert "Source: nobody" not in text


def test_the_same_build_is_released_once(fresh: Settings, tmp_path: Path) -> None:
    before = register(fresh.exports)
    entry, folder = make_release(fresh, date(2026, 9, 9), tmp_path / "out")
    assert entry == before[0]
    assert register(fresh.exports) == before
    assert checksum_of(folder) == entry.checksum
    assert folder.parent == tmp_path / "out"


def test_two_releases_of_one_build_have_the_same_rows(made: Settings, fresh: Settings) -> None:
    shutil.rmtree(fresh.exports)
    make_release(fresh, date(2026, 5, 5))
    manifests = [json.loads(next(store(s).glob("*/manifest.json")).read_text()) for s in (made, fresh)]
    assert manifests[0]["tables"] == manifests[1]["tables"]
    assert manifests[0]["inputs"] == manifests[1]["inputs"]


def test_a_release_built_again_from_its_manifest_has_the_same_rows(fresh: Settings, released_bundle: Path) -> None:
    shutil.rmtree(fresh.lake)
    assert rebuild_bundle(fresh, released_bundle) == []


def test_a_rebuild_from_other_facts_names_the_input_and_the_table(fresh: Settings, released_bundle: Path) -> None:
    facts = fresh.reference / "facts.csv"
    facts.write_text(facts.read_text().replace(",0.8,", ",0.85,").replace("p05,", "p05x,"))
    reported = {finding.path: finding.what for finding in rebuild_bundle(fresh, released_bundle)}
    assert "reference/facts.csv" in reported["manifest.json"]
    assert "other rows" in reported["marts.lab_volume"]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("update marts.lab_volume set uploads = 4242", "marts.lab_volume does not have the rows its build stated"),
        ("update meta.models set n_rows = 31 where table_name = 'lab_volume'", "marts.lab_volume is another one in the manifest"),
    ],
)
def test_a_build_that_was_changed_with_the_hash_of_its_file_is_not_released(fresh: Settings, change: str, named: str) -> None:
    shutil.rmtree(fresh.exports)
    build = check_published(fresh)
    with duckdb.connect(str(build.path)) as con:
        con.execute(change)
    sha256 = sha256_of(build.path)
    path = build.path.rename(build.path.with_name(f"datamoat-{build.build_id}-{sha256[:8]}.duckdb"))
    replace(build, sha256=sha256, n_bytes=path.stat().st_size, path=path).write_manifest()
    shutil.copyfile(path, fresh.published)
    with pytest.raises(PublishRefusedError, match=named) as refused:
        make_release(fresh, date(2026, 5, 5))
    assert refused.value.where == str(path)
    assert register(fresh.exports) == []
    assert list(store(fresh).iterdir()) == []


def test_no_release_is_made_while_the_published_file_is_changed(fresh: Settings) -> None:
    shutil.rmtree(fresh.exports)
    fresh.published.write_bytes(b"changed")
    with pytest.raises(PublishRefusedError, match="damaged or was changed"):
        make_release(fresh, date(2026, 5, 5))
    assert not fresh.exports.exists()


def test_what_stood_on_a_day_is_answered_from_the_release_of_then(
    fresh: Settings, publish: Callable[[Settings], Settings]
) -> None:
    facts = fresh.reference / "facts.csv"
    facts.write_text(facts.read_text() + 'zz,"""later""",7.5,1,true,2026-06-01,C1\n')
    publish(fresh)
    make_release(fresh, date(2026, 7, 1))
    counts = {}
    for day in (date(2026, 4, 1), date(2026, 6, 30), date(2026, 7, 1), date(2027, 1, 1)):
        with open_release(fresh, released_by(fresh, day)) as con:
            counts[day.isoformat()] = con.sql("select count(*) as n from marts.lab_volume where platform_id = 'zz'").fetchall()[
                0
            ][0]
    assert counts == {"2026-04-01": 0, "2026-06-30": 0, "2026-07-01": 1, "2027-01-01": 1}
    with pytest.raises(UsageError, match="nothing had been released by 2026-03-31"):
        released_by(fresh, date(2026, 3, 31))


def test_c05_a_release_keeps_the_rows_and_the_method_it_was_made_with_when_the_method_changes(
    fresh: Settings, publish: Callable[[Settings], Settings]
) -> None:
    shutil.rmtree(fresh.exports)
    first, _ = make_release(fresh, date(2026, 5, 1))
    path = fresh.content / "transforms/intermediate/lab/int_lab__uploads.sql"
    path.write_text(path.read_text().replace("tags, uploads,", "tags, uploads * 2 as uploads,"))
    publish(fresh)
    second, _ = make_release(fresh, date(2026, 5, 1))  # on the same day: nothing may be written over
    assert len({first.release_id, second.release_id}) == 2
    rows, methods = [], []
    for entry in (first, second):
        with open_release(fresh, entry) as con:
            rows.append(con.sql("select uploads from marts.lab_volume where platform_id = 'p05'").fetchall()[0][0])
            methods.append(con.sql("select sha256 from meta.inputs where input = 'content'").fetchall())
    assert rows[1] == 2 * rows[0] != 0
    assert methods[0] != methods[1]
    with open_published(fresh) as con:
        assert con.sql("select distinct cause from marts.change").fetchall() == [("method",)]


def test_g03_a_column_leaves_only_after_a_release_that_announced_it(
    fresh: Settings, publish: Callable[[Settings], Settings]
) -> None:
    mart, columns = fresh.content / "transforms/marts/volume/lab_volume.sql", fresh.content / "transforms/columns.yml"
    with_it, words = mart.read_text(), columns.read_text()
    mart.write_text(with_it.replace("select *", "select * rename (n_seen as n_counted)"))
    columns.write_text(words + "n_counted: {type: BIGINT, description: A whole number.}\n")
    publish(fresh)
    with pytest.raises(PublishRefusedError, match=r"marts\.lab_volume\.n_seen was in release .* and is gone without notice"):
        make_release(fresh, date(2026, 5, 1))
    assert len(register(fresh.exports)) == 1
    mart.write_text(with_it.replace("select *", "select *, n_seen as n_counted"))
    columns.write_text(columns.read_text().replace("A whole number.}\nis_open", '"Deprecated: use n_counted."}\nis_open'))
    publish(fresh)
    make_release(fresh, date(2026, 5, 2))
    mart.write_text(with_it.replace("select *", "select * rename (n_seen as n_counted)"))
    publish(fresh)
    make_release(fresh, date(2026, 5, 3))
    assert len(register(fresh.exports)) == 3


def test_a_release_that_changed_is_not_opened(fresh: Settings) -> None:
    entry = register(fresh.exports)[0]
    path = store(fresh) / entry.release_id / "datamoat.duckdb"
    body = bytearray(path.read_bytes())
    body[-100] ^= 4
    path.write_bytes(bytes(body))
    with pytest.raises(PublishRefusedError, match="differ from its manifest"):
        open_release(fresh, entry)


def test_a_release_with_a_clients_log_beside_it_is_not_opened(fresh: Settings) -> None:
    entry = register(fresh.exports)[0]
    (store(fresh) / entry.release_id / "datamoat.duckdb.wal").write_bytes(b"edits")
    with pytest.raises(PublishRefusedError, match="differ from its manifest"):
        open_release(fresh, entry)


def test_a_release_opened_for_reading_lets_nothing_else_be_reached(made: Settings) -> None:
    with open_release(made, register(made.exports)[0]) as con, pytest.raises(duckdb.Error):
        con.sql("select * from read_csv('/etc/hostname')").fetchall()


@pytest.mark.parametrize("day", [date(2026, 1, 1), date(2025, 12, 31)])
def test_a_clock_behind_the_data_is_refused(fresh: Settings, day: date) -> None:
    shutil.rmtree(fresh.exports)
    with pytest.raises(PublishRefusedError, match="the clock is suspicious"):
        make_release(fresh, day)
    assert not (fresh.exports / "releases").exists() or not any((fresh.exports / "releases").iterdir())


def test_a_release_dated_before_the_newest_one_is_refused(fresh: Settings, publish: Callable[[Settings], Settings]) -> None:
    facts = fresh.reference / "facts.csv"
    facts.write_text(facts.read_text() + 'zz,"""later""",7.5,1,true,2026-03-02,C1\n')
    publish(fresh)
    with pytest.raises(PublishRefusedError, match="the clock is suspicious"):
        make_release(fresh, date(2026, 3, 31))


@pytest.mark.parametrize(
    ("text", "is_personal"),
    [
        ("ask anna.b@example.org", True),
        ("call +49 151 23456789", True),
        ("1,440.5 +-2 % of 2026-03-01", False),
        ("@handle", False),
    ],
)
def test_f16_texts_with_an_address_or_number_of_a_person_are_not_released(
    tree_of: Callable[..., Settings], publish: Callable[[Settings], Settings], text: str, is_personal: bool
) -> None:
    settings = publish(tree_of("plain", text))
    if not is_personal:
        assert make_release(settings, date(2026, 4, 1))[0].build_id
        return
    with pytest.raises(PublishRefusedError, match=r"marts\.lab_volume\.title \(1\)"):
        make_release(settings, date(2026, 4, 1))
    assert register(settings.exports) == []


def test_f18_a_target_that_is_a_link_a_file_or_climbs_is_refused(fresh: Settings, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "file").write_text("x")
    for target in (tmp_path / "link", tmp_path / "link" / "deeper", tmp_path / "file", tmp_path / "real" / ".." / "etc"):
        with pytest.raises(UsageError):
            make_release(fresh, date(2026, 4, 1), target)
        with pytest.raises(UsageError):
            export_tables(fresh, target)
    assert list((tmp_path / "real").iterdir()) == []
    assert (tmp_path / "file").read_text() == "x"


def test_a_copy_is_not_written_over_another_without_force(fresh: Settings, tmp_path: Path) -> None:
    _, folder = make_release(fresh, None, tmp_path / "out")
    with pytest.raises(UsageError, match="exists already"):
        make_release(fresh, None, tmp_path / "out")
    assert make_release(fresh, None, tmp_path / "out", replace=True)[1] == folder
    assert verify_bundle(fresh, folder).is_good


def test_a_registered_checksum_is_never_replaced(fresh: Settings) -> None:
    entry = register(fresh.exports)[0]
    record(fresh.content / "data", entry)
    record(fresh.content / "data", entry)
    assert register(fresh.content / "data") == [entry]
    with pytest.raises(PublishRefusedError, match="another checksum"):
        record(fresh.content / "data", type(entry)(entry.release_id, entry.released_on, entry.build_id, entry.as_of, "0" * 64))


def test_a_manifest_states_the_build_its_inputs_and_each_mart(made: Settings, released_bundle: Path) -> None:
    manifest = json.loads((released_bundle / "manifest.json").read_text())
    entry = register(made.exports)[0]
    with open_published(made) as con:
        build_id, as_of, built_at, engine, engine_db = con.sql(
            "select build_id, as_of, built_at, engine_version, duckdb_version from meta.build"
        ).fetchall()[0]
        inputs = dict(con.sql("select input, sha256 from meta.inputs").fetchall())
        marts = con.sql("select table_name, content_hash from meta.models where layer = 'marts'").fetchall()
        counts = {name: con.sql(f"select count(*) from marts.{name}").fetchall()[0][0] for name, _ in marts}
    assert manifest == {
        "build_id": build_id, "as_of": as_of.isoformat(), "built_at": f"{built_at.isoformat()}Z", "engine": engine, "duckdb": engine_db,
        "commit": None, "inputs": inputs, "snapshots": {}, "release_id": released_bundle.name, "released_on": "2026-04-01",
        "tables": {name: {"n_rows": counts[name], "content_hash": content_hash} for name, content_hash in marts},
    }  # fmt: skip
    assert counts["lab_volume"] > 20
    assert entry == Entry(released_bundle.name, date(2026, 4, 1), build_id, as_of, checksum_of(released_bundle))


def test_a_manifest_names_the_commit_and_whether_files_differ_from_it(fresh: Settings) -> None:
    def git(*words: str) -> str:
        own = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
        return subprocess.run(
            ["git", "-C", fresh.content, *own, *words], capture_output=True, text=True, check=True
        ).stdout.strip()

    def stated() -> str | None:
        shutil.rmtree(fresh.exports)
        _, folder = make_release(fresh, date(2026, 5, 5))
        found: str | None = json.loads((folder / "manifest.json").read_text())["commit"]
        return found

    git("init", "-q")
    assert stated() is None  # no commit yet
    git("add", "transforms")
    git("commit", "-q", "-m", "one")
    commit = git("rev-parse", "HEAD")
    assert stated() == commit  # what is not under version control is no change
    with (fresh.content / "transforms" / "columns.yml").open("a") as handle:
        handle.write("# a change\n")
    assert stated() == f"{commit} with changes"


def test_a_release_may_be_made_on_the_day_of_its_newest_input(fresh: Settings) -> None:
    shutil.rmtree(fresh.exports)
    with open_published(fresh) as con:
        as_of = con.sql("select as_of from meta.build").fetchall()[0][0]
    with pytest.raises(PublishRefusedError, match="the clock is suspicious"):
        make_release(fresh, as_of - timedelta(days=1))
    entry, folder = make_release(fresh, as_of)
    assert (entry.released_on, folder.name) == (as_of, entry.release_id)


def test_without_a_release_no_day_has_one(fresh: Settings) -> None:
    shutil.rmtree(fresh.exports)
    with pytest.raises(UsageError, match="nothing had been released by 2026-04-01: there is no release here"):
        released_by(fresh, date(2026, 4, 1))


def test_released_files_are_read_only(released_bundle: Path) -> None:
    assert {oct(path.stat().st_mode & 0o777) for path in released_bundle.rglob("*") if path.is_file()} == {"0o444"}
