"""The generated pages of `docs/`, and the answers in pages written by hand.

A fenced block that begins with ```` ```console ```` and a line `$ datamoat …` is refreshed: the command is run against
the published file and what it prints takes the place of what stood there. The text depends on the published file alone.
"""

import contextlib
import io
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb

from datamoat.errors import DatamoatError
from datamoat.project.model import Project, Table
from datamoat.views.answer import FOLDER, as_markdown, read_answer
from datamoat.views.diagram import diagram_page

CONSOLE = re.compile(r"^```console\n(?P<body>.*?)^```$", re.DOTALL | re.MULTILINE)
PROMPT = "$ datamoat "


def written_by_hand(content: Path) -> list[Path]:
    """Return the pages whose console blocks are refreshed: the README and everything in docs/ that is not generated."""
    docs = content / "docs"
    return [content / "README.md", *sorted(p for p in docs.rglob("*.md") if p.parent.name not in {"marts", "decisions"})]


def refreshed(text: str, app: Callable[..., Any]) -> str:
    """Return a page with the output of each command in its console blocks as it is now, told by the program `app`."""
    return CONSOLE.sub(lambda match: f"```console\n{_answered(match['body'], app)}```", text)


def _answered(body: str, app: Callable[..., Any]) -> str:
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
    if (project.content / FOLDER).is_dir():
        made["answer.md"] = as_markdown(read_answer(con, project.content))
    made["marts/README.md"] = "# The public tables\n\n[How they fit together](diagram.md), with their keys.\n\n" + "\n".join(
        f"- [`marts.{table.name}`]({table.name}.md): {table.description}" for table in project.marts
    ) + "\n"  # fmt: skip
    made["marts/diagram.md"] = diagram_page(con)
    made["sources.md"] = _sources_page(con)
    made["glossary.md"] = _glossary_page(con, {table.name for table in project.marts})
    return made


def _glossary_page(con: duckdb.DuckDBPyConnection, marts: set[str]) -> str:
    """Return the page of all terms, each with a link to the tables and pages that use it."""
    lines = [
        "# Glossary", "",
        "The terms of this project, one meaning each, as they are written in every column, message and page. The same rows are in",
        "`meta.glossary` of the published file; the source is `data/reference/glossary.csv`.", "",
        "| term | meaning | other names | Chinese | used in |", "|---|---|---|---|---|",
    ]  # fmt: skip
    for term, definition, synonyms, chinese, used_in in con.sql("from meta.glossary order by lower(term)").fetchall():
        links = [f"[{use}](marts/{use}.md)" if use in marts else _link(use) for use in used_in]
        lines.append(f"| {term} | {definition} | {', '.join(synonyms or ())} | {chinese or ''} | {', '.join(links)} |")
    return "\n".join(lines) + "\n"


def _link(use: str) -> str:
    """Return a page under docs/ as a link to it, and anything else as the name it is."""
    page = use.removeprefix("docs/")
    return f"[{Path(page).stem}]({page})" if page != use else f"`{use}`"


def _mart_page(con: duckdb.DuckDBPyConnection, project: Project, table: Table) -> str:
    """Return the page of one mart."""
    model = project.model_of(table.id)
    rows = con.sql(
        "select column_name, type, unit, description, is_key, is_nullable, allowed_values from meta.columns"
        f" where layer = 'marts' and table_name = '{table.name}' order by position"
    ).fetchall()
    lines = [
        f"# `marts.{table.name}`",
        "",
        table.description,
        "",
        f"One row for each: {', '.join(f'`{g}`' for g in table.grain)}.",
    ]
    if table.caveats:
        lines += ["", *(f"- Beware: {caveat}" for caveat in table.caveats)]
    lines += ["", "| column | type | unit | meaning |", "|---|---|---|---|"]
    for name, kind, unit, description, is_key, is_nullable, values in rows:
        notes = [description.strip()]
        if values:
            notes.append("One of: " + ", ".join(values) + ".")
        notes.append("Key." if is_key else "May be null." if is_nullable else "")
        text = " ".join(note for note in notes if note).replace("|", "\\|")
        lines.append(f"| `{name}` | {kind} | {unit or ''} | {text} |")
    lines += [
        "",
        f"Reads {', '.join(f'`{read}`' for read in model.reads)}. Made by `{model.path.relative_to(project.content).as_posix()}`.",
    ]
    return "\n".join(lines) + "\n"


def _sources_page(con: duckdb.DuckDBPyConnection) -> str:
    """Return the page of all sources."""
    lines = ["# Sources", "", "Where facts come from, on which terms, and the line that credits each.", ""]
    relation = con.sql("from meta.sources order by source_id")
    for row in relation.pl().iter_rows(named=True):
        lines += [f"## {row.get('title') or row['source_id']}", ""]
        if row.get("about"):
            lines += [row["about"], ""]
        for label, key in (
            ("id", "source_id"), ("publisher", "publisher"), ("licence", "licence"), ("credit", "attribution"),
            ("page", "url"), ("fetched by", "fetch_protocol"), ("every", "expected_every"),
        ):  # fmt: skip
            if row.get(key):
                lines.append(f"- {label}: {row[key]}")
        lines += [f"- gap: {gap}" for gap in row.get("gaps") or []]
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"
