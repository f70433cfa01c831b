"""Units in SQL models: what is added, compared or renamed has one unit, and a product has the unit of its factors.

The dictionary gives a column the same unit everywhere, so that the unit of a plain column is known by its name. An expression
with a constant, a function or a column without a unit in it may convert units, and is left to the tests of its model.
"""

import re
from collections import Counter
from pathlib import Path
from typing import Any

from datamoat.errors import ContentError
from datamoat.project.model import Column
from datamoat.project.sql import nodes, parsed

ALIKE = {"+", "-", "least", "greatest", "coalesce"}
PLAIN = {"share", "fraction", "probability"}  # without a dimension
POINTS = re.compile(r"rating points|points of \w+")  # of which board is a column of its own, and checked as such
PER = re.compile(r" (?:a|an|per) ")


def check_units(sql: str, path: Path, columns: dict[str, Column]) -> None:
    """Compare the units of the columns that a SELECT puts together.

    Raises:
        ContentError: Two units are added or compared, a column is renamed to one of another unit, or a product has another.
    """
    for node in nodes(parsed(sql, path)):
        operands = _operands(node)
        units = {unit: name for name in operands if (unit := _unit(name, columns)) is not None}
        if len(units) > 1:
            (one, first), (other, second), *_ = units.items()
            raise _differ(f"{first} ({one}) and {second} ({other}) are added, compared or put in one column", path)
        for expression in node.get("select_list") or []:
            stated = columns.get(expression.get("alias", ""))
            if stated is not None and stated.unit is not None:
                found = _dimension(expression, columns)
                if found is not None and found != _parts(POINTS.sub("points", stated.unit)):
                    raise _differ(f"{stated.name} is in {stated.unit}, and what it is made of in {_text(found)}", path)


def _operands(node: dict[str, Any]) -> list[str]:
    """Return the plain columns that a node adds, compares or chooses between."""
    if node.get("class") == "COMPARISON":
        found = [node["left"], node["right"]]
    elif node.get("type") == "OPERATOR_COALESCE" or (node.get("class") == "FUNCTION" and node["function_name"] in ALIKE):
        found = _children(node)
    elif node.get("class") == "CASE":
        found = [check["then_expr"] for check in node["case_checks"]] + [node["else_expr"] or {}]
    else:
        return []
    return [name for each in found if (name := _column(each)) is not None]


def _children(node: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what a function or an operator is applied to."""
    return [each["expression"] for each in node.get("arguments", [])] or list(node.get("children", []))


def _dimension(node: dict[str, Any], columns: dict[str, Column]) -> Counter[str] | None:
    """Return the unit of a column, product or quotient, as a power of each of its words; None where it is not known."""
    if (name := _column(node)) is not None:
        unit = _unit(name, columns)
        return None if unit is None else _parts(unit)
    if node.get("class") == "FUNCTION" and node["function_name"] in {"*", "/"} and len(children := _children(node)) > 1:
        left, right = (_dimension(child, columns) for child in children[:2])
        if left is None or right is None:
            return None
        sign = 1 if node["function_name"] == "*" else -1
        return _without_zeros(Counter({word: left[word] + sign * right[word] for word in left | right}))
    return None


def _parts(unit: str) -> Counter[str]:
    """Return a unit as a power of each of its words.

    >>> sorted(_parts("hours a day").items())
    [('day', -1), ('hours', 1)]
    """
    above, *below = PER.split(unit)
    return _without_zeros(Counter({above: 0 if above in PLAIN else 1, **dict.fromkeys(below, -1)}))


def _without_zeros(powers: Counter[str]) -> Counter[str]:
    return Counter({word: power for word, power in powers.items() if power})


def _text(powers: Counter[str]) -> str:
    return " ".join(f"{word}^{power}" if power != 1 else word for word, power in sorted(powers.items())) or "no unit"


def _column(node: dict[str, Any]) -> str | None:
    return str(node["column_names"][-1]) if node.get("class") == "COLUMN_REF" else None


def _unit(name: str, columns: dict[str, Column]) -> str | None:
    column = columns.get(name)
    return None if column is None or column.unit is None else POINTS.sub("points", column.unit)


def _differ(what: str, path: Path) -> ContentError:
    return ContentError(what, str(path), "convert one of them, or correct the unit in transforms/columns.yml.")
