"""Table macros of the content tree, stored so that they work under any alias and in other versions of the engine.

DuckDB resolves the names in a macro when it is called, in the current database, not in the one that holds the macro; and not every
version reads the parse tree that another one stored. So the body is stored as text that `query()` parses at the call, with the
alias of the file in front of each table: the argument `db`, or, where the current database is in memory, the name that `attach`
gives the published file by itself.
"""

import re

from datamoat.errors import ContentError
from datamoat.project.model import Snippet
from datamoat.storage.lake import quoted

HEAD = re.compile(r"create or replace macro (?P<name>marts\.\w+)\((?P<parameters>[^()]*)\)\s+as table\s+")
TABLE = re.compile(r"\b(?:from|join)\s+(?=(?:marts|meta)\.[\w\"])")
PIECE = re.compile(r"(?P<text>'(?:[^']|'')*')|(?P<comment>--[^\n]*)|(?P<word>\b[A-Za-z_]\w*)")
ALIAS = """coalesce('"' || replace(db, '"', '""') || '".', case current_database() when 'memory' then '"{name}".' else '' end)"""
# Ends the comment of each macro.
ELSEWHERE = "Where the file is attached under another name, add `db := 'NAME'`, or `use NAME` first."
VALUE = "coalesce('''' || replace({name}::varchar, '''', '''''') || '''::' || typeof({name}), 'null')"


def stored_macro(macro: Snippet, name: str) -> str:
    """Return the statement that stores a table macro of the content tree in the published file.

    Args:
        macro: `create or replace macro marts.NAME(PARAMETER, PARAMETER := VALUE) as table SELECT`.
        name: The alias that `attach` gives the published file where none is named.

    Raises:
        ContentError: It is not of that form, or has a parameter `db`.
    """
    head = HEAD.match(macro.sql)
    declared = [part.strip() for part in head["parameters"].split(",") if part.strip()] if head else []
    parameters = {part.split(":=")[0].strip() for part in declared}
    if head is None or "db" in parameters:
        raise ContentError(
            "this is not a table macro that can be stored",
            str(macro.path),
            "write `create or replace macro marts.NAME(PARAMETERS) as table SELECT`; `db` is added to every macro.",
        )
    pieces: list[str] = []  # SQL expressions, which give the text of the body when they are joined
    at = head.end()
    for match in PIECE.finditer(macro.sql, at):
        if match["text"] is None and match["comment"] is None and match["word"] not in parameters:
            continue
        pieces += _with_alias(macro.sql[at : match.start()], name)
        if match["text"] is not None:
            pieces += _with_alias(match["text"], name)
        elif match["word"] is not None:
            pieces.append(VALUE.format(name=match["word"]))
        at = match.end()
    pieces += _with_alias(macro.sql[at:], name)
    return f"create or replace macro {head['name']}({', '.join([*declared, 'db := null'])}) as table\nfrom query({' || '.join(pieces)})"


def _with_alias(text: str, name: str) -> list[str]:
    """Return SQL text as string literals, with the alias of the file between them wherever a table is named."""
    ends = [match.end() for match in TABLE.finditer(text)]
    parts = [text[a:b] for a, b in zip([0, *ends], [*ends, len(text)], strict=True)]
    made = [quoted(part) for part in parts[:1] if part]
    for part in parts[1:]:
        made += [ALIAS.format(name=name), quoted(part)]
    return made
