"""Readers poll while builds are swapped in under them: no error, no torn read, no lock held against them."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from datamoat.build.run import build_models
from datamoat.project.read import read_project
from datamoat.publish.results import Audit, write_audit
from datamoat.publish.warehouse import publish_warehouse
from datamoat.settings import Settings

READER = """
import sys, time, duckdb
path, seen, n = sys.argv[1], set(), 0
print("ready", flush=True)
while "stop" not in seen:
    with duckdb.connect(path, read_only=True) as con:
        low, high, rows = con.sql("select min(uploads), max(uploads), count(*) from marts.lab_volume").fetchall()[0]
    assert low == high and rows == 2, (low, high, rows)
    n += 1
    seen.add(low)
    if low >= 12.0:
        seen.add("stop")
print(n, len(seen) - 1)
"""


def publish(settings: Settings) -> None:
    """Build and publish without the checks, which are not what is tried here."""
    project = read_project(settings.content)
    build = build_models(settings, project)
    write_audit(settings, Audit(build.build_id, ()))
    publish_warehouse(settings, project)


def test_d07_three_readers_see_whole_builds_only_over_twelve_swaps(
    settings: Settings, edit: Callable[[str, str, str], Path]
) -> None:
    facts = "data/reference/facts.csv"
    edit(facts, "5.0", "1.0")
    edit(facts, "7.0", "1.0")
    publish(settings)
    command = [sys.executable, "-c", READER, str(settings.published)]
    readers = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    for reader in readers:
        assert reader.stdout is not None
        reader.stdout.readline()
    for swap in range(2, 13):
        path = settings.reference / "facts.csv"
        path.write_text(path.read_text().replace(f",{swap - 1}.0,", f",{swap}.0,"))
        publish(settings)
    for reader in readers:
        printed, complaint = reader.communicate(timeout=60)
        assert reader.returncode == 0, complaint
        n_reads, n_seen = map(int, printed.split())
        assert n_reads >= n_seen >= 3
