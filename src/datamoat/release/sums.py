"""The list of hashes of a bundle, `SHA256SUMS`, and the names of the files in it that others rely on."""

import re

SUMS = "SHA256SUMS"
MANIFEST = "manifest.json"
DATABASE = "datamoat.duckdb"
LINE = re.compile(r"([0-9a-f]{64})  ([^\x00-\x1f\\]+)\n")


def read_sums(text: bytes) -> list[tuple[str, str]] | None:
    """Return name and SHA-256 of each file a list names, in its order; None if a line is not as we write it."""
    read = text.decode("utf-8", errors="replace")
    matches = list(LINE.finditer(read))
    if "".join(match.group(0) for match in matches) != read:
        return None
    return [(match[2], match[1]) for match in matches]
