"""Settings come from the environment, in the units that their names state."""

import os
from pathlib import Path

import pytest

from datamoat.errors import UsageError
from datamoat.settings import find_content, read_settings


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


def test_the_content_is_named_or_found_above_or_the_packaged_copy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def content(name: str) -> Path:
        folder = tmp_path / name
        (folder / "transforms" / "deep").mkdir(parents=True)
        (folder / "transforms" / "columns.yml").write_text("")
        return folder

    checkout, packaged, other = content("checkout"), content("packaged"), content("other")
    monkeypatch.setattr("datamoat.settings.PACKAGED", tmp_path / "none")
    assert find_content(checkout / "transforms" / "deep") == find_content(checkout) == checkout
    with pytest.raises(UsageError, match="no content tree here or above"):
        find_content(tmp_path)
    monkeypatch.setattr("datamoat.settings.PACKAGED", packaged)
    assert find_content(tmp_path) == packaged
    found = read_settings(tmp_path)
    assert (found.content, found.data, found.is_packaged) == (packaged, Path.home() / ".local" / "share" / "datamoat", True)
    with pytest.raises(UsageError, match="part of the installed package"):
        _ = found.own_content
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    assert read_settings(tmp_path).data == tmp_path / "share" / "datamoat"
    monkeypatch.setenv("DATAMOAT_ROOT", str(other))
    found = read_settings(checkout)
    assert (found.content, found.own_content, found.data, found.is_packaged) == (other, other, other / "data", False)
    assert {name: getattr(found, name) for name in ("reference", "snapshots", "lake", "warehouse", "published", "exports")} == {
        "reference": other / "data" / "reference", "snapshots": other / "data" / "snapshots", "lake": other / "data" / "lake",
        "warehouse": other / "data" / "warehouse", "published": other / "data" / "warehouse" / "datamoat.duckdb",
        "exports": other / "data" / "exports",
    }  # fmt: skip
    monkeypatch.setenv("DATAMOAT_DATA", str(tmp_path / "else"))
    assert (read_settings().data, read_settings().reference) == (tmp_path / "else", other / "data" / "reference")
    for name, named in (
        ("what?", r"a `\?`"),
        ("a\\b", r"a `\\`"),
        ("a\nb", "a line break"),
        ("a\udcffb", "bytes that are no text"),
    ):
        monkeypatch.setenv("DATAMOAT_DATA", str(tmp_path / name))
        with pytest.raises(UsageError, match=f"the path of the data folder holds {named}") as refused:
            read_settings()
        assert "\n" not in refused.value.where
    monkeypatch.setenv("DATAMOAT_ROOT", str(tmp_path))
    with pytest.raises(UsageError, match="names a folder without"):
        find_content(checkout)


@pytest.mark.parametrize(("n_cores", "n_threads"), [(None, 1), (1, 1), (8, 8), (9, 8)])
def test_duckdb_has_a_thread_for_each_core_up_to_eight(
    monkeypatch: pytest.MonkeyPatch, n_cores: int | None, n_threads: int
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: n_cores)
    assert read_settings().threads == n_threads
