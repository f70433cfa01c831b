"""Read Epoch AI's CSVs by header aliases; every spelling seen so far is listed, the newest first."""

import re
from collections import Counter

from datamoat.errors import SourceChangedError
from datamoat.parsing import Response, Row, changed, header_of, load_csv, parse_count, shown, stated_day

NEEDED = {
    "model": ("Model", "System"),
    "organization": ("Organization",),
    "domain": ("Domain",),
    "publication_date": ("Publication date",),
}
OPTIONAL = {
    "country": ("Country (of organization)", "Country (from Organization)"),
    "task": ("Task",),
    "parameters": ("Parameters",),
    "training_compute_flop": ("Training compute (FLOP)",),
    "dataset_size": (
        "Training dataset size (total)",
        "Training dataset size (gradients)",
        "Training dataset size",
        "Training dataset size (datapoints)",
        "(DEPRECATED) Training dataset size (datapoints)",
    ),
    "confidence": ("Confidence",),
    "model_accessibility": ("Model accessibility",),
    "link": ("Link",),
}
NUMBERS = ("parameters", "training_compute_flop")
SCIENTIFIC = re.compile(r"\d{1,30}(?:\.\d{1,30})?(?:[eE][+-]?\d{1,2})?", re.ASCII)


def models(response: Response) -> list[Row]:
    """Return one row per line; a needed column under no known name stops the landing."""
    header, lines = load_csv(response)
    if not response.body.endswith(b"\n"):
        raise changed("the file does not end with a line break, as every whole one did: truncated", "fetch again.")
    columns = {name: header_of(header, aliases) for name, aliases in NEEDED.items()}
    columns |= {name: header_of(header, aliases, optional=True) for name, aliases in OPTIONAL.items()}
    aside = len(header) - sum(column is not None for column in columns.values())
    response.note(f"{aside} columns are not read")
    places = {name: header.index(column) for name, column in columns.items() if column is not None}
    seen: Counter[str] = Counter()
    rows = []
    lines.reverse()
    while lines:  # each line is let go as its row is made, so that a large table is held once
        line = lines.pop()
        row: Row = {name: line[places[name]].strip() or None if name in places else None for name in columns}
        title = " ".join((row["model"] or "").split())  # names with a line break inside a quoted cell
        if not title:
            response.note("a line without a model's name is left out")
            continue
        seen[title] += 1
        row |= {column: _number(response, column, row[column]) for column in NUMBERS}
        row |= {
            "publication_date": stated_day(response, row["publication_date"]),
            "model": title,
            "nth": seen[title],
            "dataset_size_header": columns["dataset_size"] if row["dataset_size"] else None,
        }
        rows.append(row)
    return rows


def _number(response: Response, column: str, written: str | None) -> float | None:
    """Return a number in plain, scientific or grouped digits; anything else is missing, with a note."""
    if written is None:
        return None
    if SCIENTIFIC.fullmatch(written):
        return float(written)
    try:
        return parse_count(written)
    except SourceChangedError:
        response.note(f"{column}: {shown(written, 30)} is no number, and left out")
        return None
