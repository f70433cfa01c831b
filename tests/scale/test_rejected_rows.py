"""What is present and wrong is counted as rejected or refused by name; captures of one day are never added up."""

import json
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from tests.scale.conftest import CHECKOUT, NOW, cells_of, counts_of, left_behind
from tests.scale.publisher_days import aggregate_day, write_day
from tests.scale.test_streamed import DAY, aggregate
from typer.testing import CliRunner

from datamoat.cli.app import app
from datamoat.errors import ContentError, DatamoatError, SourceChangedError, UsageError
from datamoat.ingest import archives
from datamoat.ingest.landings import landing_rows, raw_relations
from datamoat.ingest.part_receipts import definition_of, read_receipts, served
from datamoat.ingest.streamed import add_file
from datamoat.project.read import read_model
from datamoat.project.sources import Source
from datamoat.settings import Settings
from datamoat.storage.snapshots import examine_snapshots

ABOUT = {"label": "made", "licence": "made for a test"}


def edited(source: Source, tmp_path: Path, change: Callable[[list[str]], None]) -> Path:
    """Write the sample of posts with the fields of its third row changed."""
    lines = (source.folder / "sample" / "posts.csv").read_text(encoding="utf-8").splitlines()
    fields = lines[3].split(",")
    change(fields)
    lines[3] = ",".join(fields)
    (tmp_path / "posts.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return tmp_path / "posts.csv"


@pytest.mark.parametrize(
    ("total", "why"),
    [
        ('"1,234"', "total is 1,234, not of type BIGINT"), ("abc", "total is abc, not"), ('" "', "total is  , not"), ("", "total is missing"),
        ("10.6", "total is 10.6, not"), ("7.0000001", "total is 7.0000001, not"), ("0x1F", "total is 0x1F, not"), ("-5", "a total is not positive"), ("0", "a total is not positive"),
    ],
)  # fmt: skip
def test_a_total_that_is_no_positive_integer_is_rejected_by_row_and_named(
    settings: Settings, aggregates: Source, tmp_path: Path, total: str, why: str
) -> None:
    text, _ = aggregate_day(DAY, 2_000)
    lines = text.splitlines()
    lost = int(lines[9].rsplit(",", 1)[1])
    lines[9] = lines[9].rsplit(",", 1)[0] + f",{total}"
    path = tmp_path / f"aggregates-{DAY}.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    receipt = add_file(settings, aggregates, str(path), NOW)[0]
    whole = sum(int(line.rsplit(",", 1)[1]) for line in text.splitlines()[1:])
    assert (receipt.n_listed, receipt.n_rejected, receipt.n_counted) == (2_000, 1, whole - lost)
    assert why in str(receipt.first_bad)
    path.write_text("\n".join(lines[:50]) + "\n", encoding="utf-8")
    with pytest.raises(
        SourceChangedError, match=f"1 of 49 rows are malformed, the first: {path.name}: .*{why.partition(',')[0]}"
    ):
        add_file(settings, aggregates, str(path), NOW)


def test_a_day_with_a_time_of_day_is_rejected(settings: Settings, aggregates: Source, tmp_path: Path) -> None:
    lines = aggregate_day(DAY, 2_000)[0].splitlines()
    lines[9] = lines[9].replace(f"{DAY}", f"{DAY} 23:59:00")
    path = tmp_path / f"aggregates-{DAY}.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    receipt = add_file(settings, aggregates, str(path), NOW)[0]
    assert receipt.n_rejected == 1
    assert f"received_date is {DAY} 23:59:00, not of type DATE" in str(receipt.first_bad)


@pytest.mark.parametrize(("column", "value"), [(2, "0:20"), (2, "inf"), (4, "1.2K"), (3, "perhaps"), (1, "yesterday")], ids=str)
def test_a_post_with_a_value_that_does_not_cast_is_rejected(
    settings: Settings, posts: Source, tmp_path: Path, column: int, value: str
) -> None:
    path = edited(posts, tmp_path, lambda fields: fields.__setitem__(column, value))
    with pytest.raises(
        SourceChangedError, match=rf"1 of 40 rows are malformed, the first: posts\.csv: '\w+ is {value}, not of type"
    ):
        add_file(settings, posts, str(path), NOW, **ABOUT)
    pl.read_csv(path, infer_schema=False).write_parquet(tmp_path / "posts.parquet")
    with pytest.raises(SourceChangedError, match=rf"1 of 40 rows are malformed, the first: posts\.parquet: '\w+ is {value}, not"):
        add_file(settings, posts, str(tmp_path / "posts.parquet"), NOW, **ABOUT)
    assert left_behind(settings) == []


@pytest.mark.parametrize(("value", "why"), [("2", "neither 0 nor 1"), ("", "automated_detection is missing")])
def test_a_detection_that_is_neither_is_rejected(
    settings: Settings, aggregates: Source, tmp_path: Path, value: str, why: str
) -> None:
    path, _ = aggregate(tmp_path, DAY, 60)
    path.write_text(path.read_text(encoding="utf-8").replace("FULLY,1,", f"FULLY,{value},", 1), encoding="utf-8")
    with pytest.raises(SourceChangedError, match=why):
        add_file(settings, aggregates, str(path), NOW)


@pytest.mark.parametrize(("column", "value"), [(2, "-1"), (2, "1e20"), (4, "-3")])
def test_a_length_or_views_that_no_post_has_are_rejected(
    settings: Settings, posts: Source, tmp_path: Path, column: int, value: str
) -> None:
    path = edited(posts, tmp_path, lambda fields: fields.__setitem__(column, value))
    with pytest.raises(SourceChangedError, match="is negative"):
        add_file(settings, posts, str(path), NOW, **ABOUT)


def parquet_of(source: Source, path: Path) -> pl.DataFrame:
    assert source.part is not None
    return pl.concat([pl.DataFrame(pl.from_arrow(batch)) for batch in archives.batches_of(path, source.part, archives.Tally())])


@pytest.mark.parametrize("name", ["day[1].parquet", "d*.parquet", "platform_name=Other/day.parquet"])
def test_a_parquet_path_is_no_pattern_and_no_partition(settings: Settings, statements: Source, tmp_path: Path, name: str) -> None:
    made = write_day(tmp_path / "made", DAY, 500)
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    frame = parquet_of(statements, made.path)
    frame.write_parquet(path)
    frame.write_parquet(tmp_path / "day1.parquet")  # what the patterns would match
    receipt = add_file(settings, statements, str(path), NOW, on=DAY)[0]
    assert cells_of(settings, receipt) == made.counts


def test_rows_of_another_day_are_refused(settings: Settings, statements: Source, tmp_path: Path) -> None:
    made = write_day(tmp_path, DAY, 3_000)
    frame = parquet_of(statements, made.path)
    late = pl.when(pl.int_range(pl.len()) == 7).then(pl.lit(f"{DAY + timedelta(days=1)} 00:00:01"))
    frame.with_columns(created_at=late.otherwise("created_at")).write_parquet(tmp_path / "day.parquet")
    receipt = add_file(settings, statements, str(tmp_path / "day.parquet"), NOW, on=DAY)[0]
    assert (receipt.n_listed, receipt.n_counted, receipt.n_rejected) == (3_000, 2_999, 1)
    assert "of another day" in str(receipt.first_bad)
    assert counts_of(settings, receipt)["received_on"].unique().to_list() == [DAY]
    with pytest.raises(SourceChangedError, match=r"3,000 of 3,000 rows .* of another day"):
        add_file(settings, statements, str(made.path), NOW, on=DAY - timedelta(days=1))


def test_equal_bytes_under_another_label_are_another_set_and_on_a_later_day_nothing_new(
    settings: Settings, posts: Source
) -> None:
    path = str(posts.folder / "sample" / "posts.csv")
    for label in ("made", "census"):
        for days in (0, 1):
            add_file(settings, posts, path, NOW + timedelta(days=days), label=label, licence="made for a test")
    assert sorted(str(one.label) for one in served(settings, posts)) == ["census", "made"]
    raw = pl.read_parquet(raw_relations(settings, [posts])["video_posts__counts"].paths)
    assert raw.group_by("_label").agg(pl.col("n_posts").sum()).sort("_label").rows() == [("census", 40), ("made", 40)]
    assert len({row["snapshot_id"] for row in landing_rows(settings, [posts])}) == 2


def test_a_set_added_again_under_another_licence_counts_once_and_has_the_last_licence(settings: Settings, posts: Source) -> None:
    path = str(posts.folder / "sample" / "posts.csv")
    for days, licence in ((0, "CC BY"), (0, "CC BY-NC"), (1, "CC BY-ND")):
        add_file(settings, posts, path, NOW + timedelta(days=days), label="made", licence=licence)
    assert [one.licence for one in served(settings, posts)] == ["CC BY-ND"]
    assert len(read_receipts(settings, posts)) == 3


def test_copies_of_a_day_and_a_platforms_own_file_are_counted_once(
    settings: Settings, statements: Source, tmp_path: Path
) -> None:
    made = write_day(tmp_path, DAY, 2_000)
    frame = parquet_of(statements, made.path)
    frame.write_csv(tmp_path / f"copy-{DAY}.csv", line_terminator="\r\n")
    own = frame.filter(pl.col("platform_name") == "TikTok").head(100)
    own.write_csv(tmp_path / f"tiktok-{DAY}.csv")
    for hours, path in enumerate((made.path, tmp_path / f"copy-{DAY}.csv", tmp_path / f"tiktok-{DAY}.csv")):
        add_file(settings, statements, str(path), NOW + timedelta(hours=hours))
    raw = pl.read_parquet(raw_relations(settings, [statements])["dsa_statements__counts"].paths)
    model = read_model(statements.folder / "stg_dsa_statements__statements.sql", CHECKOUT / "transforms")
    with duckdb.connect() as con:
        con.register("counts", raw)
        con.execute("create schema raw; create view raw.dsa_statements__counts as from counts")
        found = con.sql(model.text).pl()
    assert raw.height > found.height == found.select(found.columns[:7]).n_unique()
    others = frame.filter(pl.col("platform_name") != "TikTok").height
    assert found["n_statements"].sum() == others + 100


def test_files_of_one_name_in_two_folders_are_both_counted(settings: Settings, posts: Source, tmp_path: Path) -> None:
    sample = posts.folder / "sample" / "posts.csv"
    lines = sample.read_text(encoding="utf-8").splitlines()
    for folder, rows in (("a", lines), ("b", [lines[0], *lines[1:31]])):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "posts.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
        add_file(settings, posts, str(tmp_path / folder / "posts.csv"), NOW, **ABOUT)
    assert len(list(served(settings, posts))) == 2
    shutil.copy(tmp_path / "a" / "posts.csv", tmp_path / "again.csv")
    add_file(settings, posts, str(tmp_path / "again.csv"), NOW, **ABOUT)
    assert len(list(served(settings, posts))) == 2


def test_the_receipt_of_a_healthy_part_is_not_damaged(settings: Settings, posts: Source) -> None:
    add_file(settings, posts, str(posts.folder / "sample" / "posts.csv"), NOW, **ABOUT)
    assert all(good for good, _, _ in examine_snapshots(settings.snapshots))


def test_counts_that_were_edited_are_named(settings: Settings, aggregates: Source, tmp_path: Path) -> None:
    path, _ = aggregate(tmp_path, DAY, 30)
    receipt = add_file(settings, aggregates, str(path), NOW)[0]
    (settings.snapshots / "dsa_aggregates" / "parts" / receipt.counts).write_bytes(b"PAR1 damaged")
    with pytest.raises(ContentError, match=f"counts of {path.name} are not what was stored"):
        raw_relations(settings, [aggregates])


@pytest.mark.parametrize(
    "change", [{"refuse": {"a sentence": "false"}}, {"reject": {}}, {"is_exact": False}, {"counts_every_row": True}], ids=str
)
def test_a_rule_that_changes_makes_another_definition(aggregates: Source, change: dict[str, Any]) -> None:
    assert aggregates.part is not None
    other = aggregates.model_copy(update={"part": aggregates.part.model_copy(update=change)})
    assert definition_of(other) != definition_of(aggregates)


def test_count_names_the_stale_parts_of_a_source_that_is_never_fetched(
    settings: Settings, posts: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = tmp_path / "video_posts"
    old.mkdir()
    text = (posts.folder / "counts.sql").read_text(encoding="utf-8").replace("n_views < 3 ", "n_views < 4 ")
    (old / "counts.sql").write_text(text, encoding="utf-8")
    sample = str(posts.folder / "sample" / "posts.csv")
    add_file(settings, posts.model_copy(update={"folder": old}), sample, NOW, **ABOUT)
    monkeypatch.setattr("datamoat.cli.streamed.read_settings", lambda: settings)
    result = CliRunner().invoke(app, ["count", "video_posts"])
    assert result.exit_code == 1
    assert result.output == "posts.csv: counted under another definition; add the file again\n"
    add_file(settings, posts, sample, NOW, **ABOUT)
    assert CliRunner().invoke(app, ["count", "video_posts"]).exit_code == 0
    assert len(read_receipts(settings, posts)) == 2


def test_count_takes_every_day_from_the_first_to_the_last_and_refuses_the_wrong_order(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("datamoat.cli.streamed.read_settings", lambda: settings)
    for until, days in ((None, ["2025-06-29"]), ("2025-07-01", ["2025-06-29", "2025-06-30", "2025-07-01"])):
        words = [
            "count",
            "dsa_aggregates",
            "--since",
            "2025-06-29",
            *(["--until", until] if until else []),
            "--dry-run",
            "--json",
        ]
        assert [row["day"] for row in json.loads(CliRunner().invoke(app, words).stdout)] == days
    result = CliRunner().invoke(app, ["count", "dsa_aggregates", "--since", "2025-06-30", "--until", "2025-06-01"])
    assert isinstance(result.exception, UsageError)
    assert "is after --until" in str(result.exception)


def test_what_cannot_be_read_is_one_of_our_errors(settings: Settings, aggregates: Source, posts: Source, tmp_path: Path) -> None:
    path, _ = aggregate(tmp_path, DAY, 30)
    text = path.read_text(encoding="utf-8")
    cut = tmp_path / "posts.parquet"
    pl.read_csv(posts.folder / "sample" / "posts.csv", infer_schema=False, glob=False).write_parquet(cut)
    cut.write_bytes(cut.read_bytes()[:-20])
    with pytest.raises(SourceChangedError, match="the Parquet cannot be read"):
        add_file(settings, posts, str(cut), NOW, **ABOUT)
    for changed, why in (
        (text.replace("\n", "\r"), "header of .* cannot be read"), (text.splitlines()[0] + "\n", "a header and no row"),
    ):  # fmt: skip
        path.write_bytes(changed.encode())
        with pytest.raises(SourceChangedError, match=why):
            add_file(settings, aggregates, str(path), NOW)
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match="its name has no day"):
        add_file(settings, aggregates, str(shutil.copy(path, tmp_path / "today.csv")), NOW)
    path.with_name(path.name + ".sha1").write_text("not found\n", encoding="utf-8")
    with pytest.raises(DatamoatError, match="holds no checksum"):
        add_file(settings, aggregates, str(path), NOW)
    assert left_behind(settings) == []


def test_a_header_is_exact_inside_an_archive_too(settings: Settings, aggregates: Source, tmp_path: Path) -> None:
    import zipfile

    path, _ = aggregate(tmp_path, DAY, 30)
    swapped = path.read_text(encoding="utf-8").replace("category,content_type_single", "content_type_single,category")
    with zipfile.ZipFile(tmp_path / f"aggregates-{DAY}.zip", "w") as archive:
        archive.writestr("a.csv", swapped)
    with pytest.raises(SourceChangedError, match="the header is"):
        add_file(settings, aggregates, str(tmp_path / f"aggregates-{DAY}.zip"), NOW)
