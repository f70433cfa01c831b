"""One query in a process of its own, which is ended when it runs too long or takes too much memory.

DuckDB looks for an interrupt between pieces of work; one function over hundreds of millions of values is one piece.
"""

import contextlib
import json
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import IO, Any, NamedTuple

from datamoat import errors
from datamoat.errors import DatamoatError, UsageError
from datamoat.log import in_json, show_log
from datamoat.project.texts import decoded, unreadable
from datamoat.settings import Settings, read_settings

READY = b"ready\n"
SHOWN = 500  # characters of a statement in an error
GRACE_SECONDS = 2.0  # how long a query that was interrupted may take to notice
OWN_BYTES = 2 * 2**30  # address space of the program itself and its libraries
UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "KI": 2**10, "MI": 2**20, "GI": 2**30, "TI": 2**40}


@dataclass(frozen=True)
class Query:
    """One query and what it may take.

    Attributes:
        sql: One statement that returns rows.
        limit: Return at most one row more than this; 0 returns all.
        seconds: How long it may run, once what it reads is open.
        as_of: Query the release that was current on that day.
        rebuild_as_of: Query what today's models compute from what was public on that day.
    """

    sql: str
    limit: int = 0
    seconds: int = 60
    as_of: date | None = None
    rebuild_as_of: date | None = None


class Found(NamedTuple):
    """What a query returns.

    Attributes:
        columns: The names of the columns.
        types: Their types in DuckDB's notation.
        rows: The rows.
    """

    columns: tuple[str, ...]
    types: tuple[str, ...]
    rows: list[tuple[Any, ...]]


def statement_of(text: str, standard_input: Callable[[], str]) -> str:
    """Return the statement a person means: the text itself, the content of a file that ends in .sql, or standard input for `-`.

    Raises:
        UsageError: The file cannot be read, or there is nothing in it.
    """
    is_file = text.endswith(".sql") and not any(sign.isspace() for sign in text)
    try:
        sql = standard_input() if text == "-" else Path(text).read_text(encoding="utf-8") if is_file else text
        sql = decoded(sql)
    except (OSError, ValueError) as failure:
        what = f"the {'file' if is_file else 'statement'} cannot be read: {unreadable(failure)}"
        raise UsageError(what, brief(text), "name a file of SQL in UTF-8, or write the statement.") from failure
    if not sql.strip():
        raise UsageError("there is no statement", text or "the command line", 'write one: datamoat query "from meta.models".')
    return sql


def brief(text: str, most: int = SHOWN) -> str:
    """Return a text as an error shows it: the beginning of a long one, with its length."""
    return text if len(text) <= most else f"{text[:most]}… ({len(text):,} characters)"


def run_apart(settings: Settings, query: Query) -> Found:
    """Run a query in a child process and return what it finds.

    Raises:
        UsageError: It is no query, does not run, or needs more time or memory than it may take; nothing of it runs on.
        DatamoatError: What it reads cannot be opened.
    """
    order = (
        json.dumps({**asdict(query), "in_json": in_json(), "memory_limit": settings.memory_limit}, default=str).encode() + b"\n"
    )
    with subprocess.Popen(
        [sys.executable, "-m", "datamoat.views.query_child"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as child:  # fmt: skip
        assert child.stdin is not None  # noqa: S101  (pipes were asked for)
        assert child.stdout is not None  # noqa: S101
        assert child.stderr is not None  # noqa: S101
        lines: list[str] = []
        relay = threading.Thread(target=_relay, args=(child.stderr, lines), daemon=True)
        relay.start()
        child.stdin.write(order)
        child.stdin.close()
        is_open = child.stdout.readline() == READY
        killer = threading.Timer(query.seconds + GRACE_SECONDS, child.kill)
        killer.start()
        try:
            body = child.stdout.read()
            child.wait()
        finally:
            killer.cancel()
            child.kill()
        relay.join()
    if body and child.returncode == 0:
        found = json.loads(body)
        if "error" in found:
            raise getattr(errors, found["error"])(found["what"], found["where"], found["fix"])
        return Found(tuple(found["columns"]), tuple(found["types"]), [tuple(map(_unpacked, row)) for row in found["rows"]])
    if child.returncode == -signal.SIGKILL and is_open:
        raise UsageError(
            f"the query ran longer than {query.seconds} s and was ended", brief(query.sql), "narrow it, or give --seconds."
        )
    raise UsageError(
        f"the query broke its process ({' '.join(lines[-1:]) or child.returncode})", brief(query.sql),
        "it may need more memory than DATAMOAT_MEMORY allows; narrow it, or raise that."
        if child.returncode < 0
        else "this is an error of the program: report it with the lines above.",
    )  # fmt: skip


def _relay(stream: IO[bytes], lines: list[str]) -> None:
    """Show what the child logs, as it comes; remember what is no log event."""
    for line in stream:
        text = line.decode(errors="replace")
        lines.append(text.strip())
        sys.stderr.write(text)


# What JSON has no word for: how it is written and read again. Anything else goes as its text.
KINDS: dict[str, tuple[type, Callable[[Any], str], Callable[[str], Any]]] = {
    "$datetime": (datetime, datetime.isoformat, datetime.fromisoformat),
    "$date": (date, date.isoformat, date.fromisoformat),
    "$time": (time, time.isoformat, time.fromisoformat),
    "$decimal": (Decimal, str, Decimal),
    "$bytes": (bytes, bytes.hex, bytes.fromhex),
}


def _packed(value: object) -> object:
    """Return a value of DuckDB as JSON can hold it, with its type."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        return [_packed(item) for item in value]
    if isinstance(value, dict):
        return {"$dict": [[_packed(key), _packed(item)] for key, item in value.items()]}
    return next(({name: write(value)} for name, (kind, write, _) in KINDS.items() if isinstance(value, kind)), str(value))


def _unpacked(value: Any) -> Any:  # noqa: ANN401  (whatever DuckDB returns)
    """Return a value that was packed."""
    if isinstance(value, list):
        return [_unpacked(item) for item in value]
    if not isinstance(value, dict):
        return value
    ((name, held),) = value.items()
    return {_unpacked(key): _unpacked(item) for key, item in held} if name == "$dict" else KINDS[name][2](held)


def _limit_memory(memory_limit: str) -> None:
    """Bound the memory of this process; a system without such a bound still has DuckDB's own and the parent's deadline."""
    match = re.fullmatch(r"\s*([\d.]+)\s*([KMGT]?I?)B?\s*", memory_limit.upper())
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        if match is not None:
            most = int(float(match[1]) * UNITS[match[2]]) + OWN_BYTES
            resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def _child() -> None:
    """Read an order from standard input, write the rows or an error to standard output."""
    output, sys.stdout = sys.stdout.buffer, sys.stderr
    order = json.loads(sys.stdin.readline())
    if order["rebuild_as_of"] is None:  # a build has limits of its own
        _limit_memory(order["memory_limit"])
    from datamoat.views.query import open_as_of, run_query

    show_log("json" if order["in_json"] else "text")
    days = [order[name] and date.fromisoformat(order[name]) for name in ("as_of", "rebuild_as_of")]
    is_open = False
    try:
        with open_as_of(read_settings(), *days) as con:
            output.write(READY)
            output.flush()
            is_open = True
            columns, types, rows = run_query(con, order["sql"], order["limit"], order["seconds"])
        found = {"columns": columns, "types": types, "rows": [list(map(_packed, row)) for row in rows]}
    except DatamoatError as failure:
        found = _described(failure)
    except MemoryError:
        found = _described(
            UsageError("the query needs more memory than it may take", brief(order["sql"]), "narrow it, or set DATAMOAT_MEMORY.")
        )
    if not is_open:
        output.write(READY)
    output.write(json.dumps(found).encode())


def _described(failure: DatamoatError) -> dict[str, Any]:
    """Return an error as JSON can hold it."""
    return {"error": type(failure).__name__, "what": failure.what, "where": failure.where, "fix": failure.fix}


if __name__ == "__main__":
    _child()
