"""The command for agents: mcp."""

from typing import Annotated

import typer

from datamoat.errors import UsageError
from datamoat.settings import read_settings


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command()(mcp)


def mcp(
    http: Annotated[
        bool, typer.Option("--http", help="Serve HTTP on this machine's own address; standard input and output if not.")
    ] = False,
    port: Annotated[int, typer.Option(help="The port, with --http.")] = 8765,
) -> None:
    """Serve the published file to agents by the Model Context Protocol, for reading only, until it is ended.

    Example: datamoat mcp --http --port 8765
    """
    from datamoat.storage.warehouse import build_to_read

    try:
        from datamoat.views.agent_server import make_server
    except ModuleNotFoundError as missing:
        raise UsageError("the server needs the package mcp", "this environment", "install datamoat[agents].") from missing
    if not 1 <= port <= 65535:  # noqa: PLR2004
        raise UsageError(f"{port} is not a port", "--port", "take one from 1024 to 65535.")
    settings = read_settings()
    build_to_read(settings)
    server = make_server(settings)
    if http:
        server.run("streamable-http", host="127.0.0.1", port=port, stateless_http=True, json_response=True)
    else:
        server.run("stdio")
