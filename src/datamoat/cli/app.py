"""The program: its options, its commands, its exit codes: 0 good, 1 degraded or refused, 2 usage."""

import importlib.metadata
import json
import re
import sys
from typing import Annotated, Any, NoReturn
from urllib.parse import unquote, urlsplit

import typer
from typer.core import TyperGroup

from datamoat import __version__
from datamoat.cli import agents, contribute, maintenance, pipeline, profiles, readers, scenarios, sources, streamed
from datamoat.cli.options import with_program
from datamoat.cli.streams import standard_streams
from datamoat.errors import DatamoatError, UsageError
from datamoat.log import Form, in_json, log, show_log

EXTRA = re.compile(r"(?P<name>[\w.-]++)[^;]*+; extra == ['\"](?P<extra>[\w-]+)['\"]")
LOG_OPTIONS = "The options of the log may follow too: --log-format json|text, and --verbose."


class Program(TyperGroup):
    """The program; the options about the log may also stand after the command."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401  (a class that typer keeps private)
        """Read the words, with the options about the log in front of the command."""
        first: list[str] = []
        rest: list[str] = []
        words = iter(args)
        for word in words:
            if word == "--log-format":
                first += [word, *[value for value in [next(words, None)] if value is not None]]
            else:
                (first if word.startswith("--log-format=") or word in {"--verbose", "-v"} else rest).append(word)
        return super().parse_args(ctx, [*first, *rest])

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ANN401
        """Return the commands, and the profiles that the content tree declares."""
        return [*super().list_commands(ctx), *profiles.names()]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ANN401
        """Return a command by its name, or the profile of that name."""
        command = super().get_command(ctx, cmd_name) or profiles.command(cmd_name)
        if command is not None:
            command.epilog = LOG_OPTIONS
        return command


app = typer.Typer(
    cls=Program,
    help="Fetch, land, build, audit and publish the data of a content tree, and query what is published.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback(invoke_without_command=True)
def _options(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
    log_format: Annotated[
        Form | None,
        typer.Option(help="How the log is written to standard error: json (one object a line) or text. A bar on a terminal."),
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log every model and check on a line of its own.")] = False,
) -> None:
    show_log(log_format, verbose=verbose)
    if version:
        typer.echo(__version__)
        raise typer.Exit


for commands in (pipeline, readers, agents, scenarios, sources, streamed, contribute, maintenance):
    commands.register(app)


def main() -> None:
    """Run the command; an error raised on purpose is printed in three lines, without a traceback."""
    try:
        with standard_streams():
            app()
    except ModuleNotFoundError as missing:
        extra = _extra_of(missing.name or "")
        if extra is None:
            raise
        _fail(UsageError(f"this needs {missing.name}, which is not installed", "the environment", _install(extra)))
    except UnicodeError as failure:
        what = f"a text cannot be read or written as it is: {failure}"
        _fail(UsageError(what, "the locale of this shell", "set PYTHONUTF8=1, and write the text in UTF-8."))
    except DatamoatError as failure:
        _fail(failure)


def _extra_of(module: str) -> str | None:
    """Return the extra of this package that brings a module; None where none does."""
    for requirement in importlib.metadata.requires("datamoat") or []:
        found = EXTRA.match(requirement)
        if found and found["name"].replace("-", "_").lower() == module.split(".", maxsplit=1)[0]:
            return found["extra"]
    return None


def _install(extra: str) -> str:
    """Return the command that adds an extra to this installation, from where the package came."""
    origin = json.loads(importlib.metadata.distribution("datamoat").read_text("direct_url.json") or "{}")
    if origin.get("dir_info", {}).get("editable"):
        return f"pip install -e '{unquote(urlsplit(origin['url']).path)}[{extra}]'"
    url = origin.get("url", "")
    if vcs := origin.get("vcs_info"):
        url = f"{vcs['vcs']}+{url}@{vcs['commit_id']}"
    return f"pip install 'datamoat[{extra}]{' @ ' + url if url else ''}'"


def _fail(failure: DatamoatError) -> NoReturn:
    """Print an error that was raised on purpose and end with its exit code."""
    if in_json():
        log.error("failed", error=type(failure).__name__, what=failure.what, where=failure.where, fix=failure.fix)
    else:
        typer.secho(with_program(str(failure)), err=True, fg=typer.colors.RED if sys.stderr.isatty() else None)
    sys.exit(failure.exit_code)
