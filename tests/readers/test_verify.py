"""No changed byte, file or checksum passes `verify`, and nothing is opened before its hash is right."""

import json
import random
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import duckdb
import pytest

from datamoat.errors import ContentError, UsageError
from datamoat.release.bundle import checksum_of
from datamoat.release.register import record, register
from datamoat.release.tables import write_sums
from datamoat.release.verify import Finding, Verdict, check_bytes, verify_bundle
from datamoat.settings import Settings
from datamoat.storage.files import sha256_of


def files(bundle: Path) -> list[Path]:
    return sorted(path for path in bundle.rglob("*") if path.is_file())


def put(path: Path, body: bytes) -> None:
    path.unlink()
    path.write_bytes(body)


def test_the_verdict_on_an_untouched_bundle_counts_its_files_bytes_and_tables(made: Settings, released_bundle: Path) -> None:
    listed = [path for path in files(released_bundle) if path.name != "SHA256SUMS"]
    n_tables = len([path for folder in ("parquet", "draws") for path in (released_bundle / folder).iterdir()])
    assert n_tables >= 10
    n_bytes = sum(path.stat().st_size for path in listed)
    checksum = checksum_of(released_bundle)
    wanted = Verdict((), checksum, len(listed), n_bytes, n_tables, date(2026, 4, 1), is_known=True)
    assert verify_bundle(made, released_bundle) == wanted
    assert wanted.is_good
    assert verify_bundle(None, released_bundle) == replace(wanted, registered_on=None, is_known=False)
    assert verify_bundle(None, released_bundle, f" {checksum.upper()}\n") == replace(wanted, registered_on=None)


def test_a_wrong_checksum_is_a_finding_and_makes_nothing_known(released_bundle: Path) -> None:
    found = verify_bundle(None, released_bundle, "0" * 64)
    assert found.findings == (Finding("SHA256SUMS", f"its checksum is {checksum_of(released_bundle)}, not the one given"),)
    assert (found.is_good, found.is_known, found.n_tables) == (False, False, 0)


ONE, OTHER, LIST = "csv/lab_volume.csv", "README.md", "SHA256SUMS"
NOT_THE_BYTES, MISSING, MALFORMED = "not the bytes that were released", "missing", "the list of hashes is malformed"
OUT_OF_ORDER = "the list of hashes names a file twice or is out of order"
FINDINGS = {
    "removed": [(ONE, MISSING)],
    "added": [("csv/more.csv", "a file that was not released")],
    "hidden file": [(".DS_Store", "a file that was not released")],
    "empty folder": [("new", "an empty folder that was not released")],
    "swapped": [(OTHER, NOT_THE_BYTES), (ONE, NOT_THE_BYTES)],
    "overwritten by another": [(ONE, NOT_THE_BYTES)],
    "truncated": [(ONE, NOT_THE_BYTES)],
    "emptied": [(ONE, NOT_THE_BYTES)],
    "byte added": [(ONE, NOT_THE_BYTES)],
    "renamed": [("csv/renamed.csv", "a file that was not released"), (ONE, MISSING)],
    "a link to the same bytes": [(OTHER, NOT_THE_BYTES), (ONE, "a link, where a file or nothing should be")],
    "the list lacks a line": [("CITATION.cff", "a file that was not released")],
    "the list has a line twice": [(LIST, OUT_OF_ORDER)],
    "the list in capitals": [(LIST, MALFORMED)],
    "the list without its last end of line": [(LIST, MALFORMED)],
    "the list is gone": [(LIST, "the list of hashes is missing")],
}


@pytest.mark.parametrize("what", sorted(FINDINGS))
def test_each_kind_of_tampering_is_named_with_the_file_and_with_nothing_else(bundle: Path, what: str) -> None:
    TAMPER[what](bundle, bundle / ONE, bundle / OTHER)
    wanted = tuple(Finding(*finding) for finding in FINDINGS[what])
    found = verify_bundle(None, bundle)
    assert found.findings == wanted
    assert (found.n_tables, found.is_good) == (0, False)


def test_every_kind_of_tampering_has_its_findings() -> None:
    assert set(FINDINGS) == set(TAMPER)


def test_a_list_out_of_order_and_one_that_is_a_link_are_findings(bundle: Path, tmp_path: Path) -> None:
    lines = (bundle / LIST).read_bytes().splitlines(keepends=True)
    put(bundle / LIST, b"".join(reversed(lines)))
    assert check_bytes(bundle)[0] == [Finding(LIST, OUT_OF_ORDER)]
    (tmp_path / "list").write_bytes(b"".join(lines))
    (bundle / LIST).unlink()
    (bundle / LIST).symlink_to(tmp_path / "list")
    assert check_bytes(bundle) == ([Finding(LIST, "the list of hashes is missing")], [])
    assert verify_bundle(None, bundle).checksum == ""


def test_a_table_without_its_file_and_one_that_is_not_what_its_build_stated_are_findings(bundle: Path) -> None:
    database = bundle / "datamoat.duckdb"
    database.chmod(0o644)
    with duckdb.connect(str(database)) as con:
        con.execute("update meta.models set content_hash = 'other' where table_name = 'lab_volume_draws'")
    (bundle / "parquet" / "source_freshness.parquet").unlink()
    with duckdb.connect() as con:
        for form in ("meta_models",):  # the same rows in every form, so that only what was stated differs
            (bundle / "parquet" / f"{form}.parquet").unlink()
            (bundle / "csv" / f"{form}.csv").unlink()
            con.execute(f"attach '{database}' as d (read_only)")
            con.execute(f"copy (from d.meta.models) to '{bundle}/parquet/{form}.parquet'")
    write_sums(bundle)
    assert verify_bundle(None, bundle).findings == (
        Finding("datamoat.duckdb", "marts.lab_volume_draws does not have the rows its build stated"),
        Finding("datamoat.duckdb", "marts.source_freshness has no Parquet file"),
    )


def test_a_bundle_without_a_database_has_its_bytes_compared_and_no_table(bundle: Path) -> None:
    (bundle / "datamoat.duckdb").unlink()
    (bundle / "manifest.json").unlink()
    write_sums(bundle)
    found = verify_bundle(None, bundle)
    assert (found.findings, found.n_tables, found.is_good) == ((), 0, True)


@pytest.mark.parametrize("n_flips", [200, pytest.param(1000, marks=pytest.mark.slow)])
def test_every_one_of_many_single_bit_flips_is_caught(bundle: Path, n_flips: int) -> None:
    rng = random.Random(n_flips)  # noqa: S311  (a fixed seed)
    for path in [*files(bundle), *rng.choices(files(bundle), k=n_flips)]:
        body = path.read_bytes()
        place, bit = rng.randrange(len(body)), 1 << rng.randrange(8)
        with path.open("r+b") as handle:
            handle.seek(place)
            handle.write(bytes([body[place] ^ bit]))
        found, _ = check_bytes(bundle)
        assert found, (path, place, bit)
        path.write_bytes(body)
    assert check_bytes(bundle)[0] == []


def _swap(one: Path, other: Path) -> None:
    a, b = one.read_bytes(), other.read_bytes()
    put(one, b)
    put(other, a)


TAMPER: dict[str, Callable[[Path, Path, Path], object]] = {
    "removed": lambda _, one, __: one.unlink(),
    "added": lambda b, *_: (b / "csv" / "more.csv").write_text("a\n1\n"),
    "hidden file": lambda b, *_: (b / ".DS_Store").write_text("x"),
    "empty folder": lambda b, *_: (b / "new").mkdir(),
    "swapped": lambda _, one, other: _swap(one, other),
    "overwritten by another": lambda _, one, other: put(one, other.read_bytes()),
    "truncated": lambda _, one, __: put(one, one.read_bytes()[:-1]),
    "emptied": lambda _, one, __: put(one, b""),
    "byte added": lambda _, one, __: put(one, one.read_bytes() + b"\0"),
    "renamed": lambda _, one, __: one.rename(one.with_name("renamed.csv")),
    "a link to the same bytes": lambda _, one, other: (put(other, one.read_bytes()), one.unlink(), one.symlink_to(other)),
    "the list lacks a line": lambda b, *_: put(b / "SHA256SUMS", b"".join((b / "SHA256SUMS").read_bytes().splitlines(True)[1:])),
    "the list has a line twice": lambda b, *_: put(
        b / "SHA256SUMS", (b / "SHA256SUMS").read_bytes() + (b / "SHA256SUMS").read_bytes().splitlines(True)[-1]
    ),
    "the list in capitals": lambda b, *_: put(b / "SHA256SUMS", (b / "SHA256SUMS").read_bytes().upper()),
    "the list without its last end of line": lambda b, *_: put(b / "SHA256SUMS", (b / "SHA256SUMS").read_bytes()[:-1]),
    "the list is gone": lambda b, *_: (b / "SHA256SUMS").unlink(),
}


@pytest.mark.parametrize("what", sorted(TAMPER))
def test_a_tampered_bundle_is_caught(bundle: Path, what: str) -> None:
    rng = random.Random(what)  # noqa: S311  (a fixed seed)
    listed = [path for path in files(bundle) if path.name != "SHA256SUMS"]
    one, other = rng.sample(listed, 2)
    TAMPER[what](bundle, one, other)
    assert check_bytes(bundle)[0]
    assert not verify_bundle(None, bundle).is_good


@pytest.mark.slow
def test_every_one_of_two_hundred_tamperings_is_caught(released_bundle: Path, tmp_path: Path) -> None:
    rng = random.Random(200)  # noqa: S311  (a fixed seed)
    for i in range(200):
        what = rng.choice(sorted(TAMPER))
        damaged = tmp_path / str(i)
        shutil.copytree(released_bundle, damaged, copy_function=shutil.copyfile)
        one, other = rng.sample([path for path in files(damaged) if path.name != "SHA256SUMS"], 2)
        TAMPER[what](damaged, one, other)
        assert check_bytes(damaged)[0], (what, one, other)
        shutil.rmtree(damaged)


def test_a_path_in_the_list_that_leaves_the_bundle_is_not_followed(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("x")
    (bundle / "SHA256SUMS").write_text(f"{'0' * 64}  ../outside\n")
    findings, names = check_bytes(bundle)
    assert [finding.what for finding in findings] == ["the list of hashes points outside the bundle"]
    assert names == []


def test_a_file_changed_together_with_its_hash_is_caught_by_the_checksum(made: Settings, bundle: Path) -> None:
    put(bundle / "README.md", (bundle / "README.md").read_bytes().replace(b"Caveats", b"Nothing"))
    write_sums(bundle)
    assert check_bytes(bundle)[0] == []
    reported = verify_bundle(made, bundle)
    assert [finding.path for finding in reported.findings] == ["SHA256SUMS"]
    assert "register" in reported.findings[0].what
    given = verify_bundle(None, bundle, checksum=register(made.exports)[0].checksum)
    assert not given.is_good


def test_a_forged_bundle_is_caught_by_the_name_in_its_manifest_whatever_its_folder_is_called(
    made: Settings, bundle: Path
) -> None:
    put(bundle / "README.md", (bundle / "README.md").read_bytes().replace(b"Caveats", b"Nothing"))
    write_sums(bundle)
    renamed = bundle.rename(bundle.with_name("latest"))
    found = verify_bundle(made, renamed)
    assert [finding.path for finding in found.findings] == ["SHA256SUMS"]
    assert not found.is_known


def test_a_bundle_that_nobody_here_knows_is_whole_but_not_known(bundle: Path, made: Settings) -> None:
    manifest = json.loads((bundle / "manifest.json").read_text())
    put(bundle / "manifest.json", json.dumps({**manifest, "release_id": "another-2026-04-01-00000000"}).encode())
    write_sums(bundle)
    renamed = bundle.rename(bundle.with_name("another-2026-04-01-00000000"))
    found = verify_bundle(made, renamed)
    assert (found.is_good, found.is_known) == (True, False)
    assert verify_bundle(made, renamed, found.checksum).is_known


def test_the_register_under_version_control_catches_it_where_there_is_no_store(
    made: Settings, bundle: Path, tmp_path: Path
) -> None:
    elsewhere = replace(made, content=tmp_path / "clone", data=tmp_path / "clone" / "data")
    record(elsewhere.content / "data", register(made.exports)[0])
    assert verify_bundle(elsewhere, bundle).is_good
    (bundle / "LICENSES" / "ATTRIBUTION.md").write_text("Nobody.\n")
    write_sums(bundle)
    assert not verify_bundle(elsewhere, bundle).is_good


def test_rows_that_disagree_between_the_forms_are_caught_though_every_hash_is_right(bundle: Path) -> None:
    path = bundle / "csv" / "lab_volume.csv"
    put(path, path.read_bytes().replace(b"2026-03-01", b"2026-03-02"))
    write_sums(bundle)
    assert [finding.path for finding in verify_bundle(None, bundle).findings] == ["csv/lab_volume.csv"]


def test_a_parquet_file_of_another_build_is_caught_though_every_hash_is_right(bundle: Path) -> None:
    path = bundle / "parquet" / "lab_volume.parquet"
    with duckdb.connect() as con:
        con.execute(f"copy (select * replace (uploads + 1 as uploads) from read_parquet('{path}')) to '{bundle}/new.parquet'")
    put(path, (bundle / "new.parquet").read_bytes())
    (bundle / "new.parquet").unlink()
    write_sums(bundle)
    assert [finding.path for finding in verify_bundle(None, bundle).findings] == ["parquet/lab_volume.parquet"]


def test_nothing_is_opened_before_its_hash_is_right(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (bundle / "datamoat.duckdb").write_bytes(b"not a database")

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError

    monkeypatch.setattr("datamoat.release.verify.duckdb.connect", refuse)
    assert [finding.path for finding in verify_bundle(None, bundle).findings] == ["datamoat.duckdb"]


def test_a_file_that_cannot_be_read_is_no_good(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> str:
        if path.name == "README.md":
            raise PermissionError(13, "Permission denied")
        return sha256_of(path)

    monkeypatch.setattr("datamoat.release.verify.sha256_of", refuse)
    assert verify_bundle(None, bundle).findings == (Finding("README.md", "it cannot be read: Permission denied"),)


def test_what_is_no_folder_is_refused(made: Settings, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        verify_bundle(made, tmp_path / "absent")
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(UsageError):
        verify_bundle(made, tmp_path / "link")


def test_the_checksum_does_not_depend_on_where_the_bundle_lies(released_bundle: Path, tmp_path: Path) -> None:
    shutil.copytree(released_bundle, tmp_path / "moved")
    assert checksum_of(tmp_path / "moved") == checksum_of(released_bundle)


@pytest.mark.parametrize("text", ["", "x,y\n", "release_id,released_on,build_id,as_of\n"])
def test_a_register_of_other_columns_is_malformed_and_not_empty(tmp_path: Path, text: str) -> None:
    (tmp_path / "releases.csv").write_text(text)
    with pytest.raises(ContentError, match="the register of releases is malformed"):
        register(tmp_path)
