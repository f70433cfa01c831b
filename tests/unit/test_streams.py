"""Whatever the console, the disk or the shell does to the standard streams, there is a sentence and no traceback."""

import csv
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from datamoat.cli.app import main
from datamoat.cli.streams import standard_streams
from datamoat.errors import UsageError
from datamoat.project.texts import decoded
from datamoat.views.query import run_query
from datamoat.views.query_child import SHOWN, brief, statement_of
from datamoat.views.render import Form, print_as
from datamoat.views.trace import read_pairs

TEXT = "抖音 ü \x81 😀"


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    """Run a command and return its exit code."""
    monkeypatch.setattr(sys, "argv", ["datamoat", *words])
    with pytest.raises(SystemExit) as stop:
        main()
    return int(stop.value.code or 0)


@pytest.fixture
def console(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], io.BytesIO]:
    """Return a function that gives the program a console of an encoding, and returns what is written to it."""

    def make(encoding: str) -> io.BytesIO:
        written = io.BytesIO()
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding=encoding))
        return written

    return make


@pytest.mark.parametrize("form", [Form.TABLE, Form.MARKDOWN, Form.JSON, Form.NDJSON, Form.CSV])
def test_what_a_console_cannot_show_is_escaped_and_json_and_csv_stay_exact(
    console: Callable[[str], io.BytesIO], form: Form
) -> None:
    written = console("cp1252")
    with standard_streams():
        print_as(form, ("a",), ("VARCHAR",), [(TEXT,)])
    body = written.getvalue()
    if form is Form.CSV:
        assert list(csv.reader(io.StringIO(body.decode("utf-8")))) == [["a"], [TEXT]]
    elif form in {Form.JSON, Form.NDJSON}:
        found = json.loads(body.decode("cp1252"))
        assert (found[0] if form is Form.JSON else found) == {"a": TEXT}
    else:
        assert r"\u6296\u97f3 ü \x81 \ud83d\ude00" in body.decode("cp1252")


@pytest.mark.parametrize("is_buffered", [True, False])
def test_output_that_is_full_is_one_sentence(
    tree: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *, is_buffered: bool
) -> None:
    monkeypatch.setenv("DATAMOAT_ROOT", str(tree))
    raw = open("/dev/full", "wb", buffering=-1 if is_buffered else 0)  # noqa: SIM115, PTH123
    full = io.TextIOWrapper(raw, write_through=not is_buffered)
    monkeypatch.setattr(sys, "stdout", full)
    assert run(monkeypatch, "doctor", "--json") == 1
    assert capsys.readouterr().err.splitlines()[:2] == [
        "the output could not be written: No space left on device", "  where: standard output"
    ]  # fmt: skip
    full.close()


def test_closed_streams_are_named_before_anything_is_opened_in_their_place(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as closed:
        closed.setattr(sys, "stdout", None)
        assert run(monkeypatch, "status") == 2
    assert capsys.readouterr().err.startswith("standard output is closed\n")
    monkeypatch.setattr(sys, "stdin", None)
    with standard_streams():
        assert sys.stdin is not None
        with pytest.raises(UsageError, match="there is no statement"):
            statement_of("-", sys.stdin.read)
        sys.stdin.close()


def test_an_error_that_is_none_of_the_output_is_not_taken_for_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), standard_streams():
        (tmp_path / "nothing").read_text(encoding="utf-8")


def test_a_text_that_a_locale_left_undecoded_is_read_as_utf_8() -> None:
    typed = "select '抖音'".encode().decode("ascii", "surrogateescape")
    assert statement_of(typed, str) == "select '抖音'"
    assert read_pairs([typed.replace("select ", "a=")], "--where") == {"a": "'抖音'"}
    with pytest.raises(UsageError, match="the statement cannot be read: it is not UTF-8 text from byte 0 on"):
        statement_of("\udcff", str)
    with pytest.raises(ValueError, match="invalid"):
        decoded("\udcff")


def test_a_long_statement_is_shown_by_its_beginning() -> None:
    assert brief("x" * SHOWN) == "x" * SHOWN
    assert brief("x" * (SHOWN + 1)) == f"{'x' * SHOWN}… ({SHOWN + 1} characters)"
    sql = f"select '{'a' * 400_000}'::int"
    with duckdb.connect() as con:
        for statement in (sql, f"{sql}; {sql}"):
            with pytest.raises(UsageError) as refused:
                run_query(con, statement, 1, 60)
            assert len(str(refused.value)) < 6 * SHOWN
            assert f"({len(statement):,} characters)" in refused.value.where
