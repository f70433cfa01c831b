"""Remove the fields of an object one by one, so that a field that nothing reads is found at the end."""

import json
import math
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

from datamoat.parsing.display import keys_of, kind, shown
from datamoat.parsing.numbers import MISSING
from datamoat.parsing.response import Response, Row, changed

ERROR_KEYS: Final = ("error", "errors", "error_message", "message", "msg", "detail", "error_description", "reason")
HTTP_ERROR: Final = 400
FAILED: Final = ("error", "fail", "failed", "failure")
DEEPEST = 4  # levels searched for a list that moved


def mapping(value: Any, what: str) -> dict[str, Any]:  # noqa: ANN401
    """Return `value` if it is an object.

    Raises:
        SourceChangedError: It is something else.
    """
    if not isinstance(value, dict):
        raise changed(f"{what} is {kind(value)}, not an object")
    return value


def refuse_error(page: Mapping[str, Any], holds: Iterable[str]) -> None:
    """Refuse an error message that was served, or stored, in place of data, and data under a status that is an error.

    Raises:
        SourceChangedError: None of the keys in `holds` holds anything, and one that errors use does; or `status` is an
            error, whatever else is there.
    """
    holds_data = any(page.get(key) for key in holds)
    for key in ERROR_KEYS:
        if page.get(key) and not holds_data:
            stated = page[key] if isinstance(page[key], str) else json.dumps(page[key], ensure_ascii=True)
            raise changed(
                f"an error message in place of data: {shown(stated)}",
                "do what the message asks for (a key, a quota), then fetch again.",
            )
    status = str(page.get("status")).strip().lower()
    if status in FAILED or (status.isdecimal() and int(status) >= HTTP_ERROR):
        raise changed(f"the response itself states status {shown(page['status'])}", "fetch again; what it holds may be partial.")


def list_at(page: dict[str, Any], key: str) -> list[Any]:
    """Remove the list at `key` from an object and return it.

    Raises:
        SourceChangedError: The key is gone (which differs from an empty list), or holds something else.
    """
    if key not in page:
        near = [f"{shown(path)} ({length} entries)" for path, length in _lists(page)]
        hint = f"; a list is now under {', '.join(near[:3])}" if near else ""
        raise changed(f"key {shown(key)} is not there (renamed or dropped); the response has {keys_of(page)}{hint}")
    value = page.pop(key)
    if not isinstance(value, list):
        raise changed(f"{shown(key)} is {kind(value)}, not a list")
    return value


def _lists(value: Any, path: str = "", depth: int = 0) -> list[tuple[str, int]]:  # noqa: ANN401
    """Return the dotted path and the length of every list below an object, the longest first."""
    if not isinstance(value, dict) or depth == DEEPEST:
        return []
    found = []
    for name, below in value.items():
        here = f"{path}.{name}" if path else str(name)
        found += [(here, len(below))] if isinstance(below, list) else _lists(below, here, depth + 1)
    return sorted(found, key=lambda pair: -pair[1])


def take(entry: dict[str, Any], key: str) -> Any:  # noqa: ANN401
    """Remove the value at `key` from an object and return it; the key must exist, with any value.

    Raises:
        SourceChangedError: The key is absent.
    """
    if key not in entry:
        raise changed(f"an entry has no {shown(key)} (renamed or dropped); it has {keys_of(entry)}")
    return entry.pop(key)


def text(entry: dict[str, Any], key: str, *, optional: bool = False) -> str | None:
    """Remove a text from an object and return it unchanged; null and blank count as missing.

    Raises:
        SourceChangedError: The key is absent, the value is not text, or a required text is missing.
    """
    value = entry.pop(key, None) if optional else take(entry, key)
    if value is not None and not isinstance(value, str):
        raise changed(f"{shown(key)} is {kind(value)} {shown(value)}, not text: its type changed")
    if value is None or not value.strip():
        if optional:
            return None
        raise changed(f"{shown(key)} is blank where every entry must have one")
    return value


def number(
    response: Response, entry: dict[str, Any], key: str, *, optional: bool = False, negative: bool = False
) -> float | int | None:
    """Remove a number from an object and return it; the ways of writing "none" become None, with a note.

    -1 counts as one of those ways unless `negative`; other negative values are refused then.

    Raises:
        SourceChangedError: The key is absent, or the value is not a number.
    """
    value = entry.pop(key, None) if optional else take(entry, key)
    if value is None:
        return None
    if isinstance(value, Decimal) and value.is_finite():
        value = int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, str):
        if value.strip().lower() in MISSING:
            response.note(f"{key}: {shown(value)} read as missing")
            return None
        raise changed(f"{shown(key)} is text {shown(value)}, not a number: its type changed")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise changed(f"{shown(key)} is {kind(value)}, not a number: its type changed")
    if math.isinf(value):  # JSON's own Infinity is missing already: this is 1e400
        raise changed(f"{shown(key)} is larger than any 64-bit number")
    if math.isnan(value):
        response.note(f"{key}: {value} read as missing")
        return None
    if not negative and value == -1:
        response.note(f"{key}: -1 read as missing")
        return None
    if not negative and value < 0:
        raise changed(f"{shown(key)} is {value}, which cannot be negative")
    return value


def whole(response: Response, entry: dict[str, Any], key: str, *, optional: bool = False) -> int | None:
    """Remove a whole number, zero or more, from an object and return it; a value such as 12.0 counts as whole.

    Raises:
        SourceChangedError: The key is absent, or the value is not a number or has a fraction.
    """
    value = number(response, entry, key, optional=optional)
    if value is None:
        return None
    if value != int(value):
        raise changed(f"{shown(key)} is {value}, not a whole number")
    return int(value)


def drop_sentinels(response: Response, rows: list[Row], column: str) -> list[Row]:
    """Return rows in which -1 among ratings that are all positive is missing; on a scale around zero it is a rating."""
    if all(row[column] is None or row[column] == -1 or row[column] > 0 for row in rows):
        for row in rows:
            if row[column] == -1:
                row[column] = None
                response.note(f"{column}: -1 read as missing")
    return rows


def flag(entry: dict[str, Any], key: str, *, optional: bool = False) -> bool | None:
    """Remove a true or false from an object and return it.

    Raises:
        SourceChangedError: The key is absent, or the value is neither true nor false.
    """
    value = entry.pop(key, None) if optional else take(entry, key)
    if value is None and optional:
        return None
    if not isinstance(value, bool):
        raise changed(f"{shown(key)} is {kind(value)} {shown(value)}, not true or false: its type changed")
    return value


def exhaust(response: Response, entry: Mapping[str, Any], *, ignore: Iterable[str] = (), what: str = "field") -> None:
    """Note the fields that nothing read; `ignore` lists those that are skipped on purpose.

    A field that was added takes nothing away, so it is a note and the data are served; one that was renamed or
    dropped has already stopped the reading at `take`.
    """
    for key in entry.keys() - set(ignore):
        response.note(f"{what} {shown(key)} is new: not read, the rest is served")
