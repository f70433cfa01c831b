"""A small engine for open data with provenance: fetch, land, build, audit, publish, export."""

import importlib
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

__version__ = "2026.11.0"

# One thread for linear algebra, set before numpy is loaded: on a shared machine its spinning threads cost twenty times
# the work, and our matrices are small. Not a default: another number of threads gives other last digits.
os.environ["OPENBLAS_NUM_THREADS"] = "1"


def open(source: str | os.PathLike[str] | None = None) -> "duckdb.DuckDBPyConnection":  # noqa: A001  (datamoat.open)
    """Return a read-only connection to the published file, from which no other file can be reached.

    Args:
        source: A release to fetch first, if it is not here yet: a folder or an address, as `datamoat pull` takes it. None opens
            what is published here.

    Raises:
        datamoat.errors.DatamoatError: Nothing is published here, or the release is not what its list of hashes states.

    Example:
        >>> import datamoat
        >>> datamoat.open().sql("from meta.models")  # doctest: +SKIP
    """
    query = importlib.import_module(
        "datamoat.views.query"
    )  # by its name: every package may import this root, which is below them all
    con: duckdb.DuckDBPyConnection = query.open_source(None if source is None else os.fspath(source))
    return con
