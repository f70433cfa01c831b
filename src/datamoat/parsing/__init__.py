"""Read what a publisher sent strictly: every field accounted for, every number by a written grammar."""

from datamoat.parsing.containers import header_of, load_csv, load_json, open_zip, refuse_markup
from datamoat.parsing.display import fold, kind, oddities, shown, storable, visible
from datamoat.parsing.fields import drop_sentinels, exhaust, flag, list_at, mapping, number, refuse_error, take, text, whole
from datamoat.parsing.numbers import MISSING, parse_count, parse_date, parse_interval, parse_number, stated_day
from datamoat.parsing.response import DOUBT, Response, Row, changed

__all__ = [
    "DOUBT",
    "MISSING",
    "Response",
    "Row",
    "changed",
    "drop_sentinels",
    "exhaust",
    "flag",
    "fold",
    "header_of",
    "kind",
    "list_at",
    "load_csv",
    "load_json",
    "mapping",
    "number",
    "oddities",
    "open_zip",
    "parse_count",
    "parse_date",
    "parse_interval",
    "parse_number",
    "refuse_error",
    "refuse_markup",
    "shown",
    "stated_day",
    "storable",
    "take",
    "text",
    "visible",
    "whole",
]
