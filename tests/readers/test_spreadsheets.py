"""A released CSV in real spreadsheet programs: texts stay texts, numbers are numbers. Skipped where no such program is."""

import gzip
import shutil
import subprocess
from pathlib import Path

import pytest

from datamoat.release.tables import SUMS

UTF_8 = 76  # what LibreOffice calls it
HOSTILE = "a,b,c\n=1+2,x,-5\n"  # what a CSV that nobody guarded does


def converted(program: list[str], path: Path, made: Path) -> str:
    """Return what a program makes of a file, as XML."""
    subprocess.run([*program], cwd=path.parent, check=True, capture_output=True, timeout=120)
    body = made.read_bytes()
    return (gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body).decode()


def in_libreoffice(path: Path) -> str:
    program = shutil.which("soffice")
    if program is None:
        pytest.skip("LibreOffice is not installed")
    profile = f"-env:UserInstallation={(path.parent / 'profile').as_uri()}"
    return converted(
        [program, profile, "--headless", f"--infilter=CSV:44,34,{UTF_8},1", "--convert-to", "fods", path.name],
        path,
        path.with_suffix(".fods"),
    )


def in_gnumeric(path: Path) -> str:
    program = shutil.which("ssconvert")
    if program is None:
        pytest.skip("Gnumeric is not installed")
    made = path.with_suffix(".gnumeric")
    return converted([program, "--import-encoding=UTF-8", path.name, made.name], path, made)


@pytest.fixture
def texts(released_bundle: Path, tmp_path: Path) -> Path:
    assert (released_bundle / SUMS).is_file()
    return Path(shutil.copy(released_bundle / "csv" / "lab_volume.csv", tmp_path / "texts.csv"))


@pytest.fixture
def unguarded(tmp_path: Path) -> Path:
    path = tmp_path / "unguarded.csv"
    path.write_text(HOSTILE)
    return path


def test_libreoffice_runs_nothing_in_a_released_csv_and_sees_its_numbers(texts: Path, unguarded: Path) -> None:
    assert "table:formula" in in_libreoffice(unguarded)  # so that what follows could fail
    found = in_libreoffice(texts)
    assert "table:formula" not in found
    assert "快手" in found
    assert 'office:value-type="float" office:value="-0.0999999"' in found


def test_gnumeric_runs_nothing_in_a_released_csv_and_sees_its_numbers(texts: Path, unguarded: Path) -> None:
    def formulas(xml: str) -> list[str]:
        cells = [cell.split("</gnm:Cell>", maxsplit=1)[0] for cell in xml.split("<gnm:Cell ")[1:]]
        return [cell for cell in cells if "ValueType" not in cell.split(">", maxsplit=1)[0] and ">=" in cell]

    assert formulas(in_gnumeric(unguarded))
    found = in_gnumeric(texts)
    assert formulas(found) == []
    assert "快手" in found
    assert 'ValueType="40">-0.09999989' in found
