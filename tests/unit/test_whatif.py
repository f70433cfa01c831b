"""A scenario build differs by what is changed and by nothing else, and what cannot be followed is refused by name."""

import csv
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import duckdb
import pytest

from datamoat.build.record import read_build
from datamoat.build.run import build_models
from datamoat.errors import ModelFailedError, UsageError
from datamoat.project.python_models import load
from datamoat.project.read import read_project
from datamoat.publish.audit import audit_build
from datamoat.publish.warehouse import publish_warehouse, rollback
from datamoat.scenarios.rebuild import leading_to, scenario_build
from datamoat.scenarios.whatif import Change, whatif
from datamoat.settings import Settings
from datamoat.storage.lake import path_of

UNREAD = duckdb.connect()  # what is published is read for lengths alone
HEADER = "assumption_id,name,distribution,p05,p50,p95,unit,is_read\n"
VOLUMES = '''"""Uploads may be changed."""

TARGET = "marts.lab_volume"
QUANTITY = "uploads"


def acts_after_fit(con, numbers):
    return False


def change_inputs(reference, numbers, facts, published):
    path = reference / "facts.csv"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(line for line in lines if line.split(",")[0] not in facts))
    return ["facts"]
'''


@pytest.fixture
def volumes(checkout: Path) -> ModuleType:
    return load(checkout / "reports" / "whatif" / "volumes.py")


@pytest.fixture
def reference(tmp_path: Path) -> Path:
    (tmp_path / "assumptions.csv").write_text(
        HEADER + "A001,yield_share,beta,0.1,0.2,0.3,fraction,true\nA002,yield_more,lognormal,1,2,3,hours,false\n"
    )
    (tmp_path / "observation_rulings.csv").write_text("fact_id,ruling,reason\nF0001,stale_floor,Old.\nF0002,drop,Other.\n")
    (tmp_path / "platform_observations.csv").write_text("fact_id\nF0001\nF0002\n")
    return tmp_path


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as handle:
        return list(csv.DictReader(handle))


@pytest.mark.parametrize(
    ("text", "wanted"), [("0.3", ("0.3",) * 3), ("1,2,10", ("1", "2", "10")), ("1,1,2", ("1", "1", "2")), ("1e6", ("1e6",) * 3)]
)
def test_one_number_or_three_are_read(volumes: ModuleType, text: str, wanted: tuple[str, str, str]) -> None:
    assert volumes.read_numbers("a", text) == wanted


@pytest.mark.parametrize("text", ["", "x", "1,2", "1,2,3,4"])
def test_anything_else_is_refused_with_the_two_forms(volumes: ModuleType, text: str) -> None:
    with pytest.raises(UsageError, match="NAME=LOW,MIDDLE,HIGH"):
        volumes.read_numbers("a", text)


@pytest.mark.parametrize("text", ["0.3,0.2,0.1", "3,1,2", "10,2,1", "1,nan,2"])
def test_three_numbers_that_are_not_in_order_are_refused(volumes: ModuleType, text: str) -> None:
    with pytest.raises(UsageError, match="is not in order"):
        volumes.read_numbers("a", text)


def test_one_number_fixes_an_assumption_and_leaves_the_others_alone(volumes: ModuleType, reference: Path) -> None:
    assert volumes.change_inputs(reference, {"yield_share": "0.5"}, (), UNREAD) == ["assumptions"]
    one, two = rows(reference / "assumptions.csv")
    assert (one["distribution"], one["p05"], one["p95"]) == ("fixed", "0.5", "0.5")
    assert list(two.values()) == ["A002", "yield_more", "lognormal", "1", "2", "3", "hours", "false"]


def test_three_numbers_keep_the_distribution_and_ids_work_too(volumes: ModuleType, reference: Path) -> None:
    volumes.change_inputs(reference, {"A001": "0.2,0.4,0.6"}, (), UNREAD)
    (one, _) = rows(reference / "assumptions.csv")
    assert (one["distribution"], one["p50"]) == ("beta", "0.4")


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ({"yield_shard": "1"}, r"yield_share or yield_more"),
        ({"yield_more": "1"}, "no model reads A002 yield_more"),
        ({"yield_share": "1.5"}, "is not a share"),
        ({"access.a.b": "0.5"}, "changed in the draws alone"),
        ({"A001": "0.2", "yield_share": "0.3"}, "yield_share is given by its id and by its name"),
    ],
)
def test_what_cannot_be_changed_is_refused_before_anything_is_built(
    volumes: ModuleType, reference: Path, numbers: dict[str, str], message: str
) -> None:
    before = (reference / "assumptions.csv").read_bytes()
    with pytest.raises(UsageError, match=message):
        volumes.change_inputs(reference, numbers, (), UNREAD)
    assert (reference / "assumptions.csv").read_bytes() == before


def test_a_fact_that_is_not_there_is_refused_with_those_near_it(volumes: ModuleType, reference: Path) -> None:
    with pytest.raises(UsageError, match=r"(?s)no fact F0009.*--drop F0009.*did you mean F000\d or F000\d"):
        volumes.change_inputs(reference, {}, ["F0001", "F0009"], UNREAD)
    with pytest.raises(UsageError, match=r"platform_observations.csv are from F0001 to F0002"):
        volumes.change_inputs(reference, {}, ["nope"], UNREAD)


def test_a_dropped_fact_is_ruled_out_once(volumes: ModuleType, reference: Path) -> None:
    assert volumes.change_inputs(reference, {}, ["F0001", "F0001"], UNREAD) == ["observation_rulings"]
    assert [(row["fact_id"], row["ruling"]) for row in rows(reference / "observation_rulings.csv")] == [
        ("F0002", "drop"),
        ("F0001", "drop"),
    ]


def test_a_scenario_builds_only_what_leads_to_its_mart(tree: Path) -> None:
    project = leading_to(read_project(tree), "marts.lab_volume")
    assert [model.name for model in project.models] == ["stg_reference__facts", "int_lab__uploads", "lab_volume"]


def test_a_changed_table_that_does_not_lead_to_the_mart_is_refused_by_name(settings: Settings) -> None:
    build_models(settings, read_project(settings.content))
    with (
        pytest.raises(UsageError, match=r"does not depend on the reference table pages"),
        scenario_build(settings, lambda _: ["facts", "pages"], "marts.lab_volume"),
    ):
        pass


def test_a_scenario_build_leaves_the_lake_and_its_cache_alone(settings: Settings, tree: Path) -> None:
    build = build_models(settings, read_project(tree))

    def double(reference: Path) -> list[str]:
        (reference / "facts.csv").write_text((reference / "facts.csv").read_text().replace("7.0", "14.0"))
        return ["facts"]

    before = {name: path_of(settings.lake, name).read_bytes() for name in build.tables}
    with scenario_build(settings, double, "marts.lab_volume") as lake:
        assert path_of(lake, "marts.lab_volume").read_bytes() != before["marts.lab_volume"]
    assert {name: path_of(settings.lake, name).read_bytes() for name in build.tables} == before
    assert not list(settings.data.glob("whatif-*"))


def test_a_scenario_is_not_compared_with_a_build_of_other_models(settings: Settings, tree: Path) -> None:
    build_models(settings, read_project(tree))
    model = next((tree / "transforms").rglob("lab_volume.sql"))
    model.write_text(model.read_text() + "\n")
    with (
        pytest.raises(ModelFailedError, match="made from other facts, responses, decisions, models or code"),
        scenario_build(settings, lambda _: ["facts"], "marts.lab_volume"),
    ):
        pass


@pytest.fixture
def with_quantiles(settings: Settings, tree: Path) -> Settings:
    """Return a published small tree whose mart has quantiles and whose content declares what may change."""
    mart = tree / "transforms" / "marts" / "volume" / "lab_volume.sql"
    more = "".join(f"    uploads * {f} as uploads_{end},\n" for end, f in (("p05", 0.5), ("p50", 1.0), ("p95", 2.0)))
    mart.write_text(mart.read_text().replace("    uploads\n", f"{more}    uploads\n"))
    columns = tree / "transforms" / "columns.yml"
    columns.write_text(
        columns.read_text()
        + "".join(
            f"uploads_{end}: {{type: DOUBLE, unit: videos a day, description: Uploads.}}\n" for end in ("p05", "p50", "p95")
        )
    )
    model = tree / "transforms" / "intermediate" / "lab" / "int_lab__uploads.py"
    model.write_text(model.read_text().replace('"uploads")', '(pl.col("uploads") / pl.col("uploads").sum()).alias("uploads"))'))
    (tree / "reports" / "whatif").mkdir(parents=True)
    (tree / "reports" / "whatif" / "volumes.py").write_text(VOLUMES)
    project = read_project(tree)
    build_models(settings, project)
    audit_build(settings, project)
    publish_warehouse(settings, project)
    return settings


def test_any_content_tree_declares_its_own_what_if(with_quantiles: Settings) -> None:
    (table,) = whatif(with_quantiles, Change({}, ["tiktok"]))
    assert table.columns[0] == "lab_id"
    ((lab, *_, ratio),) = table.rows
    assert (lab, ratio) == ("douyin", pytest.approx(12 / 5))


@pytest.mark.parametrize(
    ("quantity", "where", "message"),
    [
        ("users", {}, "marts.lab_volume has no users"),
        ("uploads", {"month": "2026-01-01"}, "has no key column month"),
        ("uploads", {"lab_id": "tiktik"}, "(?s)no row of marts.lab_volume has lab_id=tiktik.*did you mean tiktok"),
        ("uploads", {"lab_id": "nope"}, "(?s)has lab_id=nope.*it is one of 2, from douyin to tiktok"),
    ],
)
def test_a_quantity_or_a_row_that_a_mart_does_not_have_is_refused_before_anything_is_built(
    with_quantiles: Settings, monkeypatch: pytest.MonkeyPatch, quantity: str, where: dict[str, str], message: str
) -> None:
    monkeypatch.setattr("datamoat.scenarios.rebuild.build_models", lambda *_: pytest.fail("it builds"))
    with pytest.raises(UsageError, match=message):
        list(whatif(with_quantiles, Change({}, ["tiktok"], where), quantity))


def test_a_lake_whose_build_is_not_the_published_one_is_refused_before_anything_is_built(
    with_quantiles: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    published = read_build(with_quantiles.lake).build_id
    facts = with_quantiles.reference / "facts.csv"
    facts.write_text(facts.read_text().replace("7.0", "8.0"))
    built = build_models(with_quantiles, read_project(with_quantiles.content)).build_id
    monkeypatch.setattr("datamoat.scenarios.rebuild.build_models", lambda *_: pytest.fail("it builds"))
    with pytest.raises(ModelFailedError, match=f"(?s)is {built} and the published one is {published}.*`datamoat run`") as refused:
        list(whatif(with_quantiles, Change({}, ["tiktok"])))
    assert "rollback" not in refused.value.fix  # the build was never published


def test_a_newer_build_in_the_lake_may_be_gone_back_to(with_quantiles: Settings) -> None:
    facts = with_quantiles.reference / "facts.csv"
    project = read_project(with_quantiles.content)
    before = read_build(with_quantiles.lake).build_id
    facts.write_text(facts.read_text().replace("7.0", "8.0"))
    after = build_models(with_quantiles, project).build_id
    audit_build(with_quantiles, project)
    publish_warehouse(with_quantiles, project)
    rollback(with_quantiles, before)
    with pytest.raises(ModelFailedError, match=f"go back with `datamoat rollback {after}`"):
        list(whatif(with_quantiles, Change({}, ["tiktok"])))


def test_a_mistake_of_the_command_line_is_named_before_the_lake_is_checked(settings: Settings) -> None:
    def refuse(_: Path) -> list[str]:
        raise UsageError("there is no fact F1", "--drop F1", "choose another.")

    with pytest.raises(UsageError, match="no fact F1"), scenario_build(settings, refuse, None):  # nothing was built
        pass


def test_without_a_change_or_a_declaration_it_is_refused(with_quantiles: Settings) -> None:
    with pytest.raises(UsageError, match="nothing is changed"):
        list(whatif(with_quantiles, Change({})))
    (with_quantiles.content / "reports" / "whatif" / "volumes.py").unlink()
    with pytest.raises(UsageError, match="declares no what-if"):
        list(whatif(with_quantiles, Change({}, ["tiktok"])))


@pytest.fixture
def with_lengths() -> Iterator[duckdb.DuckDBPyConnection]:
    """Yield a connection to a published file with a set of posts: a month without a weighted length, and one with a wide interval."""
    with duckdb.connect() as con:
        con.execute("attach ':memory:' as published; create schema published.marts")
        con.execute(
            "create table published.marts.post_length as from (values"
            " ('tiktok', date '2024-04-01', 'made', 30.0, 29.0, 31.0), ('tiktok', date '2025-04-01', 'made', 36.0, 34.0, 38.0),"
            " ('tiktok', date '2025-05-01', 'made', null, null, null), ('tiktok', date '2025-06-01', 'made', 40.0, 30.0, 50.0), ('tiktok', date '2025-04-01', 'other', 90.0, 80.0, 95.0))"
            " as t (platform_id, posted_month, set_id, mean_seconds, mean_seconds_p05, mean_seconds_p95)"
        )
        yield con


def test_a_set_of_posts_takes_the_place_of_the_published_lengths_in_what_the_fit_sees(
    checkout: Path, tmp_path: Path, volumes: ModuleType, with_lengths: duckdb.DuckDBPyConnection
) -> None:
    shutil.copytree(checkout / "transforms", tmp_path / "transforms")
    shutil.copytree(checkout / "data" / "reference", tmp_path / "data" / "reference")
    changed = volumes.change_inputs(tmp_path / "data" / "reference", {"length.tiktok": "made"}, (), with_lengths)
    assert changed == ["platform_observations", "observation_rulings"]
    target = "intermediate.int_platform__observation_use"
    settings = Settings(tmp_path, tmp_path / "data")
    build_models(settings, leading_to(read_project(tmp_path), target))
    uses = duckdb.sql(
        f"select fact_id, unused_reason, exp(log_value) as seconds, extra_sd from '{path_of(settings.lake, target)}'"
        f" where fact_id in ('F0217', 'F0218') or source_key = 'set-of-posts:duration' order by fact_id"
    ).fetchall()
    assert [row[:2] for row in uses[:2]] == [("F0217", "another_definition"), ("F0218", "another_definition")]
    assert [row[1] for row in uses[2:]] == [None, None]
    assert [row[2] for row in uses[2:]] == pytest.approx([30, 36])  # over videos: not divided by the share of videos again
    assert [row[3] for row in uses[2:]] == [0, 0]


def test_a_set_that_is_not_there_is_refused_and_the_others_are_named(
    volumes: ModuleType, checkout: Path, with_lengths: duckdb.DuckDBPyConnection
) -> None:
    reference = checkout / "data" / "reference"  # refused before anything is written
    with pytest.raises(UsageError, match=r"no weighted length of douyin from a set 'made'") as refused:
        volumes.change_inputs(reference, {"length.douyin": "made"}, (), with_lengths)
    assert "length.tiktok=made', 'length.tiktok=other" in refused.value.fix


def test_a_scenario_is_not_computed_beside_a_lake_with_a_file_that_changed(settings: Settings) -> None:
    build_models(settings, read_project(settings.content))
    path = path_of(settings.lake, "marts.lab_volume")
    path.unlink()
    path.write_bytes(b"other")
    with (
        pytest.raises(ModelFailedError, match=r"1 file\(s\) of the lake are not what was built: lab_volume"),
        scenario_build(settings, lambda _: [], None),
    ):
        pass
    assert [one.name for one in settings.data.iterdir() if one.name.startswith("whatif-")] == []
