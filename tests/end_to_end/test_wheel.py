"""An installed datamoat works outside a checkout: the wheel carries the content."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path


def test_the_wheel_carries_the_content_and_checks_it_outside_a_checkout(checkout: Path, tmp_path: Path) -> None:
    wheels, installed, elsewhere = tmp_path / "wheels", tmp_path / "installed", tmp_path / "elsewhere"
    elsewhere.mkdir()
    build = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        str(checkout),
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(wheels),
    ]
    backend = {**os.environ, "PYTHONPATH": str(Path(sys.prefix) / "build")}  # where make puts the build backend
    subprocess.run(build, check=True, capture_output=True, env=backend)
    (wheel,) = wheels.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(installed)
        carried = {name for name in archive.namelist() if ".dist-info/" not in name}
    if (checkout / ".git").exists():  # what lies about in a checkout, as the packages of the site's engine do, is not carried
        tracked = subprocess.run(
            ["git", "ls-files", "src", "transforms", "expectations", "reports", "data/reference"],
            cwd=checkout, capture_output=True, text=True, check=True,
        ).stdout.split()  # fmt: skip
        assert carried == {
            path.removeprefix("src/") if path.startswith("src/") else f"datamoat/content/{path}" for path in tracked
        }
    environment = {**os.environ, "PYTHONPATH": str(installed), "XDG_DATA_HOME": str(tmp_path / "home")}
    for name in ("DATAMOAT_ROOT", "DATAMOAT_DATA"):
        environment.pop(name, None)
    code = f"import datamoat; assert datamoat.__file__.startswith({str(installed)!r}); from datamoat.cli.app import app; app()"
    checked = subprocess.run(
        [sys.executable, "-c", code, "check"], cwd=elsewhere, env=environment, capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stderr
    assert "all in order" in checked.stdout
    before = {path: path.stat().st_mtime_ns for path in installed.rglob("*") if path.suffix != ".pyc"}
    refused = subprocess.run(
        [sys.executable, "-c", code, "new-source", "press_figures"],
        cwd=elsewhere,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert refused.returncode != 0
    assert "never written to" in refused.stderr
    assert {path: path.stat().st_mtime_ns for path in installed.rglob("*") if path.suffix != ".pyc"} == before
    compiled = list((installed / "datamoat" / "content").rglob("*.pyc"))
    assert compiled == []
