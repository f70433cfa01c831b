"""The command that answers the question the project exists for."""

from typing import Annotated

import typer

from datamoat.settings import read_settings
from datamoat.views.render import rows

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command()(answer)


def answer(as_json: AsJson = False) -> None:
    """Say whether volume goes with rank: the verdict, what carries it, what would change it, what is not claimed.

    Example: datamoat answer
    """
    import json

    from datamoat.storage.warehouse import open_published
    from datamoat.views.answer import read_answer

    settings = read_settings()
    with open_published(settings) as con:
        sections = read_answer(con, settings.content)
    if as_json:
        told = [
            {"title": section.title, "rows": [dict(zip(section.columns, row, strict=True)) for row in section.rows]}
            for section in sections
        ]
        typer.echo(json.dumps(told, default=str, ensure_ascii=False, indent=1))
        return
    for number, section in enumerate(sections):
        if number:
            typer.echo()
        if section.sentences is None:
            rows(section.columns, section.rows, title=section.title)
            continue
        typer.secho(section.title, bold=True)
        for sentence in section.sentences:
            typer.echo(sentence if number == 0 else f"- {sentence}")
