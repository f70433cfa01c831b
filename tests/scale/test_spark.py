"""Spark against DuckDB, row by row: every counts.sql, and every mart that uses only what Spark has; the others by name."""

import json
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pytest
from tests.scale.conftest import CHECKOUT, NOW, Upstream, cells_of, counts_of
from tests.scale.connect import connect_server
from tests.scale.publisher_days import aggregate_day, write_day
from typer.testing import CliRunner

from datamoat.cli.app import app
from datamoat.errors import SourceChangedError, SourceUnavailableError
from datamoat.ingest.archives import Tally
from datamoat.ingest.counting import to_parquet
from datamoat.ingest.part_receipts import read_receipts
from datamoat.ingest.spark import connect, to_spark
from datamoat.ingest.streamed import add_file
from datamoat.project.read import read_project
from datamoat.project.sources import Source
from datamoat.settings import Settings

pytestmark = [pytest.mark.spark, pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning")]
DAY = date(2025, 7, 1)
N_ROWS = 100_000
LISTED = re.compile(r"^\| `(\w+)` \|", re.MULTILINE)  # the DuckDB-only marts, in a table of docs/scale.md


@pytest.fixture(scope="module")
def remote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    pytest.importorskip("pyspark")
    with connect_server(tmp_path_factory.mktemp("spark")) as (address, _):
        yield address


@pytest.fixture(scope="module")
def session(remote: str) -> Iterator[Any]:
    session = connect(remote)
    yield session
    session.stop()  # else the client calls the stopped server for minutes when the program ends


def test_single_decisions_from_an_archive_give_the_made_counts_on_spark_too(
    settings: Settings, statements: Source, tmp_path: Path, remote: str
) -> None:
    made = write_day(tmp_path, DAY, N_ROWS, rows_a_file=20_000)
    receipt = add_file(settings, statements, str(made.path), NOW, engine="spark", remote=remote)[0]
    assert cells_of(settings, receipt) == made.counts
    assert receipt.engine == "spark"


def test_parquet_in_a_folder_gives_the_made_counts(settings: Settings, statements: Source, tmp_path: Path, remote: str) -> None:
    made = write_day(tmp_path, DAY, 20_000, rows_a_file=5_000)
    assert statements.part is not None
    (tmp_path / "lake").mkdir()
    to_parquet(statements.part, made.path, tmp_path / "lake" / "one.parquet", Tally())
    receipt = add_file(settings, statements, str(tmp_path / "lake"), NOW, on=DAY, engine="spark", remote=remote)[0]
    assert cells_of(settings, receipt) == made.counts
    assert (receipt.n_listed, receipt.n_rejected) == (20_000, 0)


def test_aggregates_give_the_same_counts_on_both(settings: Settings, aggregates: Source, tmp_path: Path, remote: str) -> None:
    path = tmp_path / f"aggregates-{DAY}.csv"
    path.write_text(aggregate_day(DAY, 4_000)[0], encoding="utf-8")
    other = Settings(CHECKOUT, tmp_path / "other")
    first = counts_of(settings, add_file(settings, aggregates, str(path), NOW)[0])
    second = counts_of(other, add_file(other, aggregates, str(path), NOW, engine="spark", remote=remote)[0])
    assert first.height > 100
    assert first.equals(second)


def test_the_command_fetches_a_day_and_counts_it_on_spark(
    aggregates: Source, upstream: Upstream, tmp_path: Path, remote: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    body, _ = aggregate_day(DAY, 4_000)
    upstream.files[f"aggregates-{DAY}.csv"] = body.encode()
    (tmp_path / f"aggregates-{DAY}.csv").write_text(body, encoding="utf-8")
    monkeypatch.setenv("DATAMOAT_DATA", str(tmp_path / "data"))
    words = ["count", "dsa_aggregates", "--since", str(DAY), "--engine", "spark", "--remote", remote, "--json"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    assert [(row["n_listed"], row["engine"]) for row in json.loads(result.stdout)] == [(4_000, "spark")]
    (there,) = read_receipts(Settings(CHECKOUT, tmp_path / "data"), aggregates)
    other = Settings(CHECKOUT, tmp_path / "other")
    here = add_file(other, aggregates, str(tmp_path / f"aggregates-{DAY}.csv"), NOW)[0]
    stamps = ["_captured_on", "_capture"]  # the moment of the command
    assert counts_of(Settings(CHECKOUT, tmp_path / "data"), there).drop(stamps).equals(counts_of(other, here).drop(stamps))


def test_a_server_that_does_not_answer_and_a_table_without_the_columns_are_plain_errors(
    settings: Settings, statements: Source, tmp_path: Path, remote: str, capfd: pytest.CaptureFixture[str]
) -> None:
    made_posts(100).write_parquet(tmp_path / "day.parquet")
    with pytest.raises(SourceUnavailableError, match="no Spark Connect server answers"):
        add_file(settings, statements, str(tmp_path / "day.parquet"), NOW, on=DAY, engine="spark", remote="sc://127.0.0.1:9")
    with pytest.raises(SourceChangedError, match="Spark did not count it"):
        add_file(settings, statements, str(tmp_path / "day.parquet"), NOW, on=DAY, engine="spark", remote=remote)
    assert "JVM stacktrace" not in capfd.readouterr().err


def made_posts(n_rows: int) -> pl.DataFrame:
    """Return posts with ids that hold their second, of two months and the census day, some without a length."""
    random = np.random.default_rng(5)
    second = random.integers(1_711_929_600, 1_717_200_000, n_rows)
    census = random.random(n_rows) < 0.3
    second[census] = random.integers(1_712_707_200, 1_712_793_600, census.sum())
    return pl.DataFrame(
        {
            "post_id": second * 2**32 + random.integers(0, 2**32, n_rows),
            "posted_at": pl.Series(second * 1_000_000).cast(pl.Datetime("us")),
            "duration_s": np.where(random.random(n_rows) < 0.1, 0.0, np.round(random.lognormal(3, 0.8, n_rows), 3)),
            "is_video": random.random(n_rows) < 0.9,
            "n_views": np.floor(random.lognormal(5, 2.5, n_rows)).astype(np.int64),
            "is_ai_generated": random.random(n_rows) < 0.04,
        }
    )


def test_posts_give_the_same_counts_on_both(settings: Settings, posts: Source, tmp_path: Path, remote: str) -> None:
    made_posts(N_ROWS).write_parquet(tmp_path / "posts.parquet")
    other = Settings(CHECKOUT, tmp_path / "other")
    about = {"label": "made", "licence": "made for a test"}
    first = counts_of(settings, add_file(settings, posts, str(tmp_path / "posts.parquet"), NOW, **about)[0])
    second = counts_of(
        other, add_file(other, posts, str(tmp_path / "posts.parquet"), NOW, engine="spark", remote=remote, **about)[0]
    )
    assert first.height > 200
    assert first.equals(second)


def test_what_does_not_cast_is_rejected_by_both(settings: Settings, posts: Source, tmp_path: Path, remote: str) -> None:
    frame = made_posts(4_000).with_columns(pl.col("n_views", "duration_s").cast(pl.String))
    row = pl.int_range(pl.len())
    frame = frame.with_columns(
        n_views=pl.when(row == 7).then(pl.lit("1.2K")).otherwise("n_views"),
        duration_s=pl.when(row == 9).then(pl.lit("-3")).when(row == 11).then(pl.lit("inf")).otherwise("duration_s"),
    )
    frame.write_parquet(tmp_path / "posts.parquet")
    about = {"label": "made", "licence": "made for a test"}
    first = add_file(settings, posts, str(tmp_path / "posts.parquet"), NOW, **about)[0]
    other = Settings(CHECKOUT, tmp_path / "other")
    second = add_file(other, posts, str(tmp_path / "posts.parquet"), NOW, engine="spark", remote=remote, **about)[0]
    assert (first.n_listed, first.n_rejected) == (second.n_listed, second.n_rejected) == (4_000, 3)
    assert counts_of(settings, first).equals(counts_of(other, second))


def plain(frame: pl.DataFrame) -> pl.DataFrame:
    """Return a frame in types that both engines give: doubles to eleven digits, lists and everything else as text."""
    return frame.select(
        pl.col(name).cast(pl.Float64).round_sig_figs(11)
        if kind.is_numeric()
        else pl.col(name).cast(pl.List(pl.String)).list.join(";")
        if isinstance(kind, pl.List)
        else pl.col(name).cast(pl.String).str.replace(r"\.0+$", "")
        for name, kind in frame.schema.items()
    )


def n_differing(here: pl.DataFrame, there: pl.DataFrame) -> int:
    """Return how many rows are in one and not in the other."""
    assert here.columns == there.columns
    names = here.columns
    only_here = here.join(there, on=names, how="anti", nulls_equal=True).height
    return only_here + there.join(here, on=names, how="anti", nulls_equal=True).height + abs(here.height - there.height)


def test_marts_in_sql_give_the_same_rows_on_both_or_are_listed_as_duckdb_only(session: Any) -> None:
    from pyspark.errors import PySparkException

    lake = CHECKOUT / "data" / "lake"
    marts = [model for model in read_project(CHECKOUT).models if model.layer == "marts" and model.is_sql]
    built = [one for one in marts if all((lake / f"{read.replace('.', '/')}.parquet").is_file() for read in one.reads)]
    assert len(built) == len(marts), "run `datamoat build` first"
    differing, duckdb_only = {}, set()
    for model in built:
        spark_sql = to_spark(model.text)
        with duckdb.connect() as con:
            con.execute("set timezone = 'UTC'")
            for read in model.reads:
                schema, name = read.split(".")
                path = lake / schema / f"{name}.parquet"
                con.execute(f"create schema if not exists {schema}")
                con.execute(f"create view {read} as from read_parquet('{path}')")
                session.read.parquet(path.resolve().as_uri()).createOrReplaceTempView(f"{schema}__{name}")
                spark_sql = re.sub(rf"\b{schema}\.{name}\b", f"{schema}__{name}", spark_sql)
            try:
                here = con.sql(model.text).pl()
            except duckdb.Error:  # a macro, or a variable of the build
                duckdb_only.add(model.name)
                continue
        try:
            there = pl.DataFrame(pl.from_arrow(session.sql(spark_sql).toArrow()))
        except PySparkException as failure:
            print(model.name, str(failure).split("\n")[0][:160])  # noqa: T201
            duckdb_only.add(model.name)
            continue
        differing[model.name] = (here.height, n_differing(plain(here), plain(there)))
    print(f"{len(differing)} marts, rows and differing rows: {differing}")  # noqa: T201
    assert {name: found for name, found in differing.items() if found[1]} == {}
    listed = set(LISTED.findall((CHECKOUT / "docs" / "scale.md").read_text(encoding="utf-8")))
    assert duckdb_only == listed & {model.name for model in built}
