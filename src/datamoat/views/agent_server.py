"""The calls of `datamoat.views.agent` as tools of the Model Context Protocol, by its own SDK."""

import importlib.metadata
from collections.abc import Callable
from typing import Annotated

import anyio
import anyio.to_thread
from mcp.server.mcpserver import MCPServer
from mcp.types import CallToolResult, TextContent, ToolAnnotations
from pydantic import Field

from datamoat.settings import Settings
from datamoat.views.agent import Agent

AT_ONCE = 2  # calls that run at the same time: each is a process with the memory that one query may take
READS = ToolAnnotations(read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False)


def make_server(settings: Settings) -> MCPServer:
    """Return a server of the six calls on the published file.

    Args:
        settings: Where the content and the published file are.
    """
    agent = Agent(settings)
    server = MCPServer(
        "datamoat",
        version=importlib.metadata.version("datamoat"),
        instructions=" ".join(agent.declared.instructions.split()),
        log_level="WARNING",
    )
    limit: list[anyio.CapacityLimiter] = []

    async def run(call: Callable[[], tuple[str, bool]]) -> CallToolResult:
        if not limit:  # made where the event loop runs
            limit.append(anyio.CapacityLimiter(AT_ONCE))
        text, is_good = await anyio.to_thread.run_sync(call, limiter=limit[0])
        return CallToolResult(content=[TextContent(type="text", text=text)], is_error=not is_good)

    inputs = "; ".join(
        f"{n}: {one['about']}, {one['low']} to {one['high']}" for n, one in agent.declared.what_if["parameters"].items()
    )

    @server.tool(
        annotations=READS, structured_output=False, description="The answer of this data set, with intervals and verdicts."
    )
    async def answer() -> CallToolResult:
        return await run(agent.answer)

    @server.tool(
        annotations=READS, structured_output=False,
        description="Search tables, columns, terms and names for a question; returns statements to try with query. Call it first.",
    )  # fmt: skip
    async def find(words: Annotated[str, Field(description="The question, or words of it.")]) -> CallToolResult:
        return await run(lambda: agent.find(words))

    @server.tool(
        annotations=READS, structured_output=False,
        description="Run one SELECT (DuckDB) on marts.* and meta.*. Select an estimate with its _p05 and _p95; never add up quantiles: use the *_draws tables.",
    )  # fmt: skip
    async def query(sql: Annotated[str, Field(description="One SELECT.")]) -> CallToolResult:
        return await run(lambda: agent.query(sql))

    @server.tool(
        annotations=READS, structured_output=False, description="Pages, statistics and assumptions behind one published number."
    )
    async def why(
        table: Annotated[str, Field(description="A mart, without its schema.")],
        column: Annotated[str, Field(description="A column of it.")],
        row: Annotated[str, Field(description="The row's key: name=value; name=value.")],
    ) -> CallToolResult:
        return await run(lambda: agent.why(table, column, row))

    @server.tool(
        annotations=READS, structured_output=False, description=f"What follows if inputs had other values. Inputs: {inputs}."
    )
    async def what_if(
        settings: Annotated[dict[str, float], Field(description="A value for each input that is changed.")],
        only: Annotated[str | None, Field(description="The id of one thing; all if left out.")] = None,
    ) -> CallToolResult:
        return await run(lambda: agent.what_if(settings, only))

    @server.tool(
        annotations=READS, structured_output=False, description="How to cite the data; or the pages and assumptions of some ids."
    )
    async def cite(
        ids: Annotated[list[str] | None, Field(description="Ids of citations or assumptions.")] = None,
    ) -> CallToolResult:
        return await run(lambda: agent.cite(ids or ()))

    return server
