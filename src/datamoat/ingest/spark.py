"""Count one part on Spark through Spark Connect: the same `counts.sql`, carried over by sqlglot, its result back by Arrow.

For Parquet that already lies where a cluster's workers see it. A ZIP or CSV is written as Parquet into the data folder
first, which the workers must then see too.
"""

import logging
import socket
import warnings
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa

from datamoat.errors import SourceChangedError, SourceUnavailableError
from datamoat.ingest.archives import Tally, format_of
from datamoat.ingest.part_receipts import RELATION
from datamoat.ingest.part_rows import WHY, checked
from datamoat.parsing import shown
from datamoat.project.part import Part

SETTINGS = {"spark.sql.session.timeZone": "UTC", "spark.sql.ansi.enabled": "true", "spark.sql.shuffle.partitions": "8"}
PORT = 15002  # of a Spark Connect server, where the address names none
INSTALL = "install the extra: pip install 'datamoat[spark]'; start a server with sbin/start-connect-server.sh."


def count_on_spark(
    sql: str, part: Part, path: str, part_on: date | None, work: Path, tally: Tally, remote: str | None
) -> pa.Table:
    """Return the counts of one part, by a Spark Connect server.

    Args:
        sql: The SELECT of `counts.sql`, in DuckDB's dialect.
        part: What the source declares.
        path: A file, or a folder or address of Parquet files.
        part_on: The day the part is about.
        work: A folder for Parquet made of an archive; Spark's workers must see it.
        tally: Is filled.
        remote: `sc://host:15002`.

    Raises:
        SourceUnavailableError: There is no such server, or no Spark in this environment.
        SourceChangedError: Spark does not read the part, or `counts.sql` does not run on it.
    """
    local = "://" not in path
    if local and Path(path).is_file() and format_of(Path(path)) != "parquet":
        from datamoat.ingest.counting import to_parquet

        to_parquet(part, Path(path), work / "part.parquet", tally, part_on)
        path = str(work / "part.parquet")
        made = True
    else:
        made = False
    session = connect(remote)
    try:
        frame = session.read.parquet(_address(path))
        frame.createOrReplaceTempView("_file")
        rows = session.sql(to_spark(checked(part, part_on, "_file")))
        rows.where(f"{WHY} is null").drop(WHY).createOrReplaceTempView(RELATION)
        if not made:
            n_listed, n_bad, first = rows.selectExpr("count(*)", f"count({WHY})", f"any_value({WHY}, true)").first()
            tally.n_listed = n_listed - n_bad
            if n_bad:
                tally.reject(n_bad, f"{path}: {shown(first, 160)}")
        return session.sql(to_spark(sql)).toArrow()
    except _spark_errors() as failure:
        raise SourceChangedError(
            f"Spark did not count it: {shown(failure, 300)}",
            path,
            "compare the part's columns with source.yml, and that workers see the path.",
        ) from failure
    finally:
        session.stop()


def listing(path: str, remote: str | None) -> list[tuple[str, int, str]]:
    """Return address, size and time of change of every Parquet file below a path, in order: what identifies a folder.

    Raises:
        SourceUnavailableError: There is no such server.
    """
    session = connect(remote)
    try:
        columns = "_metadata.file_path as p", "_metadata.file_size as s", "cast(_metadata.file_modification_time as string) as t"
        rows = session.read.parquet(_address(path)).selectExpr(*columns).distinct().collect()
    except _spark_errors() as failure:
        raise SourceChangedError(
            f"Spark does not read it: {shown(failure, 200)}", path, "check that its workers see the path."
        ) from failure
    finally:
        session.stop()
    return sorted((str(row["p"]), int(row["s"]), str(row["t"])) for row in rows)


def to_spark(sql: str) -> str:
    """Return a SELECT of DuckDB's dialect in Spark's.

    >>> to_spark("select post_id // 4294967296 as second from part")
    'SELECT post_id DIV 4294967296 AS second FROM part'
    """
    import sqlglot

    return str(sqlglot.transpile(sql, read="duckdb", write="spark")[0])


def connect(remote: str | None) -> Any:  # noqa: ANN401  (Spark is untyped here)
    """Return a session with the settings that make the two engines agree.

    Raises:
        SourceUnavailableError: There is no such server, or no Spark in this environment.
    """
    try:
        place = urlsplit(str(remote))
        with socket.create_connection((place.hostname or "", place.port or PORT), 10):  # Spark's client would try for minutes
            pass
    except (OSError, ValueError) as failure:  # ValueError: no address
        raise SourceUnavailableError(f"no Spark Connect server answers: {failure}", str(remote), INSTALL) from failure
    logging.getLogger("SQLQueryContextLogger").setLevel(logging.CRITICAL)  # the client prints the server's stack trace as JSON
    try:
        from pyspark.sql import SparkSession

        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas", FutureWarning)  # results come by Arrow
            builder = SparkSession.builder.remote(str(remote))
            for name, value in SETTINGS.items():
                builder = builder.config(name, value)
            session = builder.create()
            session.sql("select 1").collect()
    except ImportError as failure:
        raise SourceUnavailableError(f"no Spark here: {failure}", str(remote), INSTALL) from failure
    except _spark_errors() as failure:
        raise SourceUnavailableError(f"no Spark Connect server answers: {shown(failure, 200)}", str(remote), INSTALL) from failure
    return session


def _spark_errors() -> tuple[type[Exception], ...]:
    from pyspark.errors import PySparkException

    return (PySparkException,)


def _address(path: str) -> str:
    return path if "://" in path else Path(path).resolve().as_uri()
