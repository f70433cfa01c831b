"""The generated pages of `docs/`, and the output of commands in pages written by hand.

A fenced block that begins with ```` ```console ```` and a line `$ datamoat …` is refreshed: the command is run against
the published file and its output replaces the old one. The text depends on the published file alone.
"""

import contextlib
import importlib.util
import inspect
import io
import re
import shlex
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb

from datamoat.errors import DatamoatError
from datamoat.project.additions import vocabulary_page
from datamoat.project.model import Project, Table
from datamoat.project.read import read_project
from datamoat.project.yaml_files import read_yaml
from datamoat.release.bundle import ABOUT
from datamoat.settings import Settings
from datamoat.storage.files import write_whole
from datamoat.storage.lake import quoted
from datamoat.storage.warehouse import open_published
from datamoat.views.diagram import diagram_page
from datamoat.views.panels import fill_panel, filled, read_facts, read_panels
from datamoat.views.picture import WIDE, draw_svg, words_of
from datamoat.views.render import fill
from datamoat.views.sections import ANSWER, as_markdown, read_answer

CONSOLE = re.compile(r"^```console\n(?P<body>.*?)^```$", re.DOTALL | re.MULTILINE)
PROMPT = "$ datamoat "
BUILD_ID = re.compile(r"\b\d{8}-[0-9a-f]{8}\b")
BLOCK = re.compile(r"(?<=<!-- generated: )(?P<name>\w+)(?P<open> -->\n).*?(?=<!-- end -->)", re.DOTALL)
BLOCKS = Path("reports") / "readme.yml"
PICTURE = "answer.svg"  # the first chart, beside the pages
AGENTS = Path("reports") / "agents"
PAGES = Path(__file__).parent / "pages"  # templates that fit any content tree
SOURCE_LABELS = (
    ("id", "source_id"), ("publisher", "publisher"), ("licence", "licence"), ("credit", "attribution"),
    ("page", "url"), ("protocol", "fetch_protocol"), ("every", "expected_every"),
)  # fmt: skip


def write_docs(settings: Settings, app: Callable[..., Any]) -> tuple[int, int]:
    """Write the generated pages, delete those of marts that are gone, and refresh the output of commands in the others.

    Args:
        settings: Where the published file and the content are.
        app: The program whose commands the pages show.

    Returns:
        How many pages were generated, and how many others were looked through.
    """
    project = read_project(settings.content)
    with open_published(settings) as con:
        made = pages(con, project) | picture(con, settings.content)
        blocks = read_blocks(con, settings.content)
    folder = settings.own_content / "docs"
    for name, text in for_agents(project, app).items():
        write_whole(settings.own_content / name, text.encode())
    for stale in set((folder / "marts").glob("*.md")) - {folder / name for name in made}:
        stale.unlink()
    for name, text in made.items():
        write_whole(folder / name, text.encode())
    by_hand = written_by_hand(settings.content)
    for path in by_hand:
        text = path.read_text(encoding="utf-8")
        if (new := with_blocks(refreshed(text, app), blocks)) != text:
            write_whole(path, new.encode())
    return len(made), len(by_hand)


def for_agents(project: Project, app: Callable[..., Any]) -> dict[str, str]:
    """Return the files at the root of the content tree that agents read first, by name: the templates of `reports/agents`, filled.

    They depend on the content and the commands alone, not on any number.
    """
    folder = project.content / AGENTS
    templates = sorted(folder.glob("*.j2"))
    if not templates:
        return {}
    commands = [
        (
            command.name or command.callback.__name__.replace("_", "-"),
            inspect.cleandoc(command.callback.__doc__ or "").split("\n")[0],
        )
        for command in getattr(app, "registered_commands", ())
        if command.callback
    ]
    about = read_yaml(project.content / ABOUT)
    return {
        path.name.removesuffix(".j2"): fill(folder, path.name, about=about, marts=project.marts, commands=commands)
        for path in templates
    }


def written_by_hand(content: Path) -> list[Path]:
    """Return the pages whose console blocks are refreshed: the README and everything in docs/ that is not generated."""
    docs = content / "docs"
    readme = content / "README.md"
    return [
        *([readme] if readme.is_file() else []),
        *sorted(p for p in docs.rglob("*.md") if p.parent.name not in {"marts", "decisions"}),
    ]


def refreshed(text: str, app: Callable[..., Any]) -> str:
    """Return a page with the output of each command in its console blocks as the program `app` prints it now.

    A block that differs in the id of the build alone is left as it is: the id is of the code and of Python's version too.
    """

    def now(match: re.Match[str]) -> str:
        block = f"```console\n{_with_output(match['body'], app)}```"
        return match[0] if BUILD_ID.sub("", block) == BUILD_ID.sub("", match[0]) else block

    return CONSOLE.sub(now, text)


def read_blocks(con: duckdb.DuckDBPyConnection, content: Path) -> dict[str, str]:
    """Return the texts of generated blocks by name: those of `reports/readme.yml`, filled with its facts.

    Raises:
        ContentError: A text names a fact that there is not.
    """
    if not (content / BLOCKS).is_file():
        return {}
    about = read_yaml(content / BLOCKS)
    facts = read_facts(con, str(about["facts"]), BLOCKS.name)
    return {name: str(filled(text, facts, BLOCKS.name).striptags()) for name, text in about["blocks"].items()}


def with_blocks(text: str, blocks: dict[str, str]) -> str:
    """Return a page with the text between `<!-- generated: NAME -->` and `<!-- end -->` as it is now, in lines of 120 characters."""

    def now(match: re.Match[str]) -> str:
        lines = textwrap.fill(blocks[match["name"]], 120, break_long_words=False, break_on_hyphens=False)
        return f"{match['name']}{match['open']}{lines}\n"

    return BLOCK.sub(lambda match: now(match) if match["name"] in blocks else match[0], text)


def picture(con: duckdb.DuckDBPyConnection, content: Path) -> dict[str, str]:
    """Return the first chart of the content as an SVG, by its name under `docs/`; none where nothing draws."""
    if importlib.util.find_spec("altair") is None or not (found := read_panels(content, con)):
        return {}
    words = words_of(fill_panel(con, found[0]), "")
    return {PICTURE: draw_svg(found[0].draw(WIDE), words, WIDE)}


def _with_output(body: str, app: Callable[..., Any]) -> str:
    """Run the commands of one console block; a line that is no command is output and is replaced."""
    commands = [line for line in body.splitlines() if line.startswith(PROMPT)]
    if not commands or not body.startswith(PROMPT):
        return body
    return "".join(f"{command}\n{_printed(command.removeprefix(PROMPT), app)}" for command in commands)


def _printed(words: str, app: Callable[..., Any]) -> str:
    """Return what a command prints."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        try:
            app(shlex.split(words), standalone_mode=False)
        except DatamoatError as failure:
            printed.write(f"{failure}\n")
    return "\n".join(line.rstrip() for line in printed.getvalue().splitlines()) + "\n"


def pages(con: duckdb.DuckDBPyConnection, project: Project) -> dict[str, str]:
    """Return the generated pages by path under `docs/`: the marts and their diagram, the sources, the glossary, the answer.

    The text depends on the content tree and the embedded reference alone, never on a clock or a fetched snapshot.
    """
    made = {f"marts/{table.name}.md": _mart_page(con, project, table) for table in project.marts}
    made["marts/README.md"] = fill(PAGES, "marts.md.j2", marts=project.marts)
    sources = con.sql("from meta.sources order by source_id").pl().to_dicts()
    made["sources.md"] = fill(PAGES, "sources.md.j2", sources=sources, labels=SOURCE_LABELS)
    if (project.content / ANSWER).is_dir():
        made["answer.md"] = as_markdown(read_answer(con, project.content))
    made["marts/diagram.md"] = diagram_page(con)
    terms = con.sql("from meta.glossary order by lower(term)").pl().to_dicts()
    made["glossary.md"] = fill(PAGES, "glossary.md.j2", terms=terms, marts={table.name for table in project.marts})
    made["vocabularies.md"] = vocabulary_page(project.content / "data" / "reference")
    return made


def _mart_page(con: duckdb.DuckDBPyConnection, project: Project, table: Table) -> str:
    """Return the page of one mart."""
    model = project.model_of(table.id)
    columns = con.sql(f"from meta.columns where layer = 'marts' and table_name = {quoted(table.name)} order by position")
    path = model.path.relative_to(project.content).as_posix()
    return fill(PAGES, "mart.md.j2", table=table, columns=columns.pl().to_dicts(), reads=model.reads, path=path)
