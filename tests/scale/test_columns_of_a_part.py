"""What is wrong in one column of a part, in all of its rows or in half of them, and yesterday's counts under today's date."""

import re
from collections.abc import Callable
from contextlib import nullcontext
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tests.scale.conftest import NOW, left_behind
from tests.scale.publisher_days import AGGREGATE, FULL, aggregate_day, write_day
from tests.scale.test_rejected_rows import parquet_of
from tests.scale.test_streamed import DAY

from datamoat.errors import SourceChangedError
from datamoat.ingest.part_receipts import PartReceipt, read_receipts
from datamoat.ingest.streamed import add_file
from datamoat.project.sources import Source
from datamoat.settings import Settings

Change = Callable[[pl.DataFrame], pl.DataFrame]


def in_all(column: str, value: Any) -> Change:
    return lambda frame: frame.with_columns(pl.lit(value, pl.String).alias(column))


def replaced(column: str, old: str, new: str) -> Change:
    return lambda frame: frame.with_columns(pl.col(column).str.replace_all(old, new, literal=True))


def exchanged(column: str, other: str) -> Change:
    return lambda frame: frame.with_columns(pl.col(column).alias(other), pl.col(other).alias(column))


def in_half(change: Change) -> Change:
    return lambda frame: pl.concat([change(frame.head(frame.height // 2)), frame.tail(-(frame.height // 2))])


AGGREGATES: dict[str, tuple[Change, str]] = {
    "content types in lower case": (lambda frame: frame.with_columns(pl.col("content_type_single").str.to_lowercase()), "content_type_single has a word"),
    "no content type": (in_all("content_type_single", None), "content_type_single is missing"),
    "a content type without its prefix": (replaced("content_type_single", "CONTENT_TYPE_", ""), "content_type_single has a word"),
    "a decision under another word": (replaced("decision_visibility_single", "REMOVED", "DELETED"), "decision_visibility_single has a word"),
    "decisions on accounts and on visibility exchanged": (exchanged("decision_account", "decision_visibility_single"), "has a word|is a word"),
    "no decision on visibility": (in_all("decision_visibility_single", None), "none of the four restrictions"),
    "a monetary decision that is none": (in_all("decision_monetary", "0"), "decision_monetary is a word"),
    "a restriction of the service that is none": (in_all("decision_provision", "TOTAL"), "decision_provision is a word"),
    "no row detected by machine": (in_all("automated_detection", "0"), "every decision of several platforms, or none, was detected by machine"),
    "every row detected by machine": (in_all("automated_detection", "1"), "every decision of several platforms, or none, was detected"),
    "totals ten times as much": (lambda frame: frame.with_columns(pl.col("total") + "0"), "all totals are multiples of one number"),
    "every row twice": (lambda frame: pl.concat([frame, frame]), "a row is there twice"),
    "one row twice": (lambda frame: pl.concat([frame, frame.head(1)]), "a row is there twice"),
    "a word for none in half of the names": (in_half(in_all("platform_name", "N/A")), "platform_name is a word for none"),
    "a space of no width in the names": (replaced("platform_name", "Tok", "\u200bTok"), "a character or a space that is not seen"),
    "a space that does not break in the names": (replaced("platform_name", " ", "\u00a0"), "a character or a space that is not seen"),
    "a space after the names": (lambda frame: frame.with_columns(pl.col("platform_name") + " "), "a character or a space that is not seen"),
    "half of the names in upper case": (in_half(lambda frame: frame.with_columns(pl.col("platform_name").str.to_uppercase())), "differ in the case of letters"),
}  # fmt: skip


def aggregates_of(day: date = DAY, n_groups: int = 120) -> pl.DataFrame:
    return pl.read_csv(aggregate_day(day, n_groups)[0].encode(), infer_schema=False)


@pytest.mark.parametrize("what", AGGREGATES)
def test_a_day_of_aggregates_with_a_column_that_is_wrong_is_refused_by_its_name(
    settings: Settings, aggregates: Source, tmp_path: Path, what: str
) -> None:
    change, sign = AGGREGATES[what]
    path = tmp_path / f"aggregates-{DAY}.csv"
    change(aggregates_of()).select(AGGREGATE).write_csv(path)
    with pytest.raises(SourceChangedError, match=sign):
        add_file(settings, aggregates, str(path), NOW)
    assert left_behind(settings) == []


STATEMENTS: dict[str, tuple[Change, str]] = {
    "content types in lower case": (lambda frame: frame.with_columns(pl.col("content_type").str.to_lowercase()), "content_type has a word"),
    "no content type": (in_all("content_type", None), "content_type is missing"),
    "content types without a list": (lambda frame: frame.with_columns(pl.col("content_type").str.strip_chars('[]"')), "content_type has a word"),
    "no decision on visibility": (in_all("decision_visibility", None), "none of the four restrictions"),
    "a decision under another word": (replaced("decision_visibility", "DISABLED", "HIDDEN"), "decision_visibility has a word"),
    "another word for a suspended account": (in_all("decision_account", "SUSPENDED"), "decision_account is a word"),
    "a monetary decision that is none": (in_all("decision_monetary", "0"), "decision_monetary is a word"),
    "a restriction of the service that is none": (in_all("decision_provision", "TOTAL"), "decision_provision is a word"),
    "no decision detected by machine": (in_all("automated_detection", "No"), "every decision of several platforms, or none, was detected by machine"),
    "a word for none in half of the names": (in_half(in_all("platform_name", "none")), "platform_name is a word for none"),
    "a space of no width in the names": (replaced("platform_name", "Tok", "\u200bTok"), "a character or a space that is not seen"),
    "half of the names in upper case": (in_half(lambda frame: frame.with_columns(pl.col("platform_name").str.to_uppercase())), "differ in the case of letters"),
}  # fmt: skip


@pytest.mark.parametrize("what", STATEMENTS)
def test_a_day_of_statements_with_a_column_that_is_wrong_is_refused_by_its_name(
    settings: Settings, statements: Source, tmp_path: Path, what: str
) -> None:
    change, sign = STATEMENTS[what]
    frame = parquet_of(statements, write_day(tmp_path, DAY, 300).path)
    change(frame).write_parquet(tmp_path / "day.parquet")
    with pytest.raises(SourceChangedError, match=sign):
        add_file(settings, statements, str(tmp_path / "day.parquet"), NOW, on=DAY)
    assert left_behind(settings) == []


def test_a_file_of_one_platform_may_have_no_decision_detected_by_machine(
    settings: Settings, statements: Source, tmp_path: Path
) -> None:
    frame = parquet_of(statements, write_day(tmp_path, DAY, 300).path)
    one = in_all("automated_detection", "No")(frame).filter(pl.col("platform_name") == "TikTok")
    one.write_parquet(tmp_path / "day.parquet")
    assert add_file(settings, statements, str(tmp_path / "day.parquet"), NOW, on=DAY)[0].n_counted == one.height


def test_every_word_of_the_publisher_is_taken_in_a_decision_of_several(
    settings: Settings, aggregates: Source, tmp_path: Path
) -> None:
    """The words of the publisher's code, joined as it joins them."""
    visibility = [f"CONTENT_{word}" for word in ("REMOVED", "DISABLED", "DEMOTED", "AGE_RESTRICTED", "INTERACTION_RESTRICTED", "LABELLED")]  # fmt: skip
    words = {
        "content_type_single": [f"CONTENT_TYPE_{word}" for word in ("APP", "AUDIO", "IMAGE", "PRODUCT", "SYNTHETIC_MEDIA", "TEXT", "VIDEO", "OTHER")],
        "decision_visibility_single": [f"DECISION_VISIBILITY_{word}" for word in (*visibility, "OTHER")],
        "decision_account": ["DECISION_ACCOUNT_SUSPENDED", "DECISION_ACCOUNT_TERMINATED"],
        "decision_monetary": [f"DECISION_MONETARY_{word}" for word in ("SUSPENSION", "TERMINATION", "OTHER")],
        "decision_provision": [f"DECISION_PROVISION_{part}_{word}" for part in ("PARTIAL", "TOTAL") for word in ("SUSPENSION", "TERMINATION")],
    }  # fmt: skip
    frame = aggregates_of()
    for column, known in words.items():
        joined = [*known, "__".join(known)] if column.endswith("_single") else known
        frame = frame.with_columns(pl.Series(column, [joined[n % len(joined)] for n in range(frame.height)]))
    path = tmp_path / f"aggregates-{DAY}.csv"
    frame.write_csv(path)
    assert add_file(settings, aggregates, str(path), NOW)[0].n_rejected == 0


def added(settings: Settings, source: Source, folder: Path, frame: pl.DataFrame, day: date = DAY, hours: int = 0) -> PartReceipt:
    """Add a file of aggregates as that of a day, all of its rows under that day."""
    path = folder / f"aggregates-{day}.csv"
    in_all("received_date", str(day))(frame).write_csv(path)
    return add_file(settings, source, str(path), NOW + timedelta(days=60, hours=hours))[0]


@pytest.mark.parametrize("days", [1, -3, 30])
def test_the_counts_of_another_day_under_a_new_date_are_a_copy(
    settings: Settings, aggregates: Source, tmp_path: Path, days: int
) -> None:
    frame, other = aggregates_of(), DAY + timedelta(days=days)
    added(settings, aggregates, tmp_path, frame)
    with pytest.raises(SourceChangedError, match=rf"rows of counts are those of aggregates-{DAY}\.csv but for the day: a copy"):
        added(settings, aggregates, tmp_path, frame, other)
    totals = frame["total"].to_list()
    exchanged_two = frame.with_columns(pl.Series("total", [totals[1], totals[0], *totals[2:]]))  # the same sum
    assert added(settings, aggregates, tmp_path, exchanged_two, other).n_counted == sum(map(int, totals))


@pytest.mark.parametrize(("n_groups", "days", "is_taken"), [(120, 0, True), (7, 1, True), (8, 1, False)])
def test_the_same_day_again_and_another_day_of_a_few_rows_are_no_copies(
    settings: Settings, aggregates: Source, tmp_path: Path, n_groups: int, days: int, is_taken: bool
) -> None:
    frame = aggregates_of(DAY, n_groups)
    added(settings, aggregates, tmp_path, frame)
    again = frame.with_columns(pl.col("category") + "_2")  # other bytes, the same counts
    with nullcontext() if is_taken else pytest.raises(SourceChangedError, match="a copy under another date"):
        added(settings, aggregates, tmp_path, again, DAY + timedelta(days=days), hours=1)
    assert len(read_receipts(settings, aggregates)) == 1 + is_taken


def test_a_part_in_utf_16_is_named_as_such(settings: Settings, aggregates: Source, tmp_path: Path) -> None:
    path = tmp_path / f"aggregates-{DAY}.csv"
    for encoding in ("utf-16", "utf-16-be"):
        text = aggregate_day(DAY, 20)[0]
        path.write_bytes(("\ufeff" + text if encoding.endswith("be") else text).encode(encoding))
        with pytest.raises(SourceChangedError, match=re.escape(f"{path.name} is UTF-16, as a spreadsheet saves it")):
            add_file(settings, aggregates, str(path), NOW)


def test_the_columns_that_are_read_are_in_the_full_and_in_the_light_file(statements: Source, captures: Path) -> None:
    part = statements.part
    light = (captures / "eu_dsa_transparency_db" / "schema" / "sor-light-v2.header.csv").read_text(encoding="utf-8")
    assert part is not None
    assert part.columns.keys() <= set(FULL) & set(light.strip().split(","))
