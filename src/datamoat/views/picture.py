"""Pictures that may be shown: a chart drawn through Vega, with title, unit, day, sources and licence inside SVG and PNG."""

import json
import re
import struct
import textwrap
import zlib
from dataclasses import dataclass
from html import escape
from typing import Any

from datamoat.views.panels import Credit, Filled

WIDE, NARROW = 720, 340  # pixels of a chart on a desk and on a phone
SCALE = 2  # pixels of a PNG for each of the chart's
SIGNATURE = b"\x89PNG\r\n\x1a\n"
OURS = "Compilation and chart: CC BY 4.0"
INK, QUIET, PAPER = "#1b1b1b", "#4a4a4a", "white"
EDGE = 8
# Colours of a chart on a dark page: each ink of the content's style gives way to one that is readable there.
DARK = {
    INK: "#ececec",
    "#000": "#ececec",
    QUIET: "#bdbdbd",
    "#767676": "#a6a6a6",
    PAPER: "#16181a",
    "#d9d9d9": "#3c4043",
    "#e8eef4": "#26323c",
    "#0b5394": "#7fb8ec",
}


@dataclass(frozen=True)
class Words:
    """What is written in and around a chart.

    Attributes:
        title: One sentence.
        unit: What is counted.
        as_of: Last day of what is drawn.
        build_id: The build it was drawn from; empty where a picture is compared over builds.
        credits: Its sources.
        text: What the chart shows, for those who cannot see it.
    """

    title: str
    unit: str
    as_of: str
    build_id: str
    credits: tuple[Credit, ...]
    text: str

    @property
    def sources(self) -> str:
        """The sources in one line."""
        return "Sources: " + "; ".join(credit.line for credit in self.credits)

    @property
    def record(self) -> dict[str, Any]:
        """The same for programs."""
        return {
            "title": self.title, "unit": self.unit, "as_of": self.as_of, "build_id": self.build_id, "licence": OURS,
            "sources": [
                {"source_id": c.source_id, "credit": c.attribution, "licence": c.licence, "licence_url": c.licence_url, "url": c.url, "n_pages": c.n_pages}
                for c in self.credits
            ],
        }  # fmt: skip


def words_of(found: Filled, build_id: str) -> Words:
    """Return what is written in and around the chart of a panel."""
    return Words(
        found.title.striptags(), found.panel.unit, found.as_of.isoformat(), build_id, found.credits,
        found.text[0].striptags() if found.text else "",
    )  # fmt: skip


def draw_svg(chart: Any, words: Words, width: int) -> str:  # noqa: ANN401  (an Altair chart)
    """Return a chart as an SVG of exactly this width, with its title above and its unit, day, sources and licence below."""
    import vl_convert

    svg: str = vl_convert.vegalite_to_svg(json.dumps(chart.to_dict()))
    size = re.search(r'width="([\d.]+)" height="([\d.]+)"', svg)
    wide, high = (float(size[1]), float(size[2])) if size else (width, width)
    whole = max(width, round(wide))
    large, small = (18, 11) if width >= WIDE else (15, 10)
    y, lines = float(EDGE), list[str]()
    for line in textwrap.wrap(words.title, int((whole - 2 * EDGE) / (large * 0.54))):
        y += large + 4
        lines.append(_text(line, y, large, INK, "bold"))
    for line in textwrap.wrap(f"{words.unit}. As of {words.as_of}.", int((whole - 2 * EDGE) / (small * 0.54))):
        y += small + 5
        lines.append(_text(line, y, small + 1, QUIET))
    top = y + 14
    y = top + high + 4
    build = f" Build {words.build_id}." if words.build_id else ""
    for line in textwrap.wrap(f"{words.sources}. {OURS}.{build}", int((whole - 2 * EDGE) / (small * 0.5))):
        y += small + 3
        lines.append(_text(line, y, small, QUIET))
    height = round(y + EDGE)
    inside = re.sub(r'<rect width="[\d.]+" height="[\d.]+" fill="white"/>', "", svg)
    inside = inside.replace("<svg ", f'<svg x="0" y="{top}" ', 1)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{whole}" height="{height}" viewBox="0 0 {whole} {height}" role="img"'
        f' font-family="Liberation Sans, Arial, Helvetica, sans-serif">'
        f"<title>{escape(words.title)}</title><desc>{escape(words.text)}</desc>"
        f"<metadata>{escape(json.dumps(words.record, ensure_ascii=False), quote=False)}</metadata>"
        f"<style>{dark_rules()}</style>"
        f'<rect width="{whole}" height="{height}" fill="{PAPER}"/>{"".join(lines)}{inside}</svg>'
    )


def _text(line: str, y: float, size: int, colour: str, weight: str = "normal") -> str:
    """Return one line of text."""
    return f'<text x="{EDGE}" y="{y:g}" font-size="{size}" font-weight="{weight}" fill="{colour}">{escape(line)}</text>'


def dark_rules() -> str:
    """Return the rules that make a chart readable on a dark page."""
    rules = "".join(f'[fill="{a}"]{{fill:{b}}}[stroke="{a}"]{{stroke:{b}}}' for a, b in DARK.items())
    return f"@media (prefers-color-scheme:dark){{{rules}}}"


def with_hover(svg: str) -> str:
    """Return a chart whose marks show their description when the pointer is on them."""
    mark = r'<path aria-label="([^"]*)" (role="graphics-symbol" aria-roledescription="bar" [^>]*)/>'
    return re.sub(mark, r"<path \2><title>\1</title></path>", svg)


def inside_a_page(svg: str) -> str:
    """Return a chart as a part of a page, whose style sheets have the rules of `dark_rules`."""
    return re.sub(r"<(metadata|style)>.*?</\1>", "", svg, flags=re.DOTALL)


def draw_png(svg: str, words: Words) -> bytes:
    """Return the SVG as a PNG whose text chunks carry title, description, sources, licence and day."""
    import vl_convert

    plain = re.sub(r"<style>.*?</style>", "", svg, count=1)
    body: bytes = vl_convert.svg_to_png(plain, scale=SCALE)
    texts = {
        "Title": words.title, "Description": f"{words.unit}. {words.text}", "Source": words.sources, "Copyright": OURS,
        "Creation Time": words.as_of, "Record": json.dumps(words.record, ensure_ascii=False),
    }  # fmt: skip
    header = len(SIGNATURE) + 25  # the signature and the header chunk
    chunks = b"".join(_chunk(b"iTXt", f"{key}\0\0\0\0\0{text}".encode()) for key, text in texts.items())
    return body[:header] + chunks + body[header:]


def _chunk(kind: bytes, data: bytes) -> bytes:
    """Return a chunk of a PNG (W3C PNG, section 5.3)."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
