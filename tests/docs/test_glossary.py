"""The glossary is one file: the published table has its rows, and every place it names exists."""

import csv
import re
from pathlib import Path

import pytest

from datamoat.settings import Settings
from datamoat.storage.warehouse import open_published


@pytest.fixture(scope="module")
def terms(checkout: Path) -> list[dict[str, str]]:
    with (checkout / "data" / "reference" / "glossary.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_published_glossary_has_every_term_of_the_file(published: Settings, terms: list[dict[str, str]]) -> None:
    with open_published(published) as con:
        rows = con.sql("select term, definition, coalesce(synonyms, []), chinese, used_in from meta.glossary").fetchall()
    assert sorted(rows) == sorted(
        (t["term"], t["definition"], [s for s in t["synonyms"].split(";") if s], t["chinese"] or None, t["used_in"].split(";"))
        for t in terms
    )


def test_every_table_and_page_that_a_term_names_exists(published: Settings, checkout: Path, terms: list[dict[str, str]]) -> None:
    with open_published(published) as con:
        tables = con.sql(
            "select case schema_name when 'marts' then '' else 'meta.' end || table_name from duckdb_tables()"
        ).fetchall()
    known = {name for (name,) in tables}
    lost = {use for t in terms for use in t["used_in"].split(";") if use not in known and not (checkout / use).is_file()}
    assert lost == set()


def test_a_term_is_no_synonym_of_another(terms: list[dict[str, str]]) -> None:
    names = [name.lower() for t in terms for name in (t["term"], *t["synonyms"].split(";")) if name]
    assert sorted({name for name in names if names.count(name) > 1}) == []


def test_the_words_of_platforms_and_boards_have_a_chinese_term(terms: list[dict[str, str]]) -> None:
    chinese = {t["term"]: t["chinese"] for t in terms}
    for term in ("platform", "short video", "upload", "leaderboard", "rank", "rating", "text to video", "image to video"):
        assert re.search(r"[\u4e00-\u9fff]", chinese[term]), term
    assert all(re.search(r"[\u4e00-\u9fff]", text) for text in chinese.values() if text)
