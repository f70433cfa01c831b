"""A twin differs by what was asked for and by nothing else."""

import csv
from pathlib import Path

import pytest

from datamoat.errors import UsageError
from datamoat.project.read import read_project
from datamoat.scenarios.rebuild import _drop_facts, _set_numbers, leading_to, read_number

HEADER = "assumption_id,name,distribution,p05,p50,p95,is_read\n"


@pytest.fixture
def assumptions(tmp_path: Path) -> Path:
    path = tmp_path / "assumptions.csv"
    path.write_text(HEADER + "A001,yield_share,beta,0.1,0.2,0.3,true\nA002,yield_more,lognormal,1,2,3,false\n")
    return path


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as handle:
        return list(csv.DictReader(handle))


@pytest.mark.parametrize(
    ("text", "read"), [("a=0.3", ("a", (0.3, 0.3, 0.3))), ("b=3,1,2", ("b", (1.0, 2.0, 3.0))), ("c =1e6", ("c", (1e6, 1e6, 1e6)))]
)
def test_a_number_or_three_are_read(text: str, read: tuple[str, tuple[float, float, float]]) -> None:
    assert read_number(text) == read


@pytest.mark.parametrize("text", ["a", "a=", "a=x", "a=1,2", "a=1,2,3,4"])
def test_anything_else_is_refused_with_the_two_forms(text: str) -> None:
    with pytest.raises(UsageError, match="NAME=LOW,MIDDLE,HIGH"):
        read_number(text)


def test_one_number_fixes_an_assumption_and_leaves_the_others_alone(assumptions: Path) -> None:
    _set_numbers(assumptions, {"yield_share": (0.5, 0.5, 0.5)})
    one, two = rows(assumptions)
    assert (one["distribution"], one["p05"], one["p95"]) == ("fixed", "0.5", "0.5")
    assert list(two.values()) == ["A002", "yield_more", "lognormal", "1", "2", "3", "false"]


def test_three_numbers_keep_the_distribution_and_ids_work_too(assumptions: Path) -> None:
    _set_numbers(assumptions, {"A001": (0.2, 0.4, 0.6)})
    assert (rows(assumptions)[0]["distribution"], rows(assumptions)[0]["p50"]) == ("beta", "0.4")


def test_an_unknown_assumption_is_refused_with_its_neighbours(assumptions: Path) -> None:
    with pytest.raises(UsageError, match=r"yield_more.*yield_share"):
        _set_numbers(assumptions, {"yield_shard": (1.0, 1.0, 1.0)})


def test_an_assumption_that_no_model_reads_is_refused_before_anything_is_built(assumptions: Path) -> None:
    with pytest.raises(UsageError, match="no model reads A002 yield_more"):
        _set_numbers(assumptions, {"yield_more": (1.0, 1.0, 1.0)})


def test_a_dropped_fact_is_ruled_out_once(tmp_path: Path) -> None:
    path = tmp_path / "observation_rulings.csv"
    path.write_text("fact_id,ruling,reason\nF0001,stale_floor,Old.\nF0002,drop,Other.\n")
    _drop_facts(path, ["F0001"])
    assert [(row["fact_id"], row["ruling"]) for row in rows(path)] == [("F0002", "drop"), ("F0001", "drop")]


def test_a_twin_builds_only_what_leads_to_its_mart(tree: Path) -> None:
    project = leading_to(read_project(tree), "marts.lab_volume")
    assert [model.name for model in project.models] == ["stg_reference__facts", "int_lab__uploads", "lab_volume"]
