"""The index of faults: each of the 88 has a test that carries its id, and each guard is where the index has it."""

import ast
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

CHECKOUT = Path(__file__).resolve().parents[2]
INDEX: dict[str, dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("faults.yml").read_text(encoding="utf-8"))
SIZES = {"A": 25, "B": 9, "C": 5, "D": 13, "E": 12, "F": 18, "G": 6}


def test_the_index_has_the_88_faults() -> None:
    assert list(INDEX) == [f"{letter}{n:02d}" for letter, size in SIZES.items() for n in range(1, size + 1)]
    assert len(INDEX) == 88


@pytest.mark.parametrize("fault", INDEX)
def test_a_fault_has_a_test_that_carries_its_id_and_runs_by_default(fault: str) -> None:
    file, _, name = INDEX[fault]["test"].partition("::")
    function, _, case = name.partition("[")
    assert re.search(rf"(^|[^a-z0-9]){fault}([^a-z0-9]|$)", name, re.IGNORECASE), name
    found = [
        node for node in ast.parse((CHECKOUT / file).read_text(encoding="utf-8")).body if getattr(node, "name", "") == function
    ]
    assert len(found) == 1
    assert "pytest.mark.slow" not in [ast.unparse(each) for each in found[0].decorator_list]  # type: ignore[attr-defined]
    if file.startswith("tests/models/"):
        model, _, title = case.removesuffix("]").partition(": ")
        assert title in yaml.safe_load((CHECKOUT / "tests" / "models" / f"{model}.yml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("fault", INDEX)
def test_the_guard_of_a_fault_is_where_the_index_has_it_and_can_be_taken_away(fault: str) -> None:
    assert INDEX[fault]["guard"]
    for patch in INDEX[fault]["guard"]:
        text = (CHECKOUT / patch["file"]).read_text(encoding="utf-8")
        assert Counter({"times": text.count(patch["old"])}) == {"times": 1}, (patch["file"], patch["old"])
        assert patch["old"] != patch["new"]
        if patch["file"].endswith(".py") and len(INDEX[fault]["guard"]) == 1:
            ast.parse(text.replace(patch["old"], patch["new"]))
