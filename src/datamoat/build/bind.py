"""Bind every SQL model to empty inputs: its columns, their types and its grain are known without a build."""

from datetime import date

import duckdb

from datamoat.build import meta_tables
from datamoat.build.run import check_declared
from datamoat.errors import ModelFailedError
from datamoat.project.model import LAYERS, Project
from datamoat.project.reference import ReferenceTable, input_rows
from datamoat.project.sources import Source
from datamoat.settings import Settings
from datamoat.storage.lake import identifier, path_of, quoted


def bind_models(
    settings: Settings, project: Project, sources: tuple[Source, ...], facts: tuple[ReferenceTable, ...], today: date
) -> int:
    """Bind the SQL models in graph order and return how many there were.

    A Polars model is taken as its last build left it; where there is none, or the file is newer, what reads it is left to
    the build.

    Raises:
        ModelFailedError: A model does not bind, has a column that the dictionary lacks or types otherwise, or its header
            names a column that is not there.
    """
    n_bound = 0
    with duckdb.connect(config={"threads": "2"}) as con:
        for schema in ("raw", "meta", *LAYERS):
            con.execute(f"create schema {schema}")
        frames = {f"raw.reference__{fact.name}": fact.frame.clear() for fact in facts}
        frames |= {f"meta.{name}": frame.clear() for name, frame in meta_tables.input_tables(sources, [], facts).items()}
        frames["meta.input_rows"] = input_rows(settings.reference, facts).clear()
        for name, frame in frames.items():
            con.register("incoming", frame.to_arrow())
            con.execute(f"create table {name} as from incoming")
            con.unregister("incoming")
        for source in sources:
            for name, parsed in source.tables.items():
                columns = ", ".join(f"{identifier(column)} {kind}" for column, kind in parsed.all_columns.items())
                con.execute(f"create table raw.{source.id}__{name} ({columns})")
        con.execute("set variable as_of = $today", {"today": today})
        known = {*frames, *(f"raw.{source.id}__{name}" for source in sources for name in source.tables)}
        for model in project.models:
            if not model.is_sql:
                built = [table for table in model.tables if path_of(settings.lake, table.id).is_file()]
                for table in built:
                    path = path_of(settings.lake, table.id)
                    if path.stat().st_mtime >= model.path.stat().st_mtime:
                        con.execute(f"create table {table.id} as from read_parquet({quoted(str(path))}) limit 0")
                        known.add(table.id)
                continue
            if not known.issuperset(model.reads):
                continue
            made = model.tables[0]
            try:
                con.execute(f"create table {made.id} as select * from ({model.text}) limit 0")
            except duckdb.Error as failure:
                raise ModelFailedError(
                    f"{made.id} does not bind: {str(failure).strip()}", str(model.path), "correct the SQL, or what it reads."
                ) from failure
            known.add(made.id)
            check_declared(project, made, {row[0]: row[1] for row in con.sql(f"describe {made.id}").fetchall()}, model.path)
            n_bound += 1
    return n_bound
