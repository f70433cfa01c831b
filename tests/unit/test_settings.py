"""Settings come from the environment, in the units that their names state."""

import os
from pathlib import Path

import pytest

from datamoat.errors import UsageError
from datamoat.settings import read_settings


@pytest.fixture(autouse=True)
def _empty(monkeypatch: pytest.MonkeyPatch, checkout: Path) -> None:
    for name in [name for name in os.environ if name.startswith("DATAMOAT_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(checkout)


def test_without_any_setting_the_usual_values_hold() -> None:
    found = read_settings()
    assert (found.memory_limit, found.room, found.keep_exports, found.keep_days, found.store) == ("2GB", 2_000_000_000, 3, 30, "")
    assert 1 <= found.threads <= 8


def test_gigabytes_and_counts_are_read_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"ROOM_GB": "3", "THREADS": "5", "KEEP_EXPORTS": "7", "KEEP_DAYS": "9", "MEMORY": "512MB"}.items():
        monkeypatch.setenv(f"DATAMOAT_{name}", value)
    found = read_settings()
    assert (found.room, found.threads, found.keep_exports, found.keep_days, found.memory_limit) == (
        3_000_000_000,
        5,
        7,
        9,
        "512MB",
    )


@pytest.mark.parametrize("name", ["DATAMOAT_ROOM_GB", "DATAMOAT_THREADS", "DATAMOAT_KEEP_EXPORTS", "DATAMOAT_KEEP_DAYS"])
@pytest.mark.parametrize("value", ["0", "-1", "many"])
def test_a_count_that_is_no_positive_number_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(UsageError, match=name):
        read_settings()
