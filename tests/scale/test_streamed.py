"""Parts of streamed sources: counted exactly, in whatever state they come, and nothing stored of what is not right."""

import csv
import hashlib
import io
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tests.scale.conftest import CHECKOUT, NOW, Upstream, cells_of, counts_of, left_behind
from tests.scale.publisher_days import FULL, aggregate_day, write_day
from typer.testing import CliRunner

from datamoat.cli.app import app
from datamoat.errors import ContentError, PublishRefusedError, SourceChangedError, SourceUnavailableError, UsageError
from datamoat.ingest import archives, streamed
from datamoat.ingest.counting import PartFile, _identity, count_part
from datamoat.ingest.landings import landing_rows, raw_relations
from datamoat.ingest.part_receipts import counts_sql, read_receipts, served
from datamoat.ingest.streamed import Due, add_file, fetch_and_count, parts_due
from datamoat.orchestration import streamed as orchestrated
from datamoat.project.sources import Source, read_sources
from datamoat.settings import Settings

DAY = date(2025, 7, 1)
SAMPLES = [
    (source.id, path)
    for source in read_sources(CHECKOUT)
    if source.part is not None
    for path in sorted((source.folder / "sample").iterdir())
    if path.suffix in {".csv", ".zip", ".parquet"}
]


@pytest.mark.parametrize(("source_id", "path"), SAMPLES, ids=lambda value: value.name if isinstance(value, Path) else value)
def test_a_sample_gives_the_counts_beside_it(settings: Settings, source_id: str, path: Path) -> None:
    source = next(one for one in read_sources(CHECKOUT) if one.id == source_id)
    assert source.part is not None
    receipt = add_file(settings, source, str(path), NOW + timedelta(days=400), label="made", licence="made for a test")[0]
    expected = json.loads(path.with_name(f"{path.stem}.expected.json").read_text(encoding="utf-8"))
    found = counts_of(settings, receipt).select(list(source.part.counts)).to_dicts()
    assert json.loads(json.dumps(found, default=str)) == expected


def test_every_streamed_source_has_a_sample() -> None:
    assert {source_id for source_id, _ in SAMPLES} == {one.id for one in read_sources(CHECKOUT) if one.part is not None}


def test_the_generator_writes_the_publishers_own_header(captures: Path) -> None:
    captured = captures / "eu_dsa_transparency_db" / "schema" / "sor-full-v2.header.csv"
    assert captured.read_text(encoding="utf-8").strip().split(",") == FULL


def test_a_day_is_counted_cell_by_cell_and_its_bytes_are_not_stored(
    settings: Settings, statements: Source, tmp_path: Path
) -> None:
    made = write_day(tmp_path, DAY, 25_000, rows_a_file=3_000, files_a_zip=3)
    receipt = add_file(settings, statements, str(made.path), NOW)[0]
    assert cells_of(settings, receipt) == made.counts
    assert (receipt.n_listed, receipt.n_counted, receipt.n_rejected) == (25_000, 25_000, 0)
    assert str(receipt.publisher_checksum).startswith("sha1:")
    assert [name.split(".", 1)[1] for name in left_behind(settings)] == ["parquet", "receipt.json"]


def test_plain_python_counts_the_same(settings: Settings, statements: Source, tmp_path: Path) -> None:
    made = write_day(tmp_path, DAY, 2_000, rows_a_file=700, files_a_zip=2)
    receipt = add_file(settings, statements, str(made.path), NOW)[0]
    by_platform: Counter[tuple[str, bool]] = Counter()
    with zipfile.ZipFile(made.path) as outer:
        for name in outer.namelist():
            with zipfile.ZipFile(io.BytesIO(outer.read(name))) as inner:
                for member in inner.namelist():
                    for row in csv.DictReader(io.StringIO(inner.read(member).decode())):
                        by_platform[row["platform_name"], row["automated_detection"] == "Yes"] += 1
    counted: Counter[tuple[str, bool]] = Counter()
    for cell, (times, _) in cells_of(settings, receipt).items():
        counted[cell[0], cell[4]] += times
    assert counted == by_platform


def test_quotes_escaped_by_a_backslash_are_read_and_the_member_is_read_twice_at_most(
    settings: Settings, statements: Source, tmp_path: Path
) -> None:
    made = write_day(tmp_path, DAY, 4_000, rows_a_file=1_000, backslash=True)
    receipt = add_file(settings, statements, str(made.path), NOW)[0]
    assert cells_of(settings, receipt) == made.counts
    assert receipt.n_rejected == 0


def test_malformed_rows_are_counted_and_the_first_is_named(settings: Settings, statements: Source, tmp_path: Path) -> None:
    made = write_day(tmp_path, DAY, 5_000, rows_a_file=2_000, n_malformed=4)
    receipt = add_file(settings, statements, str(made.path), NOW)[0]
    assert (receipt.n_listed, receipt.n_counted, receipt.n_rejected) == (5_004, 5_000, 4)
    assert "row 2: 2 columns instead of 38" in str(receipt.first_bad)
    assert cells_of(settings, receipt) == made.counts


def test_more_malformed_rows_than_one_in_a_thousand_are_an_error(settings: Settings, statements: Source, tmp_path: Path) -> None:
    made = write_day(tmp_path, DAY, 5_000, rows_a_file=2_000, n_malformed=6)
    with pytest.raises(SourceChangedError, match=r"6 of 5,006 rows are malformed"):
        add_file(settings, statements, str(made.path), NOW)
    assert left_behind(settings) == []


def cut(path: Path, _: Path) -> None:
    path.write_bytes(path.read_bytes()[:-2_000])


def cut_inside(path: Path, folder: Path) -> None:
    """Cut the inner ZIP and leave the outer one whole."""
    with zipfile.ZipFile(path) as outer:
        bodies = {name: outer.read(name) for name in outer.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as outer:
        for name, body in bodies.items():
            outer.writestr(name, body[: len(body) // 2])


def damage(path: Path, _: Path) -> None:
    body = bytearray(path.read_bytes())
    body[len(body) // 2] ^= 0xFF
    path.write_bytes(body)


def bomb_inside(path: Path, _: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as inner:
        inner.writestr("a.csv", b"0" * 30_000_000)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as outer:
        outer.writestr("a.csv.zip", packed.getvalue())


def bomb_outside(path: Path, _: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as outer:
        outer.writestr("a.csv", b"0" * 30_000_000)


def leads_outside(path: Path, _: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as outer:
        outer.writestr("../x.csv", "a\n1\n")


def something_else(path: Path, _: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as outer:
        outer.writestr("readme.exe", "a\n1\n")


def another_header(path: Path, _: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as outer:
        outer.writestr("a.csv", "platform,created\nTikTok,2025-07-01\n")


def empty_archive(path: Path, _: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED):
        pass


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (cut, "damaged or truncated"), (cut_inside, "damaged or truncated"), (damage, "damaged|not the CSV|malformed"),
        (bomb_inside, "a bomb"), (bomb_outside, "a bomb"), (leads_outside, "leads outside the archive"),
        (something_else, "neither a CSV nor a ZIP"), (another_header, "not the CSV that is declared"), (empty_archive, "is empty|holds no CSV|not the CSV"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)  # fmt: skip
def test_an_archive_that_is_not_right_stores_nothing(
    settings: Settings, statements: Source, tmp_path: Path, fault: Any, why: str
) -> None:
    made = write_day(tmp_path, DAY, 3_000, rows_a_file=1_000, files_a_zip=2)
    made.path.with_name(made.path.name + ".sha1").unlink()
    fault(made.path, tmp_path)
    with pytest.raises(SourceChangedError, match=why):
        add_file(settings, statements, str(made.path), NOW)
    assert left_behind(settings) == []


def test_a_part_with_another_checksum_is_not_counted(settings: Settings, statements: Source, tmp_path: Path) -> None:
    made = write_day(tmp_path, DAY, 100)
    made.path.with_name(made.path.name + ".sha1").write_text("0" * 40 + "\n")
    with pytest.raises(SourceChangedError, match="its sha1 is"):
        add_file(settings, statements, str(made.path), NOW)
    assert left_behind(settings) == []


def aggregate(tmp_path: Path, day: date, n_groups: int, scale: int = 1, **more: Any) -> tuple[Path, Any]:
    text, counts = aggregate_day(day, n_groups, scale=scale, **more)
    path = tmp_path / f"aggregates-{day}.csv"
    path.write_text(text, encoding="utf-8")
    return path, counts


def test_a_file_of_exactly_5000_rows_is_a_lower_bound_and_one_of_4999_is_not(
    settings: Settings, aggregates: Source, tmp_path: Path
) -> None:
    for n_groups, is_cut in ((4_999, False), (5_000, True)):
        path, counts = aggregate(tmp_path, DAY - timedelta(days=n_groups % 2), n_groups)
        receipt = add_file(settings, aggregates, str(path), NOW)[0]
        frame = counts_of(settings, receipt)
        assert receipt.is_cut is is_cut
        assert frame["_is_cut"].unique().to_list() == [is_cut]
        assert {(*row[:1], *row[2:5]): row[5] for row in frame.rows()} == counts


def test_an_aggregate_of_another_day_without_platforms_or_with_another_header_is_refused(
    settings: Settings, aggregates: Source, tmp_path: Path
) -> None:
    path, _ = aggregate(tmp_path, DAY, 50)
    text = path.read_text(encoding="utf-8")
    for changed, why in (
        (text.replace("2025-07-01", "2025-07-02"), "another day"),
        (text.replace("SOURCE_VOLUNTARY,Instagram", "SOURCE_VOLUNTARY,"), "names no platform"),
        (text.replace("received_date", "date_received"), "the header is"),
        (text.replace("automated_decision,automated_detection", "automated_detection,automated_decision"), "the header is"),
    ):
        path.write_text(changed, encoding="utf-8")
        with pytest.raises(SourceChangedError, match=why):
            add_file(settings, aggregates, str(path), NOW)
    assert left_behind(settings) == []


def test_three_vintages_of_a_day_stand_side_by_side_and_are_due_after_1_20_and_160_days(
    settings: Settings, aggregates: Source, upstream: Upstream
) -> None:
    for offset, scale in ((1, 20), (20, 22), (160, 24)):
        now = datetime(2025, 7, 1, 8, tzinfo=UTC) + timedelta(days=offset)
        assert Due("aggregates", DAY) in parts_due(settings, aggregates, now.date())
        upstream.files[f"aggregates-{DAY}.csv"] = aggregate_day(DAY, 15, scale=scale)[0].encode()
        fetch_and_count(settings, aggregates, Due("aggregates", DAY), now)
        assert Due("aggregates", DAY) not in parts_due(settings, aggregates, now.date())
    receipts = list(served(settings, aggregates))
    assert [20 * one.n_counted // receipts[0].n_counted for one in receipts] == [20, 22, 24]
    raw = raw_relations(settings, [aggregates])["dsa_aggregates__counts"]
    assert pl.read_parquet(raw.paths)["_captured_on"].n_unique() == 3
    assert [row["validation_status"] for row in landing_rows(settings, [aggregates])] == ["ok"] * 3


def test_the_first_day_of_a_source_is_due_and_the_day_before_it_is_not(settings: Settings, aggregates: Source) -> None:
    assert aggregates.part is not None
    first = date.fromisoformat(str(aggregates.part.first_on))
    late = aggregates.part.again_after[-1]
    assert Due("aggregates", first) in parts_due(settings, aggregates, first + timedelta(days=late))
    assert min(due.part_on for due in parts_due(settings, aggregates, first + timedelta(days=late))) == first


@pytest.mark.parametrize(
    ("days", "scale", "times"),
    [
        (0, 1250, None), (0, 1260, "1.26"), (0, 800, None), (0, 790, "0.79"), (1, 12_000, None), (1, 12_010, "12"), (-1, 84, None),
        (-1, 83, "0.083"), (2, 28_500, None), (2, 28_600, "28.6"), (7, 45_000, None), (7, 45_100, "45.1"), (8, 900_000, None),
    ],
)  # fmt: skip
def test_a_part_is_within_the_bounds_of_its_last_capture_or_of_the_nearest_day_within_a_week(
    settings: Settings, aggregates: Source, tmp_path: Path, days: int, scale: int, times: str | None
) -> None:
    add_file(settings, aggregates, str(aggregate(tmp_path, DAY, 5, 1000)[0]), NOW)
    path = aggregate(tmp_path, DAY + timedelta(days=days), 5, scale)[0]
    later = NOW + timedelta(days=20)
    if times is None:
        assert add_file(settings, aggregates, str(path), later)[0].n_counted == 15 * scale
        return
    with pytest.raises(SourceChangedError, match=f"which is {times} times that of aggregates-2025-07-01.csv") as refused:
        add_file(settings, aggregates, str(path), later)
    assert "raise `beside` in source.yml" in refused.value.fix
    assert len(read_receipts(settings, aggregates)) == 1


def test_of_several_parts_the_nearest_day_counts_and_of_the_same_day_the_first_capture(
    settings: Settings, aggregates: Source, tmp_path: Path
) -> None:
    for days, scale in ((0, 1000), (1, 10_000), (3, 90_000)):
        add_file(settings, aggregates, str(aggregate(tmp_path, DAY + timedelta(days=days), 5, scale)[0]), NOW + timedelta(days=9))
    with pytest.raises(SourceChangedError, match=r"times that of aggregates-2025-07-04\.csv"):
        add_file(settings, aggregates, str(aggregate(tmp_path, DAY + timedelta(days=4), 5, 7_000)[0]), NOW + timedelta(days=9))
    other = aggregate(tmp_path, DAY + timedelta(days=4), 5, 7_000)[0].rename(tmp_path / "one-platform-2025-07-05.csv")
    add_file(settings, aggregates, str(other), NOW + timedelta(days=9))
    for n, scale in enumerate((1200, 1240)):
        add_file(settings, aggregates, str(aggregate(tmp_path, DAY, 5, scale)[0]), NOW + timedelta(days=n + 10))
    with pytest.raises(SourceChangedError, match=r"is 1\.26 times"):
        add_file(settings, aggregates, str(aggregate(tmp_path, DAY, 5, 1260)[0]), NOW + timedelta(days=15))


def test_diagnose_shows_the_parts_and_the_next_step(
    settings: Settings, aggregates: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATAMOAT_ROOT", str(settings.content))
    monkeypatch.setenv("DATAMOAT_DATA", str(settings.data))
    empty = CliRunner().invoke(app, ["diagnose", aggregates.id])
    assert (empty.exit_code, empty.output) == (0, "No part was ever counted: datamoat count dsa_aggregates\n")
    add_file(settings, aggregates, str(aggregate(tmp_path, DAY, 5)[0]), NOW)
    shown = CliRunner().invoke(app, ["diagnose", aggregates.id])
    assert shown.exit_code == 0
    assert "dsa_aggregates/aggregates/" in shown.output
    assert "All parts are served" in shown.output


def test_the_same_bytes_on_another_day_are_a_vintage_of_their_own_and_on_the_same_day_nothing_new(
    settings: Settings, aggregates: Source, tmp_path: Path
) -> None:
    path, _ = aggregate(tmp_path, DAY, 40)
    for now in (NOW, NOW + timedelta(hours=3), NOW + timedelta(days=20)):
        add_file(settings, aggregates, str(path), now)
    assert [one.captured_on for one in read_receipts(settings, aggregates)] == [NOW.date(), NOW.date() + timedelta(days=20)]


def test_a_day_that_is_missing_at_the_publisher_is_tried_again_for_a_week(
    settings: Settings, aggregates: Source, upstream: Upstream
) -> None:
    with pytest.raises(SourceUnavailableError, match="HTTP 404"):
        fetch_and_count(settings, aggregates, Due("aggregates", DAY), NOW)
    assert Due("aggregates", DAY) in parts_due(settings, aggregates, DAY + timedelta(days=8))
    assert Due("aggregates", DAY) not in parts_due(settings, aggregates, DAY + timedelta(days=9))


def test_a_download_that_breaks_off_goes_on_where_it_stopped(
    settings: Settings, statements: Source, upstream: Upstream, tmp_path: Path
) -> None:
    made = write_day(tmp_path, DAY, 2_000, rows_a_file=500)
    body = made.path.read_bytes()
    upstream.files = {made.path.name: body, made.path.name + ".sha1": made.path.with_name(made.path.name + ".sha1").read_bytes()}
    upstream.break_after = [10**9, 100_000, 50_000]  # the checksum comes whole
    assert statements.part is not None
    fetched = statements.model_copy(update={"part": statements.part.model_copy(update={"max_gigabytes": 1.0})})
    receipt = fetch_and_count(settings, fetched, Due("global_full", DAY), NOW)
    assert upstream.ranges == [None, None, "bytes=100000-", "bytes=150000-"]
    assert cells_of(settings, receipt) == made.counts
    assert [name.split(".", 1)[1] for name in left_behind(settings)] == ["parquet", "receipt.json"]


def test_bytes_stay_where_the_source_keeps_them(settings: Settings, aggregates: Source, upstream: Upstream) -> None:
    body = aggregate_day(DAY, 15, scale=10)[0].encode()
    upstream.files[f"aggregates-{DAY}.csv"] = body
    assert aggregates.part is not None
    keeps = aggregates.model_copy(update={"part": aggregates.part.model_copy(update={"keep_bytes": True})})
    fetch_and_count(settings, keeps, Due("aggregates", DAY), NOW)
    assert [path.read_bytes() for path in settings.data.rglob("*.csv") if path.is_file()] == [body]
    later = aggregate_day(DAY, 15, scale=12)[0].encode()
    upstream.files[f"aggregates-{DAY}.csv"] = later  # the next vintage has the same name
    fetch_and_count(settings, keeps, Due("aggregates", DAY), NOW + timedelta(days=20))
    assert {path.read_bytes() for path in settings.data.rglob("*.csv") if path.is_file()} == {body, later}


def test_a_part_that_was_fetched_whole_by_a_killed_run_is_not_fetched_again_unless_it_changed(
    settings: Settings, aggregates: Source, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"aggregates-{DAY}.csv"
    upstream.files[name] = aggregate_day(DAY, 20)[0].encode()

    def killed(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    for body, ranges in (
        (upstream.files[name], f"bytes={len(upstream.files[name])}-"),
        (aggregate_day(DAY, 22)[0].encode(), "bytes="),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(streamed, "count_part", killed)
            with pytest.raises(KeyboardInterrupt):
                fetch_and_count(settings, aggregates, Due("aggregates", DAY), NOW)
        upstream.files[name] = body
        receipt = fetch_and_count(settings, aggregates, Due("aggregates", DAY), NOW)
        assert str(upstream.ranges[-1]).startswith(ranges)
        assert receipt.n_bytes == len(body)


def test_a_download_longer_than_the_part_is_dropped_and_fetched_from_the_begin(
    settings: Settings, aggregates: Source, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"aggregates-{DAY}.csv"
    body = upstream.files[name] = aggregate_day(DAY, 20)[0].encode()

    def killed(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(streamed, "count_part", killed)
        with pytest.raises(KeyboardInterrupt):
            fetch_and_count(settings, aggregates, Due("aggregates", DAY), NOW)
    next(path for path in settings.data.rglob(name) if path.is_file()).write_bytes(body + b"more")
    assert fetch_and_count(settings, aggregates, Due("aggregates", DAY), NOW).n_bytes == len(body)
    assert upstream.ranges == [None, f"bytes={len(body) + 4}-", None]


def test_the_files_of_a_folder_are_counted_in_the_order_of_their_names(
    settings: Settings, aggregates: Source, tmp_path: Path
) -> None:
    folder = tmp_path / "days"
    folder.mkdir()
    for offset in (2, 0, 4, 1, 3):  # no order in which a file system lists them
        aggregate(folder, DAY - timedelta(days=offset), 20)
    (folder / ".hidden").write_text("no part")
    receipts = add_file(settings, aggregates, str(folder), NOW)
    assert [receipt.part_on for receipt in receipts] == [DAY - timedelta(days=offset) for offset in (4, 3, 2, 1, 0)]


def test_a_redirect_to_a_host_that_is_not_listed_names_the_host_and_the_line_to_edit(
    settings: Settings, aggregates: Source, upstream: Upstream
) -> None:
    upstream.redirects[f"aggregates-{DAY}.csv"] = "https://storage.example.org/signed.csv?signature=secret"
    with pytest.raises(SourceChangedError, match=r"its host 'storage\.example\.org' is not among") as refused:
        fetch_and_count(settings, aggregates, Due("aggregates", DAY), NOW)
    path, _, number = refused.value.where.rpartition(":")
    line = Path(path).read_text(encoding="utf-8").splitlines()[int(number) - 1]
    assert line.strip() == f"hosts: [{aggregates.fetch.hosts[0]}]"
    assert "add it to `hosts` on this line" in refused.value.fix
    assert "secret" not in str(refused.value)
    assert left_behind(settings) == []


def test_a_disk_too_small_is_said_before_the_download(
    settings: Settings, aggregates: Source, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    upstream.files[f"aggregates-{DAY}.csv"] = aggregate_day(DAY, 500)[0].encode()
    usage = streamed.shutil.disk_usage(CHECKOUT)
    monkeypatch.setattr(streamed.shutil, "disk_usage", lambda _: usage._replace(free=streamed.RESERVE + 1_000))
    with pytest.raises(PublishRefusedError, match="the part needs"):
        fetch_and_count(settings, aggregates, Due("aggregates", DAY), NOW)
    assert left_behind(settings) == []


def test_a_part_beyond_the_cap_is_refused_and_a_source_without_one_is_never_fetched(
    settings: Settings, aggregates: Source, statements: Source, upstream: Upstream
) -> None:
    upstream.files[f"aggregates-{DAY}.csv"] = aggregate_day(DAY, 500)[0].encode()
    assert aggregates.part is not None
    small = aggregates.model_copy(update={"part": aggregates.part.model_copy(update={"max_gigabytes": 1e-5})})
    with pytest.raises(SourceChangedError, match="beyond the cap"):
        fetch_and_count(settings, small, Due("aggregates", DAY), NOW)
    assert parts_due(settings, statements, NOW.date()) == []
    with pytest.raises(UsageError, match="is never fetched"):
        fetch_and_count(settings, statements, Due("global_full", DAY), NOW)


def test_another_definition_makes_a_part_stale_and_due_again(
    settings: Settings, aggregates: Source, upstream: Upstream, tmp_path: Path
) -> None:
    upstream.files[f"aggregates-{DAY}.csv"] = aggregate_day(DAY, 30)[0].encode()
    old = tmp_path / "dsa_aggregates"
    old.mkdir()
    (old / "counts.sql").write_text(
        (aggregates.folder / "counts.sql").read_text(encoding="utf-8").replace("'none'", "'restricted'"), encoding="utf-8"
    )
    fetch_and_count(settings, aggregates.model_copy(update={"folder": old}), Due("aggregates", DAY), NOW)
    assert list(served(settings, aggregates)) == []
    assert Due("aggregates", DAY) in parts_due(settings, aggregates, DAY + timedelta(days=19))
    fetch_and_count(settings, aggregates, Due("aggregates", DAY), NOW + timedelta(days=1))
    assert len(list(served(settings, aggregates))) == 1


def test_counts_sql_reads_the_part_and_nothing_else(aggregates: Source, tmp_path: Path) -> None:
    (tmp_path / "counts.sql").write_text("/*---\ndescription: Other.\n---*/\nselect * from part, other", encoding="utf-8")
    with pytest.raises(ContentError, match=r"counts\.sql reads other, part"):
        counts_sql(aggregates.model_copy(update={"folder": tmp_path}))


def test_parquet_gives_the_same_counts_as_the_archive(settings: Settings, statements: Source, tmp_path: Path) -> None:
    made = write_day(tmp_path, DAY, 3_000, rows_a_file=1_000)
    assert statements.part is not None
    batches = archives.batches_of(made.path, statements.part, archives.Tally())
    frame = pl.concat([pl.DataFrame(pl.from_arrow(batch)) for batch in batches])
    frame.write_parquet(tmp_path / "day.parquet")
    receipt = add_file(settings, statements, str(tmp_path / "day.parquet"), NOW, on=DAY)[0]
    assert cells_of(settings, receipt) == made.counts
    with_gaps = frame.with_columns(
        pl.when(pl.int_range(pl.len()) == 7).then(None).otherwise("platform_name").alias("platform_name")
    )
    with_gaps.with_columns(
        platform_name=pl.when(pl.int_range(pl.len()) == 7).then(None).otherwise(frame["platform_name"])
    ).write_parquet(tmp_path / "gaps.parquet")
    receipt = add_file(settings, statements, str(tmp_path / "gaps.parquet"), NOW, on=DAY)[0]
    assert (receipt.n_listed, receipt.n_counted, receipt.n_rejected) == (3_000, 2_999, 1)


def test_posts_need_their_set_and_licence_and_a_cell_under_ten_posts_is_left_out(
    settings: Settings, posts: Source, tmp_path: Path
) -> None:
    sample = posts.folder / "sample" / "posts.csv"
    with pytest.raises(UsageError, match="needs --label and --licence"):
        add_file(settings, posts, str(sample), NOW)
    lines = sample.read_text(encoding="utf-8").splitlines()
    (tmp_path / "posts.csv").write_text("\n".join(lines[:-1]) + "\n", encoding="utf-8")  # one cell has nine posts now
    receipt = add_file(settings, posts, str(tmp_path / "posts.csv"), NOW, label="made", licence="CC BY-NC 4.0")[0]
    frame = counts_of(settings, receipt)
    assert (receipt.n_listed, receipt.n_counted) == (39, 30)
    assert frame["n_posts"].min() == 10
    assert frame["_licence"].unique().to_list() == ["CC BY-NC 4.0"]


def test_the_inbox_of_a_source_with_labels_gives_each_file_with_the_licence_beside_it_until_it_is_counted(
    settings: Settings, posts: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATAMOAT_ROOT", str(settings.content))
    monkeypatch.setenv("DATAMOAT_DATA", str(settings.data))
    folder = settings.data / "inbox" / posts.id / "made"
    folder.mkdir(parents=True)
    path = Path(shutil.copy(posts.folder / "sample" / "posts.csv", folder / "posts.csv"))
    (folder / "LICENCE").write_text("CC BY-NC 4.0\nAsk the author.\n")
    (folder / "posts.csv.sha256").write_text(hashlib.sha256(path.read_bytes()).hexdigest())
    (folder / ".posts.csv.part").write_text("half")
    assert orchestrated.parts(posts.id) == [{"path": str(path), "label": "made", "licence": "CC BY-NC 4.0"}]
    assert orchestrated.count(posts.id, orchestrated.parts(posts.id)[0])["n_listed"] == 40
    assert orchestrated.parts(posts.id) == []


def test_post_ids_that_do_not_hold_the_creation_second_are_refused(settings: Settings, posts: Source, tmp_path: Path) -> None:
    text = (posts.folder / "sample" / "posts.csv").read_text(encoding="utf-8").replace("2024-04-10 17:30", "2024-04-10 17:31")
    (tmp_path / "posts.csv").write_text(text, encoding="utf-8")
    with pytest.raises(SourceChangedError, match="creation time in the post ids"):
        add_file(settings, posts, str(tmp_path / "posts.csv"), NOW, label="made", licence="made")


KILLED = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from datamoat.ingest.streamed import add_file
from datamoat.project.sources import find_source
from datamoat.settings import Settings
settings = Settings(Path(sys.argv[1]), Path(sys.argv[2]))
print("ready", flush=True)
add_file(settings, find_source(settings.content, "dsa_statements"), sys.argv[3], datetime(2025, 7, 3, 7, tzinfo=UTC))
print("done", flush=True)
"""


def cpu_seconds(process: int) -> float:
    """Return the CPU time that a running process has used."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def kill_at_moments(settings: Settings, path: Path, n_moments: int) -> int:
    """Count a part in a process that is killed, each time a little later; return how often it was killed before its end.

    Moments are shares of the CPU time that the whole count needs, so that they are spread over it on a busy machine too.
    """
    call = [sys.executable, "-c", KILLED, str(CHECKOUT)]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([*call, str(settings.data / "whole"), str(path)], check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    shutil.rmtree(settings.data / "whole")
    whole = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    killed = 0
    for moment in range(n_moments):
        with subprocess.Popen([*call, str(settings.data), str(path)], stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            child.stdout.readline()
            ready = cpu_seconds(child.pid)
            while child.poll() is None and cpu_seconds(child.pid) < ready + (whole - ready) * 0.9 * (moment + 0.5) / n_moments:
                time.sleep(0.002)
            if child.poll() is None:
                os.kill(child.pid, signal.SIGKILL)
                killed += 1
    return killed


@pytest.mark.parametrize(
    ("n_rows", "n_moments"),
    [(30_000, 4), pytest.param(5_000_000, 20, marks=pytest.mark.slow)],
    ids=["small", "five million rows"],
)
def test_a_count_that_is_killed_leaves_nothing_half_done_and_the_next_gives_the_same(
    settings: Settings, statements: Source, tmp_path: Path, n_rows: int, n_moments: int
) -> None:
    made = write_day(tmp_path, DAY, n_rows, rows_a_file=min(100_000, n_rows // 6))
    n_killed = kill_at_moments(settings, made.path, n_moments)
    print(f"killed {n_killed} of {n_moments} times")  # noqa: T201
    assert n_killed >= n_moments / 2
    assert all(cells_of(settings, one) == made.counts for one in read_receipts(settings, statements))
    receipt = add_file(settings, statements, str(made.path), NOW)[0]
    assert cells_of(settings, receipt) == made.counts
    assert [name.split(".", 1)[1] for name in left_behind(settings)] == ["parquet", "receipt.json"]


def test_a_full_disk_is_one_of_our_errors_and_leaves_no_receipt(
    settings: Settings, aggregates: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, _ = aggregate(tmp_path, DAY, 40)

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr("datamoat.ingest.counting.pq.write_table", full)
    with pytest.raises(PublishRefusedError, match="No space left"):
        count_part(settings, aggregates, PartFile("aggregates", str(path), path.name, "file:x", DAY), NOW)
    assert left_behind(settings) == []


def test_a_renamed_platform_is_counted_under_its_new_name(settings: Settings, aggregates: Source, tmp_path: Path) -> None:
    path, counts = aggregate(tmp_path, DAY, 30, platforms=("TikTok Europe", "YouTube"))
    receipt = add_file(settings, aggregates, str(path), NOW)[0]
    assert set(counts_of(settings, receipt)["platform_name"]) == {"TikTok Europe", "YouTube"} == {cell[0] for cell in counts}


def test_counts_that_are_missing_are_named(settings: Settings, aggregates: Source, tmp_path: Path) -> None:
    path, _ = aggregate(tmp_path, DAY, 30)
    receipt = add_file(settings, aggregates, str(path), NOW)[0]
    (settings.snapshots / "dsa_aggregates" / "parts" / receipt.counts).unlink()
    with pytest.raises(ContentError, match=f"counts of {path.name} are missing"):
        raw_relations(settings, [aggregates])
    assert replace(receipt, n_listed=1).snapshot_id == receipt.snapshot_id


def test_an_address_is_for_spark_and_a_file_that_is_none_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def part(path: str) -> PartFile:
        return PartFile("day", path, "part", "file:part", None, None)

    with pytest.raises(UsageError, match=r"(?s)only Spark reads an address.*--engine spark --remote"):
        _identity(part("s3://bucket/part"), None, "")
    with pytest.raises(UsageError, match="no such file"):
        _identity(part(str(tmp_path / "none")), None, "")
    (tmp_path / "part").write_bytes(b"abc")
    assert _identity(part(str(tmp_path / "part")), None, "") == (hashlib.sha256(b"abc").hexdigest(), 3)
    listed = [["part-0.parquet", 5, 1], ["part-1.parquet", 7, 2]]
    monkeypatch.setattr(
        "datamoat.ingest.spark.listing", lambda path, _: listed if path in {"s3://bucket/part", str(tmp_path)} else []
    )
    expected = (hashlib.sha256(json.dumps([listed, "d"]).encode()).hexdigest(), 12)
    assert _identity(part("s3://bucket/part"), "sc://host:15002", "d") == expected
    assert _identity(part(str(tmp_path)), None, "d") == expected  # a folder that this machine sees too


def with_part(source: Source, **changes: Any) -> Source:
    """Return a streamed source with some of its declarations changed."""
    assert source.part is not None
    return source.model_copy(update={"part": source.part.model_copy(update=changes)})


def test_a_part_may_have_as_many_bytes_as_the_cap_and_as_the_disk_leaves(
    settings: Settings, aggregates: Source, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = upstream.files[f"aggregates-{DAY}.csv"] = aggregate_day(DAY, 20)[0].encode()
    usage = shutil.disk_usage(CHECKOUT)

    def fetched(cap: int, free: int) -> int:
        monkeypatch.setattr(streamed.shutil, "disk_usage", lambda _: usage._replace(free=free))
        capped = with_part(aggregates, max_gigabytes=(cap + 0.5) / 1e9)
        return fetch_and_count(settings, capped, Due("aggregates", DAY), NOW).n_bytes

    reserve = 256 * 2**20
    with pytest.raises(SourceChangedError, match=f"has {len(body):,} bytes or more, beyond the cap of {len(body) - 1:,}"):
        fetched(len(body) - 1, 2 * reserve)
    with pytest.raises(PublishRefusedError, match=f"needs {len(body):,} bytes and the disk has {len(body) + reserve - 1:,} free"):
        fetched(len(body), len(body) + reserve - 1)
    assert fetched(len(body), len(body) + reserve) == len(body)


def test_a_part_is_asked_for_four_times_and_what_came_is_not_fetched_again(
    settings: Settings, aggregates: Source, upstream: Upstream
) -> None:
    body = upstream.files[f"aggregates-{DAY}.csv"] = aggregate_day(DAY, 40)[0].encode()
    upstream.break_after = [100] * 4
    with pytest.raises(SourceUnavailableError):
        fetch_and_count(settings, aggregates, Due("aggregates", DAY), NOW)
    upstream.break_after = [100] * 3
    assert fetch_and_count(settings, aggregates, Due("aggregates", DAY), NOW).n_bytes == len(body)
    assert upstream.ranges == [None, *(f"bytes={have}-" for have in range(100, 800, 100))]


def test_a_row_in_a_thousand_may_be_malformed(settings: Settings, statements: Source, tmp_path: Path) -> None:
    made = write_day(tmp_path / "good", DAY, 3_996, rows_a_file=2_000, n_malformed=4)
    receipt = add_file(settings, statements, str(made.path), NOW)[0]
    assert (receipt.n_listed, receipt.n_rejected) == (4_000, 4)
    made = write_day(tmp_path / "bad", DAY, 3_995, rows_a_file=2_000, n_malformed=4)
    with pytest.raises(SourceChangedError, match=r"4 of 3,999 rows are malformed"):
        add_file(settings, statements, str(made.path), NOW)


@pytest.mark.parametrize("limit", ["MOST_MEMBERS", "MOST_RATIO"])
def test_an_archive_may_have_as_many_members_and_unpack_to_as_many_bytes_as_its_limits(
    settings: Settings, aggregates: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    path, _ = aggregate(tmp_path, DAY, 40)
    packed = tmp_path / f"aggregates-{DAY}.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.mkdir("folder")
        archive.write(path, "a.csv")
    exact = 1 if limit == "MOST_MEMBERS" else path.stat().st_size / packed.stat().st_size
    monkeypatch.setattr(archives, limit, exact * 0.999)
    with pytest.raises(SourceChangedError, match=f"declares 1 members of {path.stat().st_size:,} bytes: a bomb"):
        add_file(settings, aggregates, str(packed), NOW)
    monkeypatch.setattr(archives, limit, exact)
    assert add_file(settings, aggregates, str(packed), NOW)[0].n_listed == 40


def test_an_archive_is_opened_two_levels_deep_stored_or_packed(settings: Settings, aggregates: Source, tmp_path: Path) -> None:
    path, counts = aggregate(tmp_path, DAY, 40)
    body = path.read_bytes()
    for depth, how in ((1, zipfile.ZIP_STORED), (2, zipfile.ZIP_STORED), (2, zipfile.ZIP_DEFLATED), (3, zipfile.ZIP_STORED)):
        inner, name = body, "A.CSV"
        for _ in range(depth):
            packed = io.BytesIO()
            with zipfile.ZipFile(packed, "w", how) as archive:
                archive.writestr(name, inner)
            inner, name = packed.getvalue(), "b.ZIP"
        place = tmp_path / f"{DAY}-{depth}-{how}.zip"
        place.write_bytes(inner)
        if depth > 2:
            with pytest.raises(SourceChangedError, match="neither a CSV nor a ZIP of CSVs"):
                add_file(settings, aggregates, str(place), NOW)
        else:
            frame = counts_of(settings, add_file(settings, aggregates, str(place), NOW)[0])
            assert {(*row[:1], *row[2:5]): row[5] for row in frame.rows()} == counts


def test_only_a_member_that_is_not_too_large_is_read_again_with_a_backslash(
    settings: Settings, statements: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = write_day(tmp_path, DAY, 1_000, rows_a_file=1_000, backslash=True)
    made.path.with_name(made.path.name + ".sha1").unlink()
    with zipfile.ZipFile(made.path) as outer, zipfile.ZipFile(io.BytesIO(outer.read(outer.namelist()[0]))) as inner:
        size = inner.infolist()[0].file_size
    monkeypatch.setattr(archives, "WHOLE", size - 1)
    with pytest.raises(SourceChangedError, match=r"malformed|not the CSV"):
        add_file(settings, statements, str(made.path), NOW)
    monkeypatch.setattr(archives, "WHOLE", size)
    assert cells_of(settings, add_file(settings, statements, str(made.path), NOW)[0]) == made.counts


def test_what_is_stored_of_a_part_is_compared_whole(settings: Settings, aggregates: Source, tmp_path: Path) -> None:
    path, _ = aggregate(tmp_path, DAY, 5_000)
    body = path.read_bytes() + b"\n"
    (tmp_path / f"{path.name}.sha256").write_text(f"{hashlib.sha256(body).hexdigest().upper()}  {path.name}\n")
    path.write_bytes(body)
    (receipt,) = add_file(settings, aggregates, str(path), NOW)
    assert read_receipts(settings, aggregates) == [receipt]
    (counts,) = (settings.snapshots / "dsa_aggregates" / "parts").glob("*.parquet")
    sha256 = hashlib.sha256(body).hexdigest()
    assert aggregates.part is not None
    total = counts_of(settings, receipt)[aggregates.part.total].sum()
    assert receipt == replace(
        receipt, source_id="dsa_aggregates", request="aggregates", part=path.name, part_on=DAY, captured_on=NOW.date(),
        retrieved_at=NOW, url=f"file:{path.name}", n_bytes=len(body), sha256=sha256, publisher_checksum=f"sha256:{sha256}",
        n_listed=5_000, n_counted=total, n_rejected=0, first_bad=None, is_cut=True, counts=counts.name,
        counts_sha256=hashlib.sha256(counts.read_bytes()).hexdigest(), label=None, licence=None, engine="duckdb",
    )  # fmt: skip
    assert counts.name.startswith(f"{NOW.date()}-{sha256[:12]}-{receipt.definition[:8]}-")
    row = {
        "snapshot_id": receipt.snapshot_id, "source_id": "dsa_aggregates", "request": "aggregates", "captured_on": NOW.date(),
        "retrieved_at": NOW.replace(tzinfo=None), "validation_status": "ok", "is_served": True,
        "reason": "cut at 5,000 rows: totals are lower bounds", "n_rows": 5_000, "n_bytes": len(body), "sha256": sha256,
        "url": f"file:{path.name}",
    }  # fmt: skip
    assert landing_rows(settings, [aggregates]) == [row]
    assert landing_rows(settings, [with_part(aggregates, is_exact=False)]) == [
        row | {"is_served": False, "reason": f"{row['reason']}; counted under another definition, or again later"}
    ]


def test_a_part_that_another_host_counted_is_not_due(
    settings: Settings, aggregates: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store is a folder here; `tests/hosts` has one that answers as S3 does."""
    bucket = tmp_path / "bucket"

    def share(own: Settings, folder: str) -> None:
        for one, other in ((own.data / folder, bucket / folder), (bucket / folder, own.data / folder)):
            if one.is_dir():
                shutil.copytree(one, other, dirs_exist_ok=True)

    monkeypatch.setattr("datamoat.ingest.part_receipts.synchronise", share)
    monkeypatch.setattr("datamoat.ingest.streamed.synchronise", share)
    path, _ = aggregate(tmp_path, DAY, 40)
    today = NOW.date()
    second = replace(settings, data=tmp_path / "second")
    assert Due("aggregates", DAY) in parts_due(second, aggregates, today)
    add_file(settings, aggregates, str(path), NOW)
    assert Due("aggregates", DAY) not in parts_due(second, aggregates, today)
