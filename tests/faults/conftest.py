"""A private folder with the real content, and vintages of a made-up board."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import stamina

from datamoat.ingest.land import land_source
from datamoat.ingest.landings import Landing, read_landings, rows_of
from datamoat.project.sources import Source, read_source
from datamoat.settings import Settings
from datamoat.storage.snapshots import Snapshots

CHECKOUT = Path(__file__).resolve().parents[2]
BEGIN = date(2026, 3, 1)
RECIPIENTS = {  # of a made platform, two fifths of the people of each member state, rounded to 100,000
    "AT": 3_700_000, "BE": 4_800_000, "BG": 2_600_000, "CY": 400_000, "CZ": 4_400_000, "DE": 33_400_000, "DK": 2_400_000,
    "EE": 500_000, "EL": 4_200_000, "ES": 19_600_000, "FI": 2_300_000, "FR": 27_500_000, "HR": 1_500_000, "HU": 3_800_000,
    "IE": 2_200_000, "IT": 23_600_000, "LT": 1_200_000, "LU": 300_000, "LV": 700_000, "MT": 200_000, "NL": 7_200_000,
    "PL": 14_600_000, "PT": 4_300_000, "RO": 7_600_000, "SE": 4_200_000, "SI": 900_000, "SK": 2_200_000,
}  # fmt: skip


@dataclass
class Bench:
    """Feeds bodies to a source day by day and reports how each was validated."""

    settings: Settings
    source: Source
    day: date = BEGIN
    landed: list[Landing] = field(default_factory=list)

    def feed(self, body: bytes | str | Any, request: str = "text_to_video", days: int = 1, status: int = 200) -> Landing:
        """Store one answer on the next day, land it, and return what became of it."""
        if not isinstance(body, bytes):
            body = (body if isinstance(body, str) else json.dumps(body)).encode()
        moment = datetime(self.day.year, self.day.month, self.day.day, 6, tzinfo=UTC)
        self.day += timedelta(days=days)
        store = Snapshots(self.settings.snapshots, self.source.id)
        receipt = store.store(
            request, body, retrieved_at=moment, url="https://example.org/", route="http", extension="json", status=status
        )
        land_source(self.settings, self.source)
        found = next(
            landing for landing in read_landings(self.settings, self.source) if landing.snapshot_id == receipt.snapshot_id
        )
        self.landed.append(found)
        return found

    def served(self) -> list[Landing]:
        """Return what raw is made of."""
        return [landing for landing in read_landings(self.settings, self.source) if landing.is_served]

    def rows(self) -> list[dict[str, Any]]:
        """Return every row that raw serves."""
        return [
            row
            for landing in self.served()
            if landing.files
            for rows in rows_of(self.settings, self.source, landing).values()
            for row in rows
        ]

    def kept(self, landing: Landing) -> bytes:
        """Return the captured bytes of an response."""
        store = Snapshots(self.settings.snapshots, self.source.id)
        return store.body(store.get(landing.snapshot_id))


@pytest.fixture
def bench_of() -> type[Bench]:
    """Return the bench itself, for a test that needs another source or folder."""
    return Bench


@pytest.fixture
def place(tmp_path: Path) -> Settings:
    """Return settings that read the checkout and write into a folder of the test's own."""
    return Settings(content=CHECKOUT, data=tmp_path / "data")


@pytest.fixture
def source() -> Callable[[str], Source]:
    """Return a function that reads one of the checkout's sources."""
    return lambda name: read_source(CHECKOUT / "transforms" / "staging" / name)


@pytest.fixture
def bench(place: Settings, source: Callable[[str], Source]) -> Bench:
    """Return a bench for the API of the automatic boards, whose rules the tests are about."""
    return Bench(place, source("aa_api"))


@pytest.fixture
def board() -> Callable[..., dict[str, Any]]:
    """Return a function that makes a board of 60 models in the shape of the older route."""

    def make(n: int = 60, **changes: Any) -> dict[str, Any]:
        shift, votes, drop = changes.get("shift", 0), changes.get("votes", 0), changes.get("drop", 0)
        models = [
            {
                "id": f"id-{number:03d}", "name": f"Model {number}", "slug": f"model-{number}",
                "model_creator": {"id": f"c-{number % 9}", "name": f"Studio {number % 9}"},
                "elo": 1300 - 7 * number + shift, "rank": number + 1, "ci95": "-10/10",
                "appearances": 2000 + 37 * number + votes, "release_date": "2025-06", "categories": [],
            }
            for number in range(n)
        ]  # fmt: skip
        return {"status": 200, "include_categories": False, "data": models[: n - drop]}

    return make


@pytest.fixture
def no_waiting() -> Iterator[None]:
    """Let retries follow each other at once."""
    with stamina.set_testing(True, attempts=3, cap=True):
        yield


@pytest.fixture
def upstream(httpserver: Any, monkeypatch: pytest.MonkeyPatch, no_waiting: None) -> Any:
    """Return a local server that plays the publishers."""
    monkeypatch.setenv("DATAMOAT_ALLOW_LOOPBACK", "1")
    monkeypatch.setenv("AA_API_KEY", "canary-7f3a9")
    for name in ("AA_API", "EPOCH_MODELS", "ARENA_DATASET", "TIKTOK_ENFORCEMENT", "HUGGINGFACE_MODELS"):
        monkeypatch.setenv(f"DATAMOAT_UPSTREAM_{name}", f"http://127.0.0.1:{httpserver.port}")
    return httpserver
