"""Read a picture back: the texts in it, and its marks beside the rows of the table it was drawn from.

Vega names each mark by the fields it was drawn from (`aria-label="rating: 1322; line: Veo 3"`). A mark fits a row if every number,
day and text of its name, and every number written on it, is in that row; lines and areas are read from their geometry.
"""

import json
import re
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from html import unescape
from math import log10
from pathlib import Path

import pytest

from datamoat.views.panels import words

NUMBER = re.compile(r"(?<![\w.])[−+-]?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?(?: ?%)?(?!\w)")
MARK = re.compile(
    r'<(?:path|text|line) aria-label="([^"]*)" role="graphics-symbol" aria-roledescription="(?:point|circle|square|tick|bar|rule mark|text mark)"'
    r"[^>]*?(?:/>|>(?:<title>[^<]*</title>)?([^<]*)</)"
)
# Fields of places of labels and of rules of reference, words that represent how a mark is drawn, and what is written on it anyhow.
LAYOUT = {
    "at", "end", "label_at", "point", "elbow", "zero", "evidence", "reach", "status", "title", "story", "text", "label",
}  # fmt: skip
SIZES = {"k": 1e3, "m": 1e6, "bn": 1e9}


def texts(path: Path) -> dict[str, str]:
    """Return what a picture states about itself: the chunks of a PNG, the head of an SVG and the lines around its chart."""
    if path.suffix == ".png":
        body, at, found = path.read_bytes(), 8, {}
        while at < len(body):
            size, kind = struct.unpack(">I4s", body[at : at + 8])
            if kind == b"iTXt":
                key, _, rest = body[at + 8 : at + 8 + size].partition(b"\0")
                found[key.decode()] = rest[4:].decode()
            at += size + 12
        return found
    svg = path.read_text(encoding="utf-8")
    head = {name: unescape(body) for name, body in re.findall(r"<(title|metadata)>(.*?)</\1>", svg.split("<rect", 1)[0])}
    shown = unescape(" ".join(re.findall(r"<text x=\"8\"[^>]*>(.*?)</text>", svg)))
    return {"Title": head["title"], "Record": head["metadata"], "shown": shown}


def record(path: Path) -> dict[str, object]:
    """Return what a picture carries for programs."""
    found: dict[str, object] = json.loads(texts(path)["Record"])
    return found


@dataclass(frozen=True)
class Mark:
    """One mark: its fields, and what is written on it."""

    fields: tuple[tuple[str, str], ...]
    written: str


def marks(svg: str) -> Iterator[Mark]:
    """Yield the marks of a picture that represent values; a description in prose is what is written on its mark."""
    for label, written in MARK.findall(svg):
        if re.match(r"\w+: ", label) is None:
            yield Mark((), unescape(label))
            continue
        parts = [part.partition(": ") for part in unescape(label).split("; ")]
        fields = tuple((name, shown) for name, mid, shown in parts if mid and name not in LAYOUT)
        for clause in unescape(written).split("; "):
            yield Mark(fields, clause)


def misfits(svg: str, rows: Iterable[tuple[object, ...]], known: dict[str, str]) -> tuple[list[Mark], int]:
    """Return the marks to which no row fits, and how many numbers were compared.

    Args:
        svg: The picture.
        rows: The table it was drawn from.
        known: What readers call an id.
    """
    read = [_Row.of(row, known) for row in rows]
    wrong, n_numbers = [], 0
    for mark in marks(svg):
        n_numbers += sum(len(NUMBER.findall(shown)) for shown in (mark.written, *(shown for _, shown in mark.fields)))
        if not any(row.fits(mark) for row in read):
            wrong.append(mark)
    return wrong, n_numbers


def with_a_change(svg: str) -> str:
    """Return the picture with two digits changed in the name of the first mark that represents a value."""
    for label, _ in MARK.findall(svg):
        prose = re.match(r"\w+: ", label) is None
        for part in [label] if prose else label.split("; "):
            if (digits := re.compile(r"\d{2}").search(part, 0 if prose else part.find(":"))) and (
                prose or part.partition(": ")[0] not in LAYOUT
            ):
                other = f"{part[: digits.start()]}{(int(digits[0]) + 37) % 100:02d}{part[digits.end() :]}"
                return svg.replace(f'aria-label="{label}"', f'aria-label="{label.replace(part, other)}"')
    raise AssertionError("no mark represents a number")


def lines(svg: str) -> Iterator[list[float]]:
    """Yield the values at the vertices of each line and of each edge of an area, by the ticks of the vertical axis."""
    axis = re.search(r"aria-label=\"Y-axis [^\"]*? for a (log|linear) scale .*?role-axis-domain", svg, flags=re.DOTALL)
    if axis is None:
        return
    labels = re.findall(
        r'transform="translate\(-?[\d.]+,([\d.]+)\)" font-family="[^"]*" font-size="(\d+)px"[^>]*>([^<>]+)</text>', axis[0]
    )
    heights = [float(y) - round(0.3 * int(size)) for y, size, _ in labels]  # Vega centres a label so; ticks are on whole pixels
    ticks = [_tick(text) for *_, text in labels]
    is_log = axis[1] == "log"
    at = [log10(tick) if is_log else tick for tick in ticks]
    slope = (at[-1] - at[0]) / (heights[-1] - heights[0])
    for kind, path in re.findall(r'aria-roledescription="(line|area) mark" d="([^"]*)"', svg):
        found = [at[0] + (float(y) - heights[0]) * slope for _, y in re.findall(r"([\d.]+),(-?[\d.]+)", path)]
        values = [10**value if is_log else value for value in found]
        half = len(values) // 2
        yield from [values] if kind == "line" else [values[:half], values[half:][::-1]]


def runs_in(line: list[float], column: Iterable[object]) -> bool:
    """Return whether the values follow each other in a column; a picture is exact to a thousandth of a pixel."""
    values = [value if isinstance(value, int | float) else float("nan") for value in column]
    return any(line == pytest.approx(values[at : at + len(line)], rel=1e-3) for at in range(len(values) - len(line) + 1))


def _tick(text: str) -> float:
    number, _, size = text.replace(",", "").partition(" ")
    return float(number) * SIZES.get(size, 1)


@dataclass(frozen=True)
class _Row:
    """What of a row can be drawn."""

    numbers: tuple[float, ...]
    texts: tuple[str, ...]
    days: frozenset[str]

    @classmethod
    def of(cls, row: tuple[object, ...], known: dict[str, str]) -> "_Row":
        days = [value for value in row if isinstance(value, date | datetime)]
        strings = [value for value in row if isinstance(value, str)]
        strings += [known[value] for value in strings if value in known]
        return cls(
            tuple(float(value) for value in row if isinstance(value, int | float) and not isinstance(value, bool)),
            tuple(sorted(map(_plain, [*strings, *(["throughout"] if None in row else [])]), key=len, reverse=True)),
            frozenset(day.strftime(form) for day in days for form in ("%Y-%m-%d", "%b %d, %Y", "%b %Y", "%b %y", "%Y-%m", "%Y")),
        )

    def fits(self, mark: Mark) -> bool:
        return all(self._is_value(shown) for _, shown in mark.fields) and self._has(mark.written)

    def _is_value(self, shown: str) -> bool:
        """Return whether a field is in the row: as a day, as a number, or as a text."""
        if NUMBER.fullmatch(shown):
            return self._is_number(shown)
        return shown.removeprefix("since ") in self.days or any(_plain(shown) in text for text in self.texts)

    def _has(self, written: str) -> bool:
        """Return whether every number and day in a text is in the row."""
        left = _plain(written)
        if not NUMBER.fullmatch(left) and any(left in text for text in self.texts):
            return True
        for text in (*self.texts, *sorted(self.days, key=len, reverse=True)):
            left = left.replace(text, " ")
        return all(self._is_number(found) for found in NUMBER.findall(left))

    def _is_number(self, shown: str) -> bool:
        text = shown.replace("−", "-").replace(",", "").removeprefix("+")
        value = float(text.rstrip(" %")) / (100 if text.endswith("%") else 1)
        half = 0.5 * 10.0 ** -len(text.rstrip(" %").partition(".")[2]) / (100 if text.endswith("%") else 1)
        near = [number for number in self.numbers if abs(number - value) <= max(half, 1e-9 * abs(value)) * (1 + 1e-9)]
        return bool(near) or any(words(number, "two").replace("−", "-").replace(",", "") == text for number in self.numbers)


def _plain(text: str) -> str:
    """Return a text without what lays it out: lines parted by bars, underscores."""
    return " ".join(text.replace("|", " ").replace("_", " ").split())
