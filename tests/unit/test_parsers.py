"""What holds for every parser whatever the answer: order never matters, a cut answer is never half read."""

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datamoat.errors import SourceChangedError
from datamoat.ingest.parse import read_response
from datamoat.parsing import flag, parse_count, parse_interval
from datamoat.project.sources import Source, Table, read_source, read_sources

CHECKOUT = Path(__file__).resolve().parents[2]
SOURCES = {source.id: source for source in read_sources(CHECKOUT)}
DAY = date(2026, 1, 31)
QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True, database=None)
TEXT = [
    (source.id, path)
    for source in SOURCES.values()
    for path in sorted((source.folder / "sample").glob("*.json"))
    if not path.name.endswith(".expected.json")
]
WHOLE_ROWS = {
    "epoch_models",
    "tiktok_enforcement",
}  # CSV: a file truncated at the end of a row is a shorter file, see the landing


def shuffled(value: Any, draw: Callable[[Any], Any]) -> Any:
    """Return JSON with the keys of every object in another order."""
    if isinstance(value, dict):
        keys = draw(st.permutations(list(value)))
        return {key: shuffled(value[key], draw) for key in keys}
    if isinstance(value, list):
        return [shuffled(entry, draw) for entry in value]
    return value


@pytest.mark.parametrize(("source_id", "path"), TEXT, ids=lambda value: value.name if isinstance(value, Path) else value)
@QUICK
@given(data=st.data())
def test_the_order_of_fields_never_matters(source_id: str, path: Path, data: st.DataObject) -> None:
    page = json.loads(path.read_text())
    other = json.dumps(shuffled(page, data.draw))
    source = SOURCES[source_id]
    assert (
        read_response(source, [other.encode()], path.stem, DAY)[0]
        == read_response(source, [path.read_bytes()], path.stem, DAY)[0]
    )


@pytest.mark.parametrize(("source_id", "path"), TEXT, ids=lambda value: value.name if isinstance(value, Path) else value)
def test_json_cut_at_any_byte_is_rejected_or_gives_the_same(source_id: str, path: Path) -> None:
    source, body = SOURCES[source_id], path.read_bytes()
    whole = read_response(source, [body], path.stem, DAY)[0]
    for cut in range(len(body)):
        try:
            found = read_response(source, [body[:cut]], path.stem, DAY)[0]
        except SourceChangedError:
            continue
        assert found == whole


@pytest.mark.parametrize("name", ["notable_models.csv", "all_models.csv"])
def test_a_csv_cut_inside_a_row_is_rejected(name: str) -> None:
    source = SOURCES["epoch_models"]
    body = (source.folder / "sample" / name).read_bytes()
    whole = read_response(source, [body], name.removesuffix(".csv"), DAY)[0]["models"]
    for cut in range(len(body)):
        try:
            found = read_response(source, [body[:cut]], name.removesuffix(".csv"), DAY)[0]["models"]
        except SourceChangedError:
            continue
        assert found == whole[: len(found)], "what is read is whole rows; the landing checks how many there must be"


def test_table_ten_cut_anywhere_is_rejected_or_the_same() -> None:
    source = SOURCES["eu_active_recipients"]
    body = (source.folder / "sample" / "tiktok.csv").read_bytes()
    whole = read_response(source, [body], "tiktok", DAY)[0]
    for cut in range(len(body)):
        try:
            found = read_response(source, [body[:cut]], "tiktok", DAY)[0]
        except SourceChangedError:
            continue
        assert found == whole


@QUICK
@given(st.integers(min_value=0, max_value=10**15))
def test_a_count_is_read_back_however_it_is_grouped(value: int) -> None:
    for separator in (",", " ", "'", "\u202f", "\u00a0"):
        assert parse_count(f"{value:,}".replace(",", separator)) == value
    assert parse_count(str(value).translate(str.maketrans("0123456789", "０１２３４５６７８９"))) == value


def test_every_unit_multiplies_a_count_by_what_it_means() -> None:
    powers = {
        "": 0, "k": 3, "K": 3, "thousand": 3, "千": 3, "万": 4, "萬": 4, "m": 6, "mn": 6, "million": 6, "百万": 6, "千万": 7,
        "亿": 8, "億": 8, "b": 9, "bn": 9, "billion": 9, "Billion": 9,
    }  # fmt: skip
    assert {unit: parse_count(f"2{unit}") for unit in powers} == {unit: 2 * 10**power for unit, power in powers.items()}
    assert {parse_count(f"2 {unit}") for unit, power in powers.items() if power == 9} == {2 * 10**9}


@QUICK
@given(st.text(max_size=30))
def test_any_text_is_a_count_or_is_refused(written: str) -> None:
    try:
        value = parse_count(written)
    except SourceChangedError:
        return
    assert value is None or value >= 0


@QUICK
@given(st.integers(0, 500), st.integers(0, 500))
def test_every_way_of_writing_an_interval_gives_both_half_widths(down: int, up: int) -> None:
    for written in (f"-{down}/{up}", f"-{down}/+{up}", f"\u2212{down} / +{up}"):
        assert parse_interval(written) == (down, up)
    assert parse_interval(up) == parse_interval(str(up)) == parse_interval(f"±{up}") == (up, up)


def test_an_unknown_key_or_a_contradiction_in_a_source_file_is_refused(tmp_path: Path) -> None:
    from datamoat.errors import ContentError

    text = (SOURCES["aa_api"].folder / "source.yml").read_text()
    wrongs = {
        "surprise: 1\n" + text: "unknown key",
        text.replace("gone: {max: 0.05", "gone: {maximum: 0.05"): "unknown key",
        text.replace("column: elo", "column: elow"): "not among its columns",
        text.replace("route: {column: route, columns: [rank,", "route: {column: route, columns: [rang,"): "not among its columns",
        text.replace("hosts: [artificialanalysis.ai]", "hosts: [example.org]"): "not under `hosts`",
        text.replace(
            "url: https://artificialanalysis.ai/api/v2/data/media/image-to-video", "url: http://artificialanalysis.ai/x"
        ): "not https",
        text.replace("elo: DOUBLE", "elo: FLOAT"): "elo",
        text.replace("title: ", "title: x\ntitle: "): "given twice",
        "[]": "mapping",
    }
    for number, (wrong, message) in enumerate(wrongs.items()):
        folder = tmp_path / f"s{number}"
        folder.mkdir()
        (folder / "source.yml").write_text(wrong)
        with pytest.raises(ContentError, match=message):
            read_source(folder)


def test_sources_cannot_be_changed_once_read() -> None:
    source: Source = SOURCES["aa_api"]
    with pytest.raises(TypeError):
        source.tables["entries"].columns["elo"] = "VARCHAR"  # type: ignore[index]
    with pytest.raises(ValueError, match="frozen"):
        source.title = "x"  # type: ignore[misc]


# What the kernel calls VmHWM: the peak of this program alone. `ru_maxrss` would begin with the peak of the process that
# started it, which after other tests is more than a gigabyte.
PEAK = """
def peak_kib():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
"""
BIG = """
import json, sys
from datetime import date, datetime
from pathlib import Path
from datamoat.ingest.parse import read_response
from datamoat.project.sources import read_source
source = read_source(Path(sys.argv[1]))
model = {"id": "0" * 36, "name": "n" * 60, "slug": "s" * 60, "model_creator": {"id": "c" * 36, "name": "Studio"}, "elo": 1000,
         "rank": 1, "ci95": "-9/9", "appearances": 100, "release_date": "2026-01", "categories": []}
body = json.dumps({"data": [{**model, "id": str(n)} for n in range(150_000)]}).encode()
rows = read_response(source, [body], "text_to_video", date(2026, 1, 31))[0]["entries"]
print(len(body), len(rows), peak_kib())
"""


def test_an_answer_of_fifty_megabytes_is_read_in_less_than_a_gigabyte() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PEAK + BIG, str(SOURCES["aa_api"].folder)], capture_output=True, text=True, check=True
    )
    n_bytes, n_rows, peak_kib = map(int, done.stdout.split())
    assert n_bytes > 45_000_000
    assert n_rows == 150_000
    assert peak_kib < 1024 * 1024


TWICE = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from datamoat.ingest.land import land_source
from datamoat.settings import Settings
from datamoat.storage.snapshots import Snapshots
from datamoat.project.sources import read_source
source = read_source(Path(sys.argv[1]))
settings = Settings(source.folder.parents[2], Path(sys.argv[2]))
for day in (1, 8):
    body = [b"Metric,Period type,Period,Policy type,Issue,Task type,Task,Location,Market,Result"]
    body += [b"Metric %d,Quarter,Jan-Mar %d,All,All,All,All,All,All,%d" % (n % 900, 2019 + n // 900, 1000 + n + day) for n in range(6300)]
    body += [b"Total videos removed,Quarter,Jan-Mar 2025,Policy %d,Issue %d,All,All,Market,Country,%d" % (n % 97, n, day) for n in range(600_000)]
    Snapshots(settings.snapshots, source.id).store(
        "report", b"\\n".join(body), retrieved_at=datetime(2026, 1, day, tzinfo=UTC), url="x", route="http", extension="csv"
    )
size = len(b"\\n".join(body))
del body
landed, _ = land_source(settings, source)
print(size, [landing.validation_status for landing in landed] == ["ok", "revision"], peak_kib())
"""


def test_fifty_megabytes_are_compared_with_fifty_megabytes_in_less_than_a_gigabyte(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PEAK + TWICE, str(SOURCES["tiktok_enforcement"].folder), str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
    )
    n_bytes, are_as_expected, peak_kib = done.stdout.split()
    assert int(n_bytes) > 45_000_000
    assert are_as_expected == "True"
    assert int(peak_kib) < 1024 * 1024


def test_the_hubs_viewer_and_its_archives_give_the_same_rows() -> None:
    source = SOURCES["arena_dataset"]
    body = json.loads((source.folder / "sample" / "text_to_video.json").read_text())
    wrapped = {
        "features": [],
        "rows": [
            {"row_idx": n, "row": {**row, "leaderboard_publish_date": "2026-01-20"}, "truncated_cells": []}
            for n, row in enumerate(body["rows"])
        ],
        "num_rows_total": 2,
        "num_rows_per_page": 100,
        "partial": False,
    }
    whole, _ = read_response(source, [json.dumps(body).encode()], "text_to_video", DAY)
    assert read_response(source, [json.dumps(wrapped).encode()], "text_to_video", DAY)[0] == whole
    wrapped["num_rows_total"] = 9
    _, notes = read_response(source, [json.dumps(wrapped).encode()], "text_to_video", DAY)
    assert any("lists 2" in note for note in notes)


def test_a_flag_is_true_or_false_and_absent_only_where_it_may_be() -> None:
    assert [flag({"is_open": value}, "is_open") for value in (True, False)] == [True, False]
    assert flag({}, "is_open", optional=True) is None
    for entry in ({}, {"is_open": None}, {"is_open": 1}, {"is_open": "true"}):
        with pytest.raises(SourceChangedError, match="is_open"):
            flag(dict(entry), "is_open")


def typed(folder: Path, kind: str, written: str, body: bytes = b"text") -> list[object]:
    """Return a column of the declared type, of which the parser gives the values that are written in Python."""
    (folder / "parse.py").write_text(
        f"from datetime import UTC, date, datetime, timedelta, timezone\n\n\ndef entries(response):\n"
        f"    return [{{'id': str(n), 'value': value}} for n, value in enumerate({written})]\n"
    )
    bound = {"max": 0.1, "reason": "made for this test"}
    table = Table.model_validate({
        "about": "A.", "columns": {"id": "VARCHAR", "value": kind}, "grain": ("id",), "rows": {},
        "anomaly_checks": {"key": ("id",), "gone": bound, "new": bound, "nulls": {"*": bound}},
    })  # fmt: skip
    source = SOURCES["aa_api"].model_copy(update={"folder": folder, "tables": {"entries": table}})
    rows, _ = read_response(source, [body], "text_to_video", date(2026, 3, 1))
    return [row["value"] for row in rows["entries"]]


@pytest.mark.parametrize(
    ("kind", "written", "values"),
    [
        ("VARCHAR", "['a', '', None, 'b\\ud800']", ["a", "", None, "b\\ud800"]), ("VARCHAR[]", "[['a', 'b'], (), None]", [["a", "b"], [], None]),
        ("BOOLEAN", "[True, False, None]", [True, False, None]), ("BIGINT", "[-2**63, 2**63 - 1, 0, None]", [-(2**63), 2**63 - 1, 0, None]),
        ("DOUBLE", "[1, 2.5, float('nan'), None]", [1.0, 2.5, None, None]),
        ("DATE", "['2026-03-01', date(2016, 2, 29), datetime(2026, 3, 1, 23, 59), '1900-01-01', '2036-12-31', None]",
         [date(2026, 3, 1), date(2016, 2, 29), date(2026, 3, 1), date(1900, 1, 1), date(2036, 12, 31), None]),
        ("TIMESTAMP", "['2026-03-01T02:00:00+02:00', datetime(2026, 3, 1, 5), datetime(2026, 3, 1, 5, tzinfo=UTC), '2026-03-01', None]",
         [datetime(2026, 3, 1), datetime(2026, 3, 1, 5), datetime(2026, 3, 1, 5), datetime(2026, 3, 1), None]),  # noqa: DTZ001
    ],
)  # fmt: skip
def test_a_value_of_each_type_is_read_as_it_is_declared(tmp_path: Path, kind: str, written: str, values: list[object]) -> None:
    found = typed(tmp_path, kind, written)
    assert (found, list(map(type, found))) == (values, list(map(type, values)))


@pytest.mark.parametrize(
    ("kind", "written"),
    [
        ("VARCHAR", "1"), ("VARCHAR", "['a']"), ("VARCHAR[]", "'a'"), ("VARCHAR[]", "[1]"), ("BOOLEAN", "1"), ("BOOLEAN", "'true'"),
        ("BIGINT", "2**63"), ("BIGINT", "-2**63 - 1"), ("BIGINT", "1.0"), ("BIGINT", "True"), ("BIGINT", "'1'"),
        ("DOUBLE", "10**400"), ("DOUBLE", "float('inf')"), ("DOUBLE", "-float('inf')"), ("DOUBLE", "'1'"), ("DOUBLE", "False"),
        ("DATE", "'2026-02-30'"), ("DATE", "20260301"), ("DATE", "'1899-12-31'"), ("DATE", "'2037-01-01'"), ("TIMESTAMP", "'noon'"),
    ],
)  # fmt: skip
def test_a_value_of_another_type_is_refused(tmp_path: Path, kind: str, written: str) -> None:
    with pytest.raises(SourceChangedError, match="value is"):
        typed(tmp_path, kind, f"[{written}]")


def test_days_and_instants_of_a_binary_answer_come_through_its_child(tmp_path: Path) -> None:
    written = "[date(2026, 3, 1), datetime(2026, 3, 1, 2, 30, tzinfo=timezone(timedelta(hours=2)))]"
    assert typed(tmp_path, "TIMESTAMP", written, b"PAR1") == [datetime(2026, 3, 1), datetime(2026, 3, 1, 0, 30)]  # noqa: DTZ001
