"""Data in, data out: every `tests/models/<model>.yml` names a model, tables to give it and rows to expect.

The cells of a table are separated by `|`; an empty cell is null, `[]` an empty list; types come from the dictionary, or from the
header: `elo:DOUBLE`. A header that ends with `...` adds, as nulls, the other columns of the dictionary that the model names. `expect`
compares only the columns it names, numbers to 12 digits, in the order of the model's rows after sorting by them.
"""

import importlib.util
import re
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
import yaml

from datamoat.project.model import Model, Project
from datamoat.project.read import read_project
from datamoat.storage.lake import identifier

FOLDER = Path(__file__).parent
CASES = [
    (path.stem, title) for path in sorted(FOLDER.glob("*.yml")) for title in yaml.safe_load(path.read_text(encoding="utf-8"))
]


@pytest.fixture(scope="session")
def project(checkout: Path) -> Project:
    return read_project(checkout)


def table(text: str) -> tuple[list[str], list[list[str | None]]]:
    lines = [[cell.strip() or None for cell in line.split("|")] for line in text.strip().splitlines()]
    return [str(name) for name in lines[0]], lines[1:]


def typed(con: duckdb.DuckDBPyConnection, project: Project, text: str, model: str = "") -> pl.DataFrame:
    header, records = table(text)
    if header[-1] == "...":
        given = {cell.partition(":")[0] for cell in header}
        header[-1:] = sorted((set(re.findall(r"\w+", model)) & set(project.columns)) - given)
        records = [record[: len(given) - 1] + [None] * (len(header) - len(given) + 1) for record in records]
    names = [cell.partition(":")[0] for cell in header]
    types = {
        name: cell.partition(":")[2] or (project.columns[name].type if name in project.columns else "VARCHAR")
        for name, cell in zip(names, header, strict=True)
    }
    con.execute("create or replace temp table _given (" + ", ".join(f"{identifier(n)} VARCHAR" for n in names) + ")")
    if records:
        con.executemany(f"insert into _given values ({', '.join('?' * len(names))})", records)
    casts = [
        f"case {identifier(n)} when '[]' then []::varchar[] else string_split({identifier(n)}, ';') end AS {identifier(n)}"
        if types[n] == "VARCHAR[]"
        else f"{identifier(n)}::{types[n]} AS {identifier(n)}"
        for n in names
    ]
    return con.sql(f"select {', '.join(casts)} from _given").pl()


def run(con: duckdb.DuckDBPyConnection, project: Project, model: Model, case: dict[str, Any]) -> dict[str, pl.DataFrame]:
    given = {name: typed(con, project, text, model.text) for name, text in case["given"].items()}
    as_of = date.fromisoformat(str(case.get("as_of", "2026-10-08")))
    if not model.is_sql:
        specification = importlib.util.spec_from_file_location(model.name, model.path)
        assert specification is not None
        assert specification.loader is not None
        module = importlib.util.module_from_spec(specification)
        specification.loader.exec_module(module)
        arguments = {name.split(".")[1]: frame.lazy() for name, frame in given.items()}
        constants = {"settings": {**project.build, **case.get("settings", {})}, "as_of": as_of}
        result = module.model(**arguments, **{name: constants[name] for name in model.constants})
        frames = result if isinstance(result, dict) else {model.name: result}
        return {name: pl.DataFrame(frame.lazy().collect()) for name, frame in frames.items()}
    con.execute(f"set variable as_of = date '{as_of}'")
    for name, frame in given.items():
        schema = name.split(".")[0]
        con.execute(f"create schema if not exists {schema}")
        con.register("_frame", frame.to_arrow())
        con.execute(f"create table {name} as from _frame")
        con.unregister("_frame")
    return {model.name: con.sql(model.text).pl()}


@pytest.mark.parametrize(("name", "title"), CASES, ids=[f"{name}: {title}" for name, title in CASES])
def test_a_model_turns_the_given_rows_into_the_expected(project: Project, name: str, title: str) -> None:
    case = yaml.safe_load((FOLDER / f"{name}.yml").read_text(encoding="utf-8"))[title]
    model = next(model for model in project.models if any(table.name == name for table in model.tables))
    with duckdb.connect() as con:
        found = run(con, project, model, case)[name]
        wanted = typed(con, project, case["expect"])
        con.register("_found", found.select(wanted.columns).to_arrow())
        con.register("_wanted", wanted.to_arrow())
        casts = ", ".join(
            f"format('{{:.12g}}', {identifier(n)}::double) AS {identifier(n)}"
            if kind == pl.Float64
            else f"{identifier(n)}::varchar AS {identifier(n)}"
            for n, kind in wanted.schema.items()
        )
        order = "order by all"
        assert (
            con.sql(f"select {casts} from _found {order}").fetchall()
            == con.sql(f"select {casts} from _wanted {order}").fetchall()
        )
