"""The calls of `datamoat.views.agent` as tools of the Model Context Protocol, by its own SDK."""

import importlib.metadata
from collections.abc import Callable
from typing import Annotated, Any

import anyio
import anyio.to_thread
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError, UnexpectedToolError
from mcp.types import CallToolResult, InputRequiredResult, TextContent, ToolAnnotations
from pydantic import Field, ValidationError

from datamoat.settings import Settings
from datamoat.views.agent import Agent

AT_ONCE = 2  # calls that run at the same time: each is a process with the memory that one query may take
READS = ToolAnnotations(read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False)


class Server(MCPServer):
    """A server that refuses unknown tools and arguments, with what is wrong and what to do; the SDK ignores unknown arguments."""

    agent: Agent

    async def call_tool(self, name: str, arguments: dict[str, Any], context: Any = None) -> CallToolResult | InputRequiredResult:  # noqa: ANN401
        """Call a tool whose name and arguments are those it declares."""
        tools = {tool.name: tool.input_schema for tool in await self.list_tools()}
        refused = _refused(name, arguments, tools)
        if refused is None:
            try:
                return await super().call_tool(name, arguments, context)
            except UnexpectedToolError:  # a fault of ours, which the SDK logs
                raise
            except ToolError as failure:
                refused = _mistyped(failure), _takes(name, tools)
        return _result(await anyio.to_thread.run_sync(self.agent.refuse, *refused))


def _mistyped(failure: ToolError) -> str:
    """Return what is wrong with the values of a call."""
    cause = failure.__cause__
    if not isinstance(cause, ValidationError):
        return str(failure)
    return "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in cause.errors())


def _takes(name: str, tools: dict[str, dict[str, Any]]) -> str:
    """Return what a tool takes, as a sentence."""
    known = tools[name].get("properties", {})
    listed = "; ".join(f"{key}: {one.get('description', '')}" for key, one in known.items())
    return f"{name} takes {listed or 'nothing'}"


def _refused(name: str, arguments: dict[str, Any], tools: dict[str, dict[str, Any]]) -> tuple[str, str] | None:
    """Return what is wrong with the names of a call and what to do; None where nothing is."""
    if name not in tools:
        return f"there is no tool {name!r}", f"take one of {', '.join(tools)}."
    known, needed = tools[name].get("properties", {}), tools[name].get("required", [])
    if unknown := sorted(set(arguments) - set(known)):
        return f"{name} has no argument {unknown[0]!r}", _takes(name, tools)
    if missing := [one for one in needed if one not in arguments]:
        return f"{name} needs {', '.join(missing)}", _takes(name, tools)
    return None


def _result(reply: tuple[str, bool]) -> CallToolResult:
    """Return a reply as the result of a tool."""
    text, is_good = reply
    return CallToolResult(content=[TextContent(type="text", text=text)], is_error=not is_good)


def make_server(settings: Settings) -> MCPServer:
    """Return a server of the six calls on the published file.

    Args:
        settings: Where the content and the published file are.
    """
    agent = Agent(settings)
    server = Server(
        "datamoat",
        version=importlib.metadata.version("datamoat"),
        instructions=" ".join(agent.declared.instructions.split()),
        log_level="WARNING",
    )
    server.agent = agent
    limit: list[anyio.CapacityLimiter] = []

    async def run(call: Callable[[], tuple[str, bool]]) -> CallToolResult:
        if not limit:  # made where the event loop runs
            limit.append(anyio.CapacityLimiter(AT_ONCE))
        return _result(await anyio.to_thread.run_sync(call, limiter=limit[0]))

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
