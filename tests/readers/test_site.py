"""The pages of the site, without a browser: each has an address of its own, a title from facts, and sources that may be shown."""

import json
import re
from html import unescape
from pathlib import Path

import pytest

from datamoat.errors import ContentError, UsageError
from datamoat.project.python_models import load
from datamoat.settings import Settings
from datamoat.storage.warehouse import open_published
from datamoat.views.panels import fill_panel
from datamoat.views.picture import words_of
from datamoat.views.site import read_kinds, read_questions, write_site

pytest.importorskip("altair")


def test_every_page_has_its_own_address_and_names_its_sources(published: Settings) -> None:
    with open_published(published) as con:
        kinds = read_kinds(published.content, con)
        assert [kind.id for kind in kinds] == ["chart", "board", "platform", "company", "claim"]
        for kind in kinds:
            ids = [page.panel.id for page in kind.pages]
            assert len(set(ids)) == len(ids) > 5
            assert all(re.fullmatch(r"[a-z0-9][a-z0-9-]*", name) for name in ids), ids
            for page in kind.pages:
                for extra in page.extras:
                    assert len(con.sql(extra.sql).columns) == len(extra.headings), (page.panel.id, extra.title)
        for page in (page for kind in kinds for page in kind.pages[:6]):
            words = words_of(fill_panel(con, page.panel), "")
            assert words.title and words.unit and words.credits, page.panel.id  # noqa: PT018
            assert "{" not in words.title + words.text + words.unit, page.panel.id


def test_pages_of_one_kind_can_be_written_alone(published: Settings, tmp_path: Path) -> None:
    made = write_site(published, tmp_path, "https://example.org/moat", only="board")
    text = (tmp_path / "board" / "aa-text-to-video.html").read_text(encoding="utf-8")
    assert made.n_pages == len(list((tmp_path / "board").glob("*.html")))
    assert '<link rel="canonical" href="https://example.org/moat/board/aa-text-to-video.html">' in text
    listed = (tmp_path / "board" / "index.html").read_text(encoding="utf-8")
    assert all(f'"{path.name}"' in listed for path in (tmp_path / "board").glob("*-*.html"))
    assert not (tmp_path / "index.html").exists()
    forms = {".html", ".svg", "-narrow.svg", ".png", ".csv", ".json"}
    assert {path.name for path in (tmp_path / "board").glob("aa-text-to-video[.-]*")} >= {
        f"aa-text-to-video{end}" for end in forms
    }
    assert unescape(text).count("https://example.org/moat/board/aa-text-to-video") >= 3  # canonical, embed, cite


def test_a_tree_without_a_site_is_refused(published: Settings, tmp_path: Path) -> None:
    (tmp_path / "reports").mkdir()
    with pytest.raises(UsageError, match="declares no site"):
        write_site(Settings(content=tmp_path, data=published.data), tmp_path / "out")


def test_the_questions_are_read_from_the_page_that_shows_them(checkout: Path, tmp_path: Path) -> None:
    questions = read_questions(checkout / "docs" / "questions.md")
    assert len(questions) >= 12
    assert all(question["sql"] in (checkout / "docs" / "questions.md").read_text(encoding="utf-8") for question in questions)
    empty = tmp_path / "none.md"
    empty.write_text("# Nothing\n")
    with pytest.raises(ContentError, match="no numbered question"):
        read_questions(empty)


def test_the_page_has_draws_for_every_owner_of_the_questions_of_volume(published: Settings) -> None:
    with open_published(published) as con:
        files = load(published.content / "reports" / "site" / "data.py").files(con)
        n_companies, n_owners = con.sql(
            "select n_companies, n_owners from marts.moat_answer where as_of_kind = 'newest' and question_id = 'amount'"
        ).fetchall()[0]
    about = json.loads(files["whatif.json"])
    owners = set(about["entries"]["owner"]) - {None}
    assert owners <= {company for company, _ in about["known"]}
    assert (len(set(about["entries"]["company"])), len(owners)) == (n_companies, n_owners)
