"""Every source's made-up sample gives exactly the rows written beside it."""

import json
from datetime import date
from pathlib import Path

import pytest

from datamoat.ingest.parse import read_response
from datamoat.project.sources import Source, read_sources

CHECKOUT = Path(__file__).resolve().parents[2]
SOURCES = {source.id: source for source in read_sources(CHECKOUT) if source.part is None}
SAMPLES = [
    (source.id, path)
    for source in SOURCES.values()
    for path in sorted((source.folder / "sample").glob("*"))
    if not path.name.endswith(".expected.json")
]
DAY = date(2026, 1, 31)


@pytest.mark.parametrize(("source_id", "path"), SAMPLES, ids=lambda value: value.name if isinstance(value, Path) else value)
def test_a_sample_gives_the_rows_beside_it(source_id: str, path: Path) -> None:
    source: Source = SOURCES[source_id]
    expected = json.loads(path.with_name(f"{path.stem}.expected.json").read_text(encoding="utf-8"))
    rows, _ = read_response(source, [path.read_bytes()], path.stem, DAY)
    assert json.loads(json.dumps(rows, default=str)) == expected


@pytest.mark.parametrize("source", SOURCES.values(), ids=lambda source: source.id)
def test_every_source_has_a_sample_a_parser_and_a_staging_model(source: Source) -> None:
    assert source.missing == ()
    assert any(sample == source.id for sample, _ in SAMPLES)


@pytest.mark.parametrize("source", SOURCES.values(), ids=lambda source: source.id)
def test_every_bound_has_a_reason(source: Source) -> None:
    for table in source.tables.values():
        assert table.rows.reason
        assert table.anomaly_checks.gone.reason
        assert table.anomaly_checks.new.reason
