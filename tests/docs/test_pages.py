"""The pages show what the published file holds: generated pages are fresh, and every command in them gives what is shown."""

import re
from pathlib import Path

import pytest

from datamoat.cli.app import app
from datamoat.project.read import read_project
from datamoat.settings import Settings
from datamoat.storage.warehouse import open_published
from datamoat.views.docs import CONSOLE, PICTURE, pages, picture, read_blocks, refreshed, with_blocks, written_by_hand

PAGES = [path.relative_to(Path(__file__).parents[2]).as_posix() for path in written_by_hand(Path(__file__).parents[2])]


@pytest.fixture
def on_the_published_file(published: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("DATAMOAT_ROOT", str(published.content))
    monkeypatch.setenv("DATAMOAT_DATA", str(published.data))
    return published


@pytest.mark.parametrize("name", PAGES)
def test_g01_every_command_in_a_page_prints_what_the_page_shows(on_the_published_file: Settings, name: str) -> None:
    text = (on_the_published_file.content / name).read_text(encoding="utf-8")
    assert refreshed(text, app) == text, "run `make docs`"


def test_generated_pages_are_fresh(published: Settings) -> None:
    with open_published(published) as con:
        made = pages(con, read_project(published.content))
    docs = published.content / "docs"
    assert {name: (docs / name).read_text(encoding="utf-8") if (docs / name).is_file() else "" for name in made} == made
    assert {path.name for path in (docs / "marts").glob("*.md")} == {
        Path(name).name for name in made if name.startswith("marts/")
    }


def test_the_first_lines_of_the_readme_are_those_of_the_published_file(published: Settings) -> None:
    text = (published.content / "README.md").read_text(encoding="utf-8")
    with open_published(published) as con:
        blocks = read_blocks(con, published.content)
    assert len(blocks) == text.count("<!-- generated: ") == text.count("<!-- end -->")
    assert with_blocks(text, blocks) == text, "run `make docs`"


def test_a_generated_block_is_written_again_and_one_of_another_name_is_left() -> None:
    page = "# Page\n<!-- generated: answer -->\n{}\n<!-- end -->\n\n<!-- generated: other -->\nas it is\n<!-- end -->\n"
    assert with_blocks(page.format("old\nlines"), {"answer": "new words"}) == page.format("new words")


def test_the_picture_of_the_readme_shows_what_the_build_gives(published: Settings) -> None:
    with open_published(published) as con:
        drawn = picture(con, published.content)[PICTURE]
    held = (published.content / "docs" / PICTURE).read_text(encoding="utf-8")
    words = re.compile(r"<(?:text|title|desc|metadata)\b[^>]*>(.*?)</|aria-label=\"([^\"]*)\"")  # fonts may move marks by pixels
    assert words.findall(held) == words.findall(drawn), "run `make docs`"
    assert len(words.findall(held)) > 60


def test_the_readme_shows_commands_and_their_output(checkout: Path) -> None:
    blocks = [match["body"] for match in CONSOLE.finditer((checkout / "README.md").read_text(encoding="utf-8"))]
    assert len(blocks) >= 4
    assert all(len(body.splitlines()) > 1 for body in blocks)


def test_a_console_block_is_refreshed_and_the_rest_of_a_page_is_left(on_the_published_file: Settings) -> None:
    assert on_the_published_file.published.is_file()
    page = '# A\n\n```console\n$ datamoat query "select 1 AS one"\nstale\n```\n\n```sh\n$ datamoat run\n```\n'
    assert refreshed(page, app) == page.replace("stale", "one\n  1")
