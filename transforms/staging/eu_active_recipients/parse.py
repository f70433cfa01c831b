"""Read table 10 in its four forms: filled down or not, total or TOTAL, a number or a sentence."""

import re

from datamoat.parsing import Response, Row, changed, header_of, load_csv, parse_count, parse_date, shown

# Eurostat, population on 1 January 2025 by member state, as released in July 2025.
PEOPLE = {
    "AT": 9_197_200, "BE": 11_900_100, "BG": 6_437_400, "CY": 979_900, "CZ": 10_909_500, "DE": 83_577_100, "DK": 5_992_700,
    "EE": 1_370_000, "EL": 10_409_500, "ES": 49_078_000, "FI": 5_636_000, "FR": 68_635_900, "HR": 3_874_400, "HU": 9_539_500,
    "IE": 5_439_900, "IT": 58_934_200, "LT": 2_890_700, "LU": 682_000, "LV": 1_856_900, "MT": 574_300, "NL": 18_044_000,
    "PL": 36_497_500, "PT": 10_749_600, "RO": 19_036_400, "SE": 10_587_700, "SI": 2_130_900, "SK": 5_419_500,
}  # fmt: skip
STATES = PEOPLE.keys()
MOST_FOR_EACH = 10  # recipients for each person of a state, visitors included: 1.37 at most in three tables (Instagram in Cyprus)
LEAST_TOTAL = 45_000_000  # from which a platform is very large (Article 33 of Regulation 2022/2065)
MOST_APART = 0.02  # of the total, from the sum of the states: 0.0073 at most in three tables, where values are rounded to 100,000
HALVES = {"01-01": "06-30", "07-01": "12-31"}  # of very large platforms (Article 2 of Regulation 2024/2835)
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
    _doubt(response, rows)
    return rows


def _doubt(response: Response, rows: list[Row]) -> None:
    """Record what no table of a very large platform can be: another period, or more recipients than people, or a total that is none."""
    for start, end in sorted({(row["period_start"], row["period_end"]) for row in rows}):
        if start[:4] != end[:4] or HALVES.get(start[5:]) != end[5:]:
            response.doubt(f"the reporting period {start} to {end} is no half year, January to June or July to December")
    values = {str(row["scope"]): row["value"] for row in rows}
    missing = [scope for scope in ("EU", *STATES) if values.get(scope) is None]
    if any(value is not None for value in values.values()) and missing:
        response.doubt(f"no number for {', '.join(missing[:6])}, and one for others")
    if missing:
        return
    total = values.pop("EU")
    crowded = [f"{scope} {value:,}" for scope, value in values.items() if value > MOST_FOR_EACH * PEOPLE[scope]]
    if crowded:
        response.doubt(f"more than {MOST_FOR_EACH} recipients for each person of the state: {', '.join(crowded[:3])}")
    if not LEAST_TOTAL <= total <= sum(PEOPLE.values()):
        response.doubt(
            f"the total is {total:,}; {LEAST_TOTAL:,} to {sum(PEOPLE.values()):,} is expected of a very large platform"
        )
    if abs(sum(values.values()) - total) > MOST_APART * total:
        response.doubt(
            f"the member states add up to {sum(values.values()):,}, and the total is {total:,}; {MOST_APART:.0%} apart at most"
        )


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
