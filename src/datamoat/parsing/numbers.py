"""Numbers, counts, intervals and dates as publishers write them, each by a written grammar."""

import contextlib
import math
import re
from datetime import date
from decimal import Decimal
from typing import Any, Final

from datamoat.parsing.display import shown, tidy
from datamoat.parsing.response import Response, changed

MISSING: Final = frozenset(
    {"", "-", "--", "–", "—", "null", "none", "nan", "n/a", "na", "n.a.", "inf", "-inf", "infinity", "-infinity", "undefined"}
)
GROUPED: Final = re.compile(
    r"[+-]?[1-9]\d{0,2}(?:(,)\d{3}(?:,\d{3})*|( )\d{3}(?: \d{3})*|(')\d{3}(?:'\d{3})*|(\.)\d{3}(?:\.\d{3})+)", re.ASCII
)
PLAIN: Final = re.compile(r"([+-]?\d{1,30})(?:[.,](\d{1,30}))?", re.ASCII)
UNITS: Final = {
    "": 1, "k": 10**3, "thousand": 10**3, "千": 10**3, "万": 10**4, "萬": 10**4, "m": 10**6, "mn": 10**6, "million": 10**6,
    "b": 10**9, "bn": 10**9, "billion": 10**9, "亿": 10**8, "億": 10**8, "百万": 10**6, "千万": 10**7,
}  # fmt: skip
MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def parse_number(written: str) -> Decimal | None:
    """Return a number as written with a decimal point, exactly; None for the ways of writing "none".

    >>> parse_number("0.005"), parse_number("N/A")
    (Decimal('0.005'), None)

    Raises:
        SourceChangedError: Anything else, a percent sign or a thousands separator included.
    """
    plain = tidy(written)
    if plain.lower() in MISSING:
        return None
    match = PLAIN.fullmatch(plain)
    if not match or "," in plain:
        raise changed(f"{shown(written)} is not a number as this source writes them")
    return Decimal(plain)


def parse_count(written: str) -> int | None:
    """Return a count exactly; None for the ways of writing "none".

    Reads thousands separators, full-width digits, `5k`, `3.2 million`, `1.2万`, `3.4億`. What could mean two things
    (`1.234`, `0,009`, `1,234万`) is refused: a wrong reading would be off by a thousand.

    >>> parse_count("178,300,000"), parse_count("1.2万"), parse_count("-")
    (178300000, 12000, None)

    Raises:
        SourceChangedError: Not a count, or an ambiguous one.
    """
    plain = tidy(written)
    if plain.lower() in MISSING or plain == "-1":
        return None
    match = re.fullmatch(r"([+-]?[0-9][0-9.,' ]{0,60}?) ?([^0-9]{0,10})", plain)
    unit = UNITS.get(match[2].strip().lower()) if match else None
    if not match or unit is None:
        raise changed(f"{shown(written)} is not a count")
    digits = match[1].strip()
    if GROUPED.fullmatch(digits):
        if unit != 1:
            raise changed(f"{shown(written)} is ambiguous: a separator or a decimal mark")
        value = Decimal(re.sub(r"[,' .]", "", digits))
    else:
        plainly = PLAIN.fullmatch(digits)
        if not plainly:
            raise changed(f"{shown(written)} is not a count")
        if plainly[2] and unit == 1:
            raise changed(f"{shown(written)} is not a whole number, or it is ambiguous: a separator or a decimal mark")
        value = Decimal(f"{plainly[1]}.{plainly[2] or 0}") * unit
    if value != int(value) or value < 0:
        raise changed(f"{shown(written)} is not a count: a fraction or below zero")
    return int(value)


def parse_interval(written: Any) -> tuple[float, float] | None:  # noqa: ANN401
    """Return the two half-widths of an interval: how far down and how far up, both zero or more.

    >>> parse_interval("-10/+12"), parse_interval(9), parse_interval("±7")
    ((10.0, 12.0), (9.0, 9.0), (7.0, 7.0))

    Raises:
        SourceChangedError: Written in a way not seen before.
    """
    if written is None or isinstance(written, bool):
        return None
    if isinstance(written, int | float):
        if not math.isfinite(written) or written < 0:
            return None
        return float(written), float(written)
    plain = tidy(str(written)).replace("\u2212", "-")
    if plain.lower() in MISSING:
        return None
    both = re.fullmatch(r"-?(\d{1,6}(?:\.\d{1,6})?) ?/ ?\+?(\d{1,6}(?:\.\d{1,6})?)", plain, re.ASCII)
    if both:
        return float(both[1]), float(both[2])
    one = re.fullmatch(r"(?:±|\+/-) ?(\d{1,6}(?:\.\d{1,6})?)|(\d{1,6}(?:\.\d{1,6})?)", plain, re.ASCII)
    if one:
        width = float(one[1] or one[2])
        return width, width
    raise changed(f"interval {shown(written)} is written in a way not seen before")


def parse_date(written: str) -> date | None:
    """Return a whole ISO date, the date part of an ISO timestamp included; None for "none" or a partial date.

    Raises:
        SourceChangedError: Text that is no date.
    """
    plain = written.strip()
    if plain.lower() in MISSING or re.fullmatch(r"\d{4}(-\d{2})?", plain, re.ASCII):
        return None
    if not plain.isascii():
        raise changed(f"{shown(written)} is not a date as this source writes them")
    try:
        return date.fromisoformat(plain[:10])
    except ValueError as failure:
        raise changed(f"{shown(written)} is not a date as this source writes them") from failure


def stated_day(response: Response, written: str | None) -> str | None:
    """Return a day, month or year as ISO text (`2025-04-07`, `2025-04`, `2025`), also from `Apr 2025`; else a note.

    >>> stated_day(Response(b""), "Apr 2025"), stated_day(Response(b""), "2025-04")
    ('2025-04', '2025-04')
    """
    plain = tidy(written or "")
    if plain.lower() in MISSING:
        return None
    if re.fullmatch(r"\d{4}(-(0[1-9]|1[0-2]))?", plain, re.ASCII):
        return plain
    named = re.fullmatch(r"([A-Za-z]{3})[a-z]{0,6}\.? ([0-9]{4})", plain)
    if named and named[1].lower() in MONTHS:
        return f"{named[2]}-{MONTHS.index(named[1].lower()) + 1:02d}"
    if re.match(r"\d{4}-\d{2}-\d{2}(?:[T ]|$)", plain, re.ASCII):
        with contextlib.suppress(ValueError):  # a day that does not exist, such as 31 February
            return date.fromisoformat(plain[:10]).isoformat()
    response.note(f"date {shown(plain, 30)} is written in a way not seen before, and left out")
    return None
