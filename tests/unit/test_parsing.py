"""What a publisher writes means one thing or is refused: cells, fields, names, and the files they come in."""

import gzip
import io
import math
import unicodedata
import zipfile
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from datamoat.errors import SourceChangedError
from datamoat.parsing import Response, containers, display, fields, numbers

REFUSED = "refused"


def reading(read: Callable[[], object]) -> object:
    """Return what is read, or that it is refused."""
    try:
        return read()
    except SourceChangedError:
        return REFUSED


@pytest.mark.parametrize(
    ("parse", "expected"),
    [
        (numbers.parse_number, {"0.005": Decimal("0.005"), "-12": Decimal(-12), "１２": Decimal(12), "N/A": None, "–": None, "1,5": REFUSED, "5%": REFUSED, "1.": REFUSED}),
        (numbers.parse_count, {
            "178,300,000": 178_300_000, "1 234": 1234, "1'234": 1234, "1.234.567": 1_234_567, "12": 12, "１２": 12, "+7": 7, "0": 0, "-1": None,
            "n/a": None, "5k": 5000, "3.2 Million": 3_200_000, "1.2万": 12_000, "0.5k": 500, "1.234": REFUSED, "1.5": REFUSED, "0,009": REFUSED,
            "1,234万": REFUSED, "-2": REFUSED, "1.2345k": REFUSED, "5 dozen": REFUSED, "k": REFUSED, "1,23": REFUSED, "12,34,567": REFUSED,
        }),
        (numbers.parse_interval, {
            "-10/+12": (10.0, 12.0), "10/12": (10.0, 12.0), "-1.5 / 2": (1.5, 2.0), "±7": (7.0, 7.0), "+/- 7": (7.0, 7.0), 9: (9.0, 9.0), 0: (0.0, 0.0),
            -0.5: None, float("inf"): None, True: None, None: None, "n/a": None, "10/-12": REFUSED, "about 9": REFUSED,
        }),
        (numbers.parse_date, {
            "2026-03-01": date(2026, 3, 1), "2026-03-01T23:00:00Z": date(2026, 3, 1), "2026-03": None, "2026": None, "-": None, "2026-02-30": REFUSED,
            "１026-03-01": REFUSED, "March": REFUSED,
        }),
        (lambda text: numbers.stated_day(Response(b""), text), {
            "2026-03-01": "2026-03-01", "2026-03-01 12:00": "2026-03-01", "2026-03": "2026-03", "2026-12": "2026-12", "2026-13": None, "2026-00": None,
            "2026": "2026", "Apr 2025": "2025-04", "September 2025": "2025-09", "Dec. 2025": "2025-12", "Jan 2025": "2025-01", "Foo 2025": None,
            "2026-02-30": None, "2026-03-011": None, None: None, "": None,
        }),
    ],
    ids=["number", "count", "interval", "date", "day"],
)  # fmt: skip
def test_what_publishers_write_means_one_thing_or_is_refused(parse: Callable[[Any], object], expected: dict[Any, object]) -> None:
    assert {written: reading(lambda written=written: parse(written)) for written in expected} == expected  # type: ignore[misc]


@pytest.mark.parametrize(
    ("take", "expected"),
    [
        (lambda entry: fields.text(entry, "a"), {"x": "x", " x ": " x ", "": REFUSED, " ": REFUSED, 1: REFUSED, None: REFUSED}),
        (lambda entry: fields.text(entry, "a", optional=True), {"x": "x", " ": None, 1: REFUSED, None: None}),
        (lambda entry: fields.number(Response(b""), entry, "a"), {
            0: 0, 1.5: 1.5, -1: None, -0.5: REFUSED, "n/a": None, "1": REFUSED, None: None, True: REFUSED, float("inf"): REFUSED, float("nan"): None,
            Decimal(2): 2, Decimal("2.5"): 2.5,
        }),
        (lambda entry: fields.number(Response(b""), entry, "a", negative=True), {-1: -1, -0.5: -0.5}),
        (lambda entry: fields.whole(Response(b""), entry, "a"), {7.0: 7, 12: 12, 12.5: REFUSED, None: None, -1: None}),
        (lambda entry: fields.flag(entry, "a"), {True: True, False: False, None: REFUSED, 2: REFUSED, "true": REFUSED}),
        (lambda entry: fields.flag(entry, "a", optional=True), {True: True, None: None}),
    ],
    ids=["text", "optional text", "number", "number below zero", "whole", "flag", "optional flag"],
)  # fmt: skip
def test_a_field_is_taken_out_as_its_type_or_refused(
    take: Callable[[dict[str, Any]], object], expected: dict[Any, object]
) -> None:
    for value, result in expected.items():
        entry = {"a": value, "b": 1}
        found = reading(lambda entry=entry: take(entry))  # type: ignore[misc]
        assert (found, type(found)) == (result, type(result)), value
        assert entry == {"b": 1}


def test_a_field_that_is_gone_is_refused_unless_it_is_optional() -> None:
    for take in (fields.text, fields.flag):
        assert reading(lambda take=take: take({"b": 1}, "a")) == REFUSED  # type: ignore[misc]
        assert take({"b": 1}, "a", optional=True) is None
    for count in (fields.number, fields.whole):
        assert reading(lambda count=count: count(Response(b""), {"b": 1}, "a")) == REFUSED  # type: ignore[misc]
        assert count(Response(b""), {"b": 1}, "a", optional=True) is None


def test_minus_one_is_missing_among_positive_ratings_and_a_rating_around_zero() -> None:
    def dropped(*ratings: float | None) -> tuple[list[object], dict[str, int]]:
        response = Response(b"")
        rows = fields.drop_sentinels(response, [{"elo": rating} for rating in ratings], "elo")
        return [row["elo"] for row in rows], dict(response.notes)

    assert dropped(5, -1, None, -1) == ([5, None, None, None], {"elo: -1 read as missing": 2})
    assert dropped(5, -1, -2) == ([5, -1, -2], {})
    assert dropped(5, -1, 0) == ([5, -1, 0], {})


@pytest.mark.parametrize(
    ("page", "words"),
    [
        ({"error": "no key"}, "an error message in place of data: 'no key'"), ({"message": {"a": 1}}, "an error message in place of data"),
        ({"status": 400, "data": [1]}, "states status '400'"), ({"status": " Failed ", "data": [1]}, "states status"),
        ({"error": "x", "data": []}, "an error message in place of data"), ({"status": 399, "data": [1]}, ""), ({"status": "ok", "error": "x", "data": [1]}, ""), ({"error": ""}, ""),
    ],
)  # fmt: skip
def test_an_error_is_told_from_data_by_its_words_or_its_status(page: dict[str, Any], words: str) -> None:
    if words:
        with pytest.raises(SourceChangedError, match=words):
            fields.refuse_error(page, ("data",))
    else:
        fields.refuse_error(page, ("data",))


def test_a_list_that_moved_is_named_with_its_place_and_length() -> None:
    moved = {"a": {"b": [1], "c": {"d": [1, 2, 3]}}, "e": [1, 2], "f": {"g": {"h": {"i": {"j": [1] * 9}}}}}
    with pytest.raises(SourceChangedError) as failure:
        fields.list_at(dict(moved), "data")
    assert failure.value.what == (
        "key 'data' is not there (renamed or dropped); the response has 'a', 'e', 'f';"
        " a list is now under 'a.c.d' (3 entries), 'e' (2 entries), 'a.b' (1 entries)"
    )
    page: dict[str, Any] = {"data": [1], "more": 1}
    assert (fields.list_at(page, "data"), page) == ([1], {"more": 1})
    assert reading(lambda: fields.list_at({"data": {}}, "data")) == REFUSED
    response = Response(b"")
    fields.exhaust(response, {"a": 1, "b": 2, "c": 3}, ignore=("b",))
    assert dict(response.notes) == {
        "field 'a' is new: not read, the rest is served": 1,
        "field 'c' is new: not read, the rest is served": 1,
    }


def test_a_publishers_text_is_shown_short_quoted_and_escaped() -> None:
    assert [display.shown("a" * n, 3) for n in (3, 4)] == ["'aaa'", "'aaa…'"]
    assert display.shown("a\nb\u202e\x1b\ud800é") == r"'a\nb\u202e\x1b\ud800é'"
    assert display.keys_of({f"k{n}": 0 for n in range(12)}).count("'k") == 12
    assert display.keys_of({f"k{n}": 0 for n in range(13)}).endswith("'k11' …")
    assert display.keys_of({}) == "no keys"
    kinds = {True: "true or false", 2: "a number", 2.5: "a number", "x": "text", None: "null", (1,): "tuple"}
    assert {value: display.kind(value) for value in kinds} == kinds
    assert (display.kind([]), display.kind({})) == ("a list", "an object")
    assert [display.fold(text) for text in ("a  b ", " é", "e\u0301", "a b")] == ["a b", "é", "é", "a b"]
    assert [display.storable(text) for text in ("a", "é", "\ud800é")] == ["a", "é", "\\ud800é"]


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("Модель", []), ("Model é 中", []), ("a\u202eb", ["bidirectional control characters"]), ("a\u200bb", ["invisible characters"]),
        ("a\x07b", ["control characters"]), ("e\u0301", ["letters that are not composed (NFC)"]),
        ("Mоdel", ["letters of look-alike scripts"]), ("Mοdel", ["letters of look-alike scripts"]),
    ],
)  # fmt: skip
def test_a_name_that_could_mislead_is_flagged_by_what_is_odd_in_it(name: str, found: list[str]) -> None:
    assert display.oddities(name) == found


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b' {"a": 1, "b": [1.0, 12345678901234567890123]}', {"a": 1, "b": [1.0, 12345678901234567890123]}),
        ('\ufeff{"a": "é"}'.encode(), {"a": "é"}), ('{"a": 1}'.encode("utf-16"), {"a": 1}), ("[1]".encode("utf-32-le"), [1]),
        (b'{"a": NaN, "b": -Infinity}', {"a": None, "b": None}),
        (b"", REFUSED), (b" \n", REFUSED), (b"<!DOCTYPE html>", REFUSED), (b"\xef\xbb\xbf <HTML>", REFUSED), (b"rate limited", REFUSED),
        (b'{"a": 1', REFUSED), (b'{"a": 1, "a": 1}', REFUSED), (b'{"a": "\xff"}', REFUSED), (b"[" * 100_000, REFUSED), (b"9" * 5000, REFUSED),
    ],
)  # fmt: skip
def test_json_is_read_in_any_unicode_and_refused_where_it_is_cut_doubled_or_no_json(body: bytes, value: object) -> None:
    response = Response(body)
    assert reading(lambda: containers.load_json(response)) == value
    assert bool(response.notes) is (b"NaN" in body)


@pytest.mark.parametrize(
    ("body", "rows"),
    [
        (b"a,b\n1,2\n", (["a", "b"], [["1", "2"]])), (b'\xef\xbb\xbfa ,b\r\n1,"x\ny"\r\n\r\n', (["a", "b"], [["1", "x\ny"]])),
        (b"a;b\n1,5;2\n", (["a", "b"], [["1,5", "2"]])), (b"a\tb\n1\t2\n", (["a", "b"], [["1", "2"]])), (b"sep=|\na|b\n1|2\n", (["a", "b"], [["1", "2"]])),
        (b'"SEP=;";;\na;b\n1;2\n', (["a", "b"], [["1", "2"]])), (b"a,,b\n1,,2\n", (["a", "b"], [["1", "2"]])), (b"a,b\n", (["a", "b"], [])),
        (b"a,,b\n1,x,2\n", REFUSED), (b"a,b\n1\n", REFUSED), (b"a,b\n1,2,3\n", REFUSED), (b"a,a\n1,2\n", REFUSED), (b'a,b\n1,"2\n', REFUSED), (b"", REFUSED),
        (b"a,b\n1,\0\n", REFUSED), (b"a,b\n1,\xff\n", REFUSED), (b'{"a": 1}', REFUSED), (b" [1]", REFUSED), (b"PK\x03\x04", REFUSED), (b"<html>", REFUSED),
        (b'a,b\n1,"2"x\n', REFUSED), (b",\n,\n", REFUSED),
    ],
)  # fmt: skip
def test_a_csv_is_read_by_its_own_delimiter_and_refused_where_a_row_or_a_name_is_not_whole(body: bytes, rows: object) -> None:
    assert reading(lambda: containers.load_csv(Response(body))) == rows


def test_gzip_and_wide_text_are_unwrapped_up_to_the_cap() -> None:
    packed = gzip.compress(b"x" * 100)
    assert containers.unwrap(packed, 100) == (b"x" * 100, ["gzip that no header announced: unpacked"])
    assert containers.unwrap("é".encode("utf-16"), 100) == (
        "\ufeffé".encode().removeprefix("\ufeff".encode()),
        ["UTF-16 read as text"],
    )
    assert containers.unwrap("é".encode("utf-32"), 100)[1] == ["UTF-32 read as text"]
    assert containers.unwrap(b"plain", 100) == (b"plain", [])
    for bad in (packed, packed[:-5], b"\x1f\x8bnot", b"\xff\xfea"):
        assert reading(lambda bad=bad: containers.unwrap(bad, 99)) == REFUSED  # type: ignore[misc]


def packed(members: dict[str, bytes]) -> bytes:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return body.getvalue()


def test_a_zip_is_opened_up_to_its_members_and_bytes() -> None:
    body = packed({"a/": b"", "a/b.csv": b"x" * 60, "c.csv": b"y" * 40})
    found = {"a/b.csv": b"x" * 60, "c.csv": b"y" * 40}
    assert containers.open_zip(body, most_members=3, most_bytes=100) == found
    assert reading(lambda: containers.open_zip(body, most_members=2, most_bytes=100)) == REFUSED
    assert reading(lambda: containers.open_zip(body, most_members=3, most_bytes=99)) == REFUSED
    for name in ("/a", "\\a", "a/../b", "a\\..\\b", "c:a", "a\nb"):
        assert reading(lambda name=name: containers.open_zip(packed({name: b"x"}))) == REFUSED  # type: ignore[misc]
    assert reading(lambda: containers.open_zip(packed({"a.csv": b"x", "A.CSV": b"x"}))) == REFUSED
    assert reading(lambda: containers.open_zip(body[:-30])) == REFUSED
    assert containers.open_zip(packed({"..a": b"x", "b..": b"x"})) == {"..a": b"x", "b..": b"x"}


def test_a_header_is_found_under_the_first_of_its_names() -> None:
    assert containers.header_of(["b", "a"], ("a", "b")) == "a"
    assert containers.header_of(["b"], ("a", "b")) == "b"
    assert containers.header_of(["c"], ("a", "b"), optional=True) is None
    with pytest.raises(SourceChangedError, match="no column 'a' or 'b'; the header is c, d"):
        containers.header_of(["c", "d"], ("a", "b"))


def test_a_unit_of_a_count_is_the_power_of_ten_that_unicode_or_english_gives_it() -> None:
    english = {"": 1, **dict.fromkeys(("k", "thousand"), 10**3), **dict.fromkeys(("m", "mn", "million"), 10**6)}
    english |= dict.fromkeys(("b", "bn", "billion"), 10**9)
    for unit in numbers.UNITS.keys() | english.keys():
        power = english.get(unit) or math.prod(int(unicodedata.numeric(sign)) for sign in unit)
        assert numbers.parse_count(f"3 {unit}") == 3 * power, unit
