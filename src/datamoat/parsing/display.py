"""Text of a publisher in messages and in storage: short, quoted, escaped, storable."""

import unicodedata
from collections.abc import Mapping
from typing import Any, Final

ZERO_WIDTH: Final = frozenset("\u200b\u200c\u200d\u2060\ufeff\u00ad")
BIDIRECTIONAL: Final = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def shown(value: object, most: int = 60) -> str:
    """Return any value as short, quoted, escaped text: nothing in it can move the cursor or start a new line."""
    made = value if isinstance(value, str) else str(value)
    cut = made if len(made) <= most else made[:most] + "…"
    return (
        "'"
        + "".join(
            c if c.isprintable() and c not in BIDIRECTIONAL else c.encode("unicode_escape", "backslashreplace").decode()
            for c in cut
        )
        + "'"
    )


def storable(value: str) -> str:
    """Return text that can be stored as UTF-8: verbatim, but for a lone surrogate, which is written out by its number."""
    if value.isascii():
        return value
    stored = value.encode("utf-8", "backslashreplace").decode()
    return value if stored == value else stored


def fold(value: str) -> str:
    """Return the text of a key composed (NFC), with single spaces and none at its ends: two keys that look alike are one.

    >>> fold(" Cafe\u0301  1 ")
    'Café 1'
    """
    return (
        value if value.isascii() and value == " ".join(value.split()) else " ".join(unicodedata.normalize("NFC", value).split())
    )


def visible(value: str) -> str:
    """Return text as it looks to a reader: as `fold` makes it, and without characters that are not seen.

    >>> visible("Goo\u200bgle\u00a0 AI") == visible("Google AI")
    True
    """
    return (
        value
        if value.isascii() and value == " ".join(value.split())
        else fold("".join(c for c in value if c not in ZERO_WIDTH | BIDIRECTIONAL))
    )


def oddities(value: str) -> list[str]:
    """Say what in a name could mislead a reader's eye: it is stored as it is, and flagged."""
    if value.isascii() and value.isprintable():
        return []
    found = []
    if any(c in BIDIRECTIONAL for c in value):
        found.append("bidirectional control characters")
    if any(c in ZERO_WIDTH for c in value):
        found.append("invisible characters")
    if any(unicodedata.category(c) in {"Cc", "Cs"} for c in value):
        found.append("control characters")
    if any(unicodedata.category(c) == "Zs" and c != " " for c in value):
        found.append("spaces that are not plain ones")
    if unicodedata.normalize("NFC", value) != value:
        found.append("letters that are not composed (NFC)")
    scripts = {unicodedata.name(c, "?").split(" ")[0] for c in value if c.isalpha()}
    if {"LATIN", "CYRILLIC"} <= scripts or {"LATIN", "GREEK"} <= scripts:
        found.append("letters of look-alike scripts")
    return found


def kind(value: object) -> str:
    """Return the JSON name of a value's type."""
    names = {bool: "true or false", int: "a number", float: "a number", str: "text", list: "a list", dict: "an object"}
    return "null" if value is None else names.get(type(value), type(value).__name__)


def keys_of(entry: Mapping[str, Any]) -> str:
    """Return the first keys of an object, quoted, for a message."""
    names = [shown(key, 30) for key in list(entry)[:12]]
    return (", ".join(names) or "no keys") + (" …" if len(entry) > len(names) else "")


def tidy(written: str) -> str:
    """Return compatibility forms as plain ones (full-width digits), and every kind of space as one space."""
    return " ".join(unicodedata.normalize("NFKC", written).split())
