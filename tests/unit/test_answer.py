"""The answer is what its queries return, and an error where a number is missing."""

from pathlib import Path

import duckdb
import pytest

from datamoat.errors import ContentError
from datamoat.views.sections import as_markdown, read_answer


@pytest.fixture
def content(tmp_path: Path) -> Path:
    (tmp_path / "reports" / "answer").mkdir(parents=True)
    return tmp_path


def write(content: Path, name: str, title: str, sql: str) -> None:
    (content / "reports" / "answer" / name).write_text(f"/*---\ndescription: {title}\n---*/\n{sql}\n", encoding="utf-8")


def test_prose_and_tables_become_one_page_in_the_order_of_their_files(content: Path) -> None:
    write(content, "2_table.sql", "Numbers", "select 'a|b' AS what, 0.25 AS share_of_it")
    write(content, "1_said.sql", "The answer", "select unnest(['Cannot tell.', 'Try again.']) AS sentence")
    write(content, "3_more.sql", "Why", "select 'Because.' AS sentence")
    with duckdb.connect() as con:
        page = as_markdown(read_answer(con, content))
    assert page.index("**Cannot tell.**") < page.index("Try again.") < page.index("## Numbers") < page.index("- Because.")
    assert "| what | share of it |" in page
    assert "| a\\|b | 0.25 |" in page


def test_a_sentence_with_a_missing_number_is_refused(content: Path) -> None:
    write(content, "1_said.sql", "The answer", "select 'p is ' || null AS sentence")
    with duckdb.connect() as con, pytest.raises(ContentError, match="values is missing"):
        read_answer(con, content)


def test_a_section_that_does_not_run_is_named(content: Path) -> None:
    write(content, "1_said.sql", "The answer", "from marts.nothing")
    with duckdb.connect() as con, pytest.raises(ContentError, match=r"1_said\.sql"):
        read_answer(con, content)


def test_an_answer_without_sections_is_refused(content: Path) -> None:
    with duckdb.connect() as con, pytest.raises(ContentError, match="no section"):
        read_answer(con, content)
