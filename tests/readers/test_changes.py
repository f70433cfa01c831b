"""Every difference between two builds has one cause, the right one, and the counts add up."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from datamoat.errors import UsageError
from datamoat.publish.diff import attach, compare_builds, differences
from datamoat.settings import Settings
from datamoat.storage.warehouse import retained_builds

Publish = Callable[[Settings], Settings]
UPLOADS = "transforms/intermediate/lab/int_lab__uploads.sql"


def change(settings: Settings) -> list[tuple[str, str, str, str | None, str | None, str, list[str]]]:
    with duckdb.connect(str(settings.published), read_only=True) as con:
        return con.sql(
            "select table_name, row_key, column_name, old_value, new_value, cause, other_causes from marts.change order by all"
        ).fetchall()


def edit(settings: Settings, name: str, old: str, new: str) -> None:
    path = settings.content / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def add_up(settings: Settings) -> None:
    """Compare the rows of `change` with what `diff` counts."""
    current, earlier = retained_builds(settings)[:2]
    with duckdb.connect() as con:
        attach(con, "before", earlier.path)
        attach(con, "after", current.path)
        counted = Counter[tuple[str, str]]()
        for difference in differences(con):
            if difference.table_name == "lab_volume_draws":
                continue
            for column, n in difference.columns.items():
                counted[difference.table_name, column] += n
            counted[difference.table_name, "*"] += difference.n_added + difference.n_removed
        listed = Counter((table, column) for table, _, column, *_ in change(settings))
    assert listed == +counted
    assert listed


def test_the_first_build_has_no_differences(made: Settings) -> None:
    assert change(made) == []


def test_a_column_that_came_is_a_difference(fresh: Settings, publish: Publish) -> None:
    edit(fresh, "transforms/marts/volume/lab_volume.sql", "select *", "select *, uploads as uploads_again")
    edit(
        fresh,
        "transforms/columns.yml",
        "n_seen:",
        "uploads_again: {type: DOUBLE, unit: videos per day, description: The same again.}\nn_seen:",
    )
    publish(fresh)
    current, earlier = retained_builds(fresh)[:2]
    with duckdb.connect() as con:
        attach(con, "before", earlier.path)
        attach(con, "after", current.path)
        found = {difference.table_name: difference for difference in differences(con)}
    assert (found["lab_volume"].summary, found["lab_volume"].is_none) == ("+uploads_again", False)
    assert found["source_freshness"].is_none


def test_an_edited_fact_is_a_correction(fresh: Settings, publish: Publish) -> None:
    edit(fresh, "data/reference/facts.csv", "p03,", "p03,")
    text = (fresh.reference / "facts.csv").read_text().replace(",-3,true,", ",-33,true,")
    (fresh.reference / "facts.csv").write_text(text)
    publish(fresh)
    assert change(fresh) == [("lab_volume", "platform_id=p03", "n_seen", "-3", "-33", "correction", [])]
    add_up(fresh)


def test_a_fact_that_is_new_is_a_source_and_one_withdrawn_a_correction(fresh: Settings, publish: Publish) -> None:
    lines = (fresh.reference / "facts.csv").read_text().splitlines()
    (fresh.reference / "facts.csv").write_text("\n".join([*lines[:-1], 'zz,"""new""",1.5,2,true,2026-03-02,C1']) + "\n")
    publish(fresh)
    reported = {(key, column): (cause, others) for _, key, column, _, _, cause, others in change(fresh)}
    assert set(reported) == {("platform_id=p29", "*"), ("platform_id=zz", "*")}
    assert list(reported.values()) == [("correction", ["source"])] * 2  # both happened to this file: one is named, one beside it
    add_up(fresh)
    _, (columns, rows) = compare_builds(fresh, None, "lab_volume", 50)
    assert columns == ("platform_id", "column_name", "value_before", "value_after")
    sides = {(key, before is None, after is None) for key, _, before, after in rows}
    assert sides == {("p29", False, True), ("zz", True, False)}
    assert ("zz", "n_seen", None, "2") in rows
    assert compare_builds(fresh, None, "lab_volume", 1)[1][1] == rows[:1]


def test_the_rows_of_a_mart_that_only_one_build_has_are_refused_and_the_build_without_it_is_named(
    fresh: Settings, publish: Publish
) -> None:
    mart = fresh.content / "transforms" / "marts" / "volume" / "lab_volume.sql"
    mart.with_name("lab_volume_again.sql").write_text(mart.read_text())
    publish(fresh)
    current, earlier = retained_builds(fresh)[:2]
    with pytest.raises(UsageError) as refused:
        compare_builds(fresh, None, "lab_volume_again", 5)
    assert f"build {earlier.build_id}" in str(refused.value)
    with pytest.raises(UsageError) as refused:
        compare_builds(fresh, None, "nonsuch", 5)
    assert current.build_id not in str(refused.value)


def test_a_changed_model_is_method(fresh: Settings, publish: Publish) -> None:
    edit(fresh, UPLOADS, "tags, uploads,", "tags, uploads * 2 as uploads,")
    publish(fresh)
    found = change(fresh)
    assert {(column, cause) for _, _, column, _, _, cause, _ in found} == {("uploads", "method")}
    assert len(found) == 30
    add_up(fresh)


def test_a_model_that_a_column_is_not_computed_from_is_not_its_cause(fresh: Settings, publish: Publish) -> None:
    freshness = "transforms/marts/trust/source_freshness.sql"
    edit(fresh, freshness, "null::varchar as reason", "'because' as reason")
    text = (fresh.reference / "facts.csv").read_text().replace(",-3,true,", ",-33,true,")
    (fresh.reference / "facts.csv").write_text(text)
    publish(fresh)
    assert {(table, column, cause) for table, _, column, _, _, cause, _ in change(fresh)} == {
        ("lab_volume", "n_seen", "correction"),
        ("source_freshness", "reason", "method"),
    }
    add_up(fresh)


def test_a_file_that_says_whose_a_thing_is_is_an_entity_merge(fresh: Settings, publish: Publish) -> None:
    edit(fresh, "transforms/build.yml", "seed: 1\n", "seed: 1\ncauses: {entity_merge: [reference__facts]}\n")
    publish(fresh)
    text = (fresh.reference / "facts.csv").read_text().replace(",-3,true,", ",-33,true,")
    (fresh.reference / "facts.csv").write_text(text)
    publish(fresh)
    assert [row[5] for row in change(fresh)] == ["entity_merge"]


def test_a_file_of_our_choices_is_method(fresh: Settings, publish: Publish) -> None:
    edit(fresh, "transforms/build.yml", "seed: 1\n", "seed: 1\ncauses: {method: [reference__facts]}\n")
    publish(fresh)
    text = (fresh.reference / "facts.csv").read_text().replace(",-3,true,", ",-33,true,")
    (fresh.reference / "facts.csv").write_text(text)
    publish(fresh)
    assert [row[5] for row in change(fresh)] == ["method"]


def test_a_row_of_a_later_day_is_a_new_period(fresh: Settings, publish: Publish) -> None:
    edit(fresh, "transforms/marts/volume/lab_volume.sql", "grain: [platform_id]", "grain: [platform_id, stated_on]")
    publish(fresh)
    (fresh.reference / "facts.csv").write_text(
        (fresh.reference / "facts.csv").read_text() + 'zz,"""new""",1.5,2,true,2026-06-02,C1\n'
    )
    publish(fresh)
    assert [(key, column, cause) for _, key, column, _, _, cause, _ in change(fresh)] == [
        ("platform_id=zz; stated_on=2026-06-02", "*", "new_period")
    ]
    add_up(fresh)


def test_publishing_again_keeps_the_differences(fresh: Settings, publish: Publish) -> None:
    edit(fresh, UPLOADS, "tags, uploads,", "tags, uploads * 2 as uploads,")
    publish(fresh)
    first = change(fresh)
    publish(fresh)
    assert change(fresh) == first


@pytest.mark.parametrize("damage", [b"", b"not a database"])
def test_a_damaged_published_file_takes_no_difference_away(fresh: Settings, publish: Publish, damage: bytes) -> None:
    edit(fresh, UPLOADS, "tags, uploads,", "tags, uploads * 2 as uploads,")
    Path(fresh.published).unlink()
    fresh.published.write_bytes(damage)
    publish(fresh)
    assert {row[0] for row in change(fresh)} == {"lab_volume"}
    add_up(fresh)
