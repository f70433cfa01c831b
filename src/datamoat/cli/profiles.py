"""The commands that the content tree declares: a page about one thing, such as `datamoat NAME ID`."""

import contextlib
from typing import Annotated, Any

import typer

from datamoat.cli.options import AsJson
from datamoat.errors import DatamoatError
from datamoat.settings import read_settings
from datamoat.views.render import say


def names() -> list[str]:
    """Return the names of the profiles; none where there is no content tree."""
    from datamoat.views.profiles import profile_names

    with contextlib.suppress(DatamoatError):
        return profile_names(read_settings().content)
    return []


def command(name: str) -> Any:  # noqa: ANN401  (a class that typer keeps private)
    """Return the command of a profile; None where there is no such profile."""
    if name not in names():
        return None
    from datamoat.views.profiles import find_profile

    declared = find_profile(read_settings().content, name)

    def show(
        value: Annotated[str, typer.Argument(metavar=declared.argument.upper(), help=declared.about_argument)],
        as_json: AsJson = False,
    ) -> None:
        from datamoat.storage.warehouse import open_published
        from datamoat.views.profiles import read_profile
        from datamoat.views.sections import print_sections

        with open_published(read_settings()) as con:
            page = read_profile(con, declared, value)
        if as_json:
            sections = [{"title": section.title, "rows": section.records} for section in page.sections]
            about = {"profile": name, declared.argument: page.value, "build_id": page.build_id, "as_of": page.as_of}
            say("", as_json=True, **about, sections=sections)
            return
        print_sections(list(page.sections))
        typer.echo(f"\nas of {page.as_of}, build {page.build_id}")

    show.__doc__ = f"{declared.description}\n\nExample: datamoat {name} {declared.example}"
    program = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    program.command(name)(show)
    return typer.main.get_command(program)
