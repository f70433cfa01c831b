"""Read Arena's dataset: the history as Parquet, and archives of single publications as JSON."""

import io
from typing import Any

import polars as pl

from datamoat.parsing import (
    Response,
    Row,
    changed,
    drop_sentinels,
    exhaust,
    list_at,
    load_json,
    mapping,
    number,
    parse_date,
    refuse_error,
    text,
    whole,
)

COLUMNS = (
    "category",
    "rank",
    "model_name",
    "organization",
    "license",
    "rating",
    "rating_lower",
    "rating_upper",
    "variance",
    "vote_count",
)
VIEWER = ("features", "num_rows_per_page", "partial")
DATES = ("leaderboard_publish_date", "publish_date", "leaderboard_date")


def entries(response: Response) -> list[Row]:
    """Return one row per model, category and publication."""
    if response.body.startswith(b"PAR1"):
        return _history(response)
    page = mapping(load_json(response), "the response")
    refuse_error(page, ("rows",))
    meta = mapping(page.pop("meta", {}), "meta")
    listed = [mapping(entry, "a row") for entry in list_at(page, "rows")]
    stated = meta.get("n_rows", page.pop("num_rows_total", None))
    response.expect(stated, len(listed))
    common = meta.get("leaderboard_publish_date")
    rows = []
    for entry in listed:
        cells = mapping(entry["row"], "a row") if "row" in entry else entry  # the Hub's viewer wraps each row
        rows.append(_row(response, cells, _day(cells.pop("leaderboard_publish_date", common))))
    exhaust(response, page, ignore=VIEWER, what="key")
    return drop_sentinels(response, rows, "rating")


def _history(response: Response) -> list[Row]:
    """Read the full split; its publication date is a column."""
    frame = pl.read_parquet(io.BytesIO(response.body), use_pyarrow=False)
    dated = next((name for name in DATES if name in frame.columns), None)
    if dated is None:
        raise changed(f"no column {' or '.join(DATES)}; the file has {', '.join(frame.columns)[:300]}")
    return drop_sentinels(response, [_row(response, entry, _day(entry.pop(dated))) for entry in frame.to_dicts()], "rating")


def _row(response: Response, entry: dict[str, Any], published: str) -> Row:
    low, rating, high = (number(response, entry, name, negative=True) for name in ("rating_lower", "rating", "rating_upper"))
    row = {
        "leaderboard_publish_date": published,
        "category": text(entry, "category"),
        "rank": whole(response, entry, "rank"),
        "model_name": text(entry, "model_name"),
        "organization": text(entry, "organization", optional=True),
        "license": text(entry, "license", optional=True),
        "rating": rating,
        "rating_lower": low,
        "rating_upper": high,
        "interval_down": None if low is None or rating is None else rating - low,
        "interval_up": None if high is None or rating is None else high - rating,
        "variance": number(response, entry, "variance", optional=True),
        "vote_count": whole(response, entry, "vote_count"),
    }
    exhaust(response, entry, what="column")
    if low is not None and rating is not None and high is not None and not low <= rating <= high:
        response.doubt("a rating lies outside its own interval")
    return row


def _day(value: Any) -> str:  # noqa: ANN401  (text in the JSON, a date or a timestamp in the Parquet)
    day = parse_date(value if isinstance(value, str) else value.isoformat() if value is not None else "")
    if day is None:
        raise changed("the publication date is missing")
    return day.isoformat()
