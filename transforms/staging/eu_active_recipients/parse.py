"""Read table 10 in its four forms: filled down or not, total or TOTAL, a number or a sentence."""

import re

from datamoat.parsing import Response, Row, changed, header_of, load_csv, parse_count, parse_date, shown

STATES = frozenset(
    (
        "AT",
        "BE",
        "BG",
        "CY",
        "CZ",
        "DE",
        "DK",
        "EE",
        "EL",
        "ES",
        "FI",
        "FR",
        "HR",
        "HU",
        "IE",
        "IT",
        "LT",
        "LU",
        "LV",
        "MT",
        "NL",
        "PL",
        "PT",
        "RO",
        "SE",
        "SI",
        "SK",
    )
)
COLUMNS = {
    "applicability": ("Applicability",),
    "service": ("Service",),
    "period": ("Reporting period", "Reporting period (start/end)"),
    "indicator": ("Indicator",),
    "scope": ("Scope",),
    "value": ("Value",),
}
INDICATOR = "number of average monthly active recipients during the reporting period"
SERVICES = {"snapchat": {"snapchat", "snap"}, "x": {"x", "twitter", "x twitter", "x formerly twitter"}}
MOST_SENTENCE = 400
SENTENCE_WORDS = 3


def recipients(response: Response) -> list[Row]:
    """Return one row per scope; a sentence where a number should be is kept as stated, with the number missing."""
    header, lines = load_csv(response)
    places = {name: header.index(str(header_of(header, aliases))) for name, aliases in COLUMNS.items()}
    above: dict[str, str] = {}
    rows: list[Row] = []
    for line in lines:
        cells = {name: line[place].strip() for name, place in places.items()}
        for name in ("applicability", "service", "period", "indicator"):  # key columns may be filled on the first rows only
            cells[name] = cells[name] or above.get(name, "")
            above[name] = cells[name]
        if " ".join(cells["indicator"].lower().split()) != INDICATOR:
            raise changed(f"indicator {shown(cells['indicator'])} is not the one of table 10")
        scope = {"TOTAL": "EU", "EU": "EU", "GR": "EL"}.get(cells["scope"].upper(), cells["scope"].upper())
        if scope in {"[...]", "[…]", "..."}:
            response.note("a row with an ellipsis for a scope is left out")
            continue
        if scope != "EU" and scope not in STATES:
            raise changed(f"scope {shown(cells['scope'])} is neither a member state nor the total")
        if not cells["service"]:
            raise changed("a row names no service, and none above it does")
        if " ".join(re.findall(r"\w+", cells["service"].lower())) not in SERVICES.get(response.request, {response.request}):
            response.doubt(f"the table is of {shown(cells['service'])}, and was brought in as {response.request}")
        start, end = _period(cells["period"])
        rows.append(
            {
                "service": cells["service"],
                "period_start": start,
                "period_end": end,
                "scope": scope,
                **_value(response, cells["value"]),
            }
        )
    if not rows:
        raise changed("a header and no rows: truncated")
    numbers = [row for row in rows if row["value"] is not None]
    if not all(row["value_as_stated"] for row in rows):
        raise changed("a blank where a number, or a sentence in its place, must be: truncated")
    if numbers and len(rows) < 1 + len(STATES):
        lacking = sorted({"EU", *STATES} - {str(row["scope"]) for row in rows})
        raise changed(f"truncated: {len(rows)} of 28 rows, without {', '.join(lacking[:6])}")
    return rows


def _value(response: Response, written: str) -> Row:
    """Return the number and what was printed; a sentence is no number, and is noted."""
    if written and not written[0].isdecimal() and len(written.split()) >= SENTENCE_WORDS:
        response.note("the value is a sentence, not a number: read as missing")
        return {"value": None, "value_as_stated": written[:MOST_SENTENCE]}
    return {"value": parse_count(written), "value_as_stated": written}


def _period(written: str) -> tuple[str, str]:
    start, slash, end = written.partition("/")
    days = parse_date(start), parse_date(end)
    if not slash or days[0] is None or days[1] is None or days[1] <= days[0]:
        raise changed(f"reporting period {shown(written)} is not two days, the earlier first")
    return days[0].isoformat(), days[1].isoformat()
