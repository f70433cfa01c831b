"""The commands about live sources, on a copy of the content and files of the test's own."""

import json
import re
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from typer.testing import CliRunner, Result

from datamoat.cli.app import app
from datamoat.errors import DatamoatError, SourceChangedError, UsageError
from datamoat.project.read import read_project
from datamoat.project.sources import find_source, read_sources
from datamoat.settings import Settings

CHECKOUT = Path(__file__).resolve().parents[2]
Run = Callable[..., Result]


def page(n: int = 60, votes: int = 0, drop: int = 0) -> str:
    """Return a made-up board in the shape of the API."""
    models = [
        {
            "id": f"id-{k:03d}", "name": f"Model {k}", "slug": f"m-{k}", "model_creator": {"id": f"{k % 9}", "name": f"Maker{k % 9}"}, "elo": 1300 - 7 * k,
            "rank": k + 1, "ci95": "-10/10", "appearances": 2000 + k + votes, "release_date": "2025-06", "categories": [],
        }
        for k in range(n - drop)
    ]  # fmt: skip
    return json.dumps({"status": 200, "include_categories": False, "data": models})


@pytest.fixture
def content(tmp_path: Path) -> Path:
    """Return a content tree with the checkout's sources, its dictionary and no facts."""
    root = tmp_path / "content"
    for source in read_sources(CHECKOUT):
        shutil.copytree(source.folder, root / "transforms" / "staging" / source.id)
    for name in ("columns.yml", "build.yml"):
        shutil.copy(CHECKOUT / "transforms" / name, root / "transforms" / name)
    (root / "data" / "reference").mkdir(parents=True)
    return root


@pytest.fixture
def run(content: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a function that runs a command there."""
    monkeypatch.setenv("DATAMOAT_ROOT", str(content))
    monkeypatch.setenv("DATAMOAT_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    return lambda *words: CliRunner().invoke(app, list(words))


@pytest.fixture
def history(tmp_path: Path) -> Path:
    """Return a folder with a history: two good days, a halved board, and the error in between."""
    bodies = {
        "2026-03-01": page(),
        "2026-03-02": page(votes=9),
        "2026-03-03": '{"error":"API key is required"}',
        "2026-03-04": page(votes=20, drop=15),
    }
    for day, body in bodies.items():
        (tmp_path / "old" / day).mkdir(parents=True)
        (tmp_path / "old" / day / "t2v.json").write_text(body)
    return tmp_path / "old"


def bring(run: Run) -> Result:
    return run("fetch", "aa_api", "--from", "old/{date}/t2v.json", "--request", "text_to_video")


def test_a_history_is_brought_in_and_judged_at_once(run: Run, history: Path) -> None:
    done = bring(run)
    assert done.exit_code == 1, "the newest response is not accepted"
    assert "truncated list" in done.output
    assert "an error message in place of data" in done.output
    assert bring(run).exit_code == 1, "still quarantined; nothing was added"


def test_of_a_long_history_only_what_a_person_has_to_look_at_is_listed(run: Run, tmp_path: Path) -> None:
    for n in range(1, 13):
        folder = tmp_path / "old" / f"2026-03-{n:02d}"
        folder.mkdir(parents=True)
        (folder / "t2v.json").write_text(page(votes=n) if n != 7 else '{"error":"API key is required"}')
    first, *listed = bring(run).stdout.splitlines()
    assert first == "12 responses brought in for aa_api text_to_video: 1 error, 11 ok"
    assert [line.split()[2] for line in listed] == ["day", "2026-03-07"]


def test_a_plan_says_how_many_of_its_changes_are_shown(run: Run, history: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bring(run)
    n = len(json.loads(run("plan", "aa_api", "--json").output))
    for shown, words in (
        (n, f"{n} changes. To serve it"),
        (n - 1, f"{n} changes, the first {n - 1} shown (--json prints all). To"),
    ):
        monkeypatch.setattr("datamoat.cli.sources.SHOWN_CHANGES", shown)
        lines = run("plan", "aa_api").stdout.splitlines()
        assert lines[-1].startswith(words)
        assert len(lines) == shown + 5  # what it is, its columns, the sum, and two empty lines


def test_plan_accept_and_diagnose_lead_from_a_quarantine_to_a_served_answer(run: Run, history: Path, content: Path) -> None:
    bring(run)
    planned = run("plan", "aa_api")
    assert planned.exit_code == 0
    assert "gone" in planned.output
    assert "To serve it: datamoat accept aa_api aa_api/text_to_video/2026-03-04/" in planned.output
    report = run("diagnose", "aa_api")
    assert report.exit_code == 1
    assert "quarantined since 2026-03-03; data of 2026-03-02 stay live" in report.output
    assert "next step:" in report.output
    snapshot = planned.output.split("accept aa_api ")[1].split(" ")[0]
    done = run("accept", "aa_api", snapshot, "--reason", "the publisher confirms that the board was halved")
    assert done.exit_code == 0, done.output
    assert "is now revision" in done.output
    assert [run("diagnose", "aa_api", *form).exit_code for form in ([], ["--json"])] == [0, 0]
    mirror = content / "data" / "reference" / "quarantine" / "decisions.csv"
    assert not mirror.exists(), "a decision is written where the snapshots are, and the content tree may be read-only"
    assert "1 of them new" in run("accept", "--mirror").output
    assert "0 of them new" in run("accept", "--mirror").output
    assert mirror.read_text() == run("accept", "--csv").output
    assert "the publisher confirms" in mirror.read_text()
    done = run("accept", "aa_api", snapshot, "--keep", "--reason", "it was a mistake of theirs", "--by", "ann@example.org")
    assert "is now suspicious, decided by ann." in done.output
    assert [run("diagnose", "aa_api", *form).exit_code for form in ([], ["--json"])] == [1, 1]
    assert mirror.read_text() in run("accept", "--csv").output, "nothing was taken away"


def test_diagnose_says_what_to_do_about_the_newest_answer_and_about_silence(run: Run, tmp_path: Path) -> None:
    days = {"2026-03-01": page(), "2026-03-02": page(drop=15), "2026-03-03": '{"error":"API key is required"}'}
    for day, body in days.items():
        (tmp_path / "old" / day).mkdir(parents=True)
        (tmp_path / "old" / day / "t2v.json").write_text(body)
    bring(run)
    report = run("diagnose", "aa_api").output
    assert "failing since 2026-03-02" in report
    assert "newest bad: aa_api/text_to_video/2026-03-03/" in report
    assert "next step:  do what the message asks for" in report
    (tmp_path / "t.json").write_text(page(votes=30))
    run("fetch", "aa_api", "--from", "t.json", "--request", "text_to_video", "--on", "2026-03-04")
    report = run("diagnose", "aa_api").output
    assert "text_to_video: silent since 2026-03-04" in report
    assert "next step:  datamoat fetch aa_api --request text_to_video" in report
    assert "nothing to do" not in report


def test_snapshots_that_were_never_landed_on_this_machine_are_landed_to_be_diagnosed(
    run: Run, history: Path, tmp_path: Path
) -> None:
    bring(run)
    report = run("diagnose", "aa_api").stdout
    assert "first bad:  aa_api/text_to_video/2026-03-03/" in report
    shutil.rmtree(tmp_path / "data" / "lake")
    assert run("diagnose", "aa_api").stdout == report


def test_what_is_not_in_quarantine_cannot_be_accepted(run: Run, history: Path) -> None:
    bring(run)
    listed = json.loads(run("diagnose", "aa_api", "--json").output)
    assert [line["validation_status"] for line in listed] == ["ok", "ok", "error", "suspicious"]
    for snapshot, kind in (
        ("2026-03-01", UsageError),
        ("2026-03-03", SourceChangedError),
        ("2026-03-09", UsageError),
        ("../../etc/passwd", UsageError),
    ):
        assert isinstance(run("accept", "aa_api", snapshot, "--reason", "because").exception, kind)
    assert isinstance(run("accept", "aa_api", "2026-03-04", "--reason", "  ").exception, UsageError)
    assert isinstance(run("plan", "aa_web").exception, UsageError)


def test_a_dry_run_says_what_would_be_asked_and_opens_no_socket(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.socket.connect", lambda *_: pytest.fail("a socket was opened"))
    done = run("fetch", "--dry-run")
    assert done.exit_code == 0
    assert "https://artificialanalysis.ai/api/v2/data/media/text-to-video" in done.output
    assert "AA_API_KEY (not set)" in done.output
    assert "huggingface.co/api/datasets/lmarena-ai/leaderboard-dataset" in done.output


@pytest.mark.parametrize(
    "words",
    [
        ("fetch", "no_such_source"), ("fetch", "aa_web"), ("fetch", "aa_api", "--request", "x"), ("fetch", "--request", "text_to_video"),
        ("fetch", "aa_api", "--from", "x.json"), ("fetch", "aa_api", "--from", "x.json", "--request", "text_to_video"), ("plan", "../x"), ("diagnose", "a;b"),
        ("new-source", "../x"), ("new-source", "Bad"), ("new-source", "reference"), ("new-source", "aa_api"), ("new-source", "x" * 60),
    ],
)  # fmt: skip
def test_a_mistake_on_the_command_line_names_its_cause_and_the_next_step(run: Run, words: tuple[str, ...]) -> None:
    failure = run(*words).exception
    assert isinstance(failure, UsageError)
    assert all((failure.what, failure.where, failure.fix))


def test_every_request_is_listed_with_how_it_stands(run: Run, history: Path) -> None:
    bring(run)
    listed = json.loads(run("show", "--sources", "--json").output)
    found = {(line["source"], line["request"]): line["state"] for line in listed}
    assert found["aa_api", "text_to_video"] == "quarantined"
    assert found["epoch_models", "all_models"] == "never"
    assert {request for source, request in found if source == "epoch_models"} == {
        "all_models",
        "notable_models",
        "large_scale_models",
        "frontier_models",
    }
    assert {request for source, request in found if source == "aa_api"} == {
        "text_to_video",
        "image_to_video",
        "text_to_video_audio",
        "image_to_video_audio",
    }
    assert ("arena_dataset", "video_edit") in found


def test_a_new_source_is_a_folder_that_reads_lands_and_lints_as_it_is(run: Run, content: Path, tmp_path: Path) -> None:
    before = {path for path in content.rglob("*") if path.is_file()}
    assert run("new-source", "example_board").exit_code == 0
    added = {path for path in content.rglob("*") if path.is_file()} - before
    folder = content / "transforms" / "staging" / "example_board"
    assert all(folder in path.parents for path in added), "no other file is touched"
    source = find_source(content, "example_board")
    assert source.missing == ()
    project = read_project(content)
    assert any(model.name == "stg_example_board__entries" for model in project.models)
    sample = folder / "sample" / "entries.json"
    done = run("fetch", "example_board", "--from", str(sample), "--request", "entries", "--on", "2026-03-01")
    assert done.exit_code == 0, done.output
    from datamoat.ingest.landings import raw_relations, read_landings, rows_of

    settings = Settings(content, tmp_path / "data")
    landing = read_landings(settings, source)[0]
    expected: dict[str, Any] = json.loads((folder / "sample" / "entries.expected.json").read_text())
    found = rows_of(settings, source, landing)
    assert sorted(found["entries"], key=str) == sorted(expected["entries"], key=str)
    assert len(raw_relations(settings, [source])["example_board__entries"].paths) == 1


def test_a_fetch_stores_the_answer_once_and_a_dry_run_asks_for_none(
    run: Run, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("new-source", "example_board").exit_code == 0
    monkeypatch.setenv("DATAMOAT_ALLOW_LOOPBACK", "1")
    monkeypatch.setenv("DATAMOAT_UPSTREAM_EXAMPLE_BOARD", f"http://127.0.0.1:{httpserver.port}")
    httpserver.expect_request(re.compile(".*")).respond_with_json({"entries": [{"name": "a", "value": 1}]})

    def fetched(*words: str) -> list[tuple[str, str]]:
        done = run("fetch", "example_board", "--json", *words)
        return [(line["response"], line["validation_status"]) for line in json.loads(done.stdout)]

    assert [status for _, status in fetched("--dry-run")] == [""]
    assert httpserver.log == []
    assert fetched() == [("new", "ok")]
    assert len(httpserver.log) == 1
    assert fetched()[0][0] == "unchanged"


def test_a_failure_on_purpose_pickles() -> None:
    import pickle

    failure = pickle.loads(pickle.dumps(SourceChangedError("a", "b", "c")))  # noqa: S301
    assert isinstance(failure, DatamoatError)
    assert (failure.what, failure.where, failure.fix) == ("a", "b", "c")


def test_a_file_brought_in_decides_the_exit_and_no_other(run: Run, history: Path, tmp_path: Path) -> None:
    bring(run)  # the newest of these is quarantined
    (tmp_path / "good.json").write_text(page(votes=9))
    (tmp_path / "cut.json").write_text(page(votes=9)[:900])
    words = ("fetch", "aa_api", "--request", "text_to_video", "--on", "2026-03-02")
    again = run(*words, "--from", "old/2026-03-02/t2v.json", "--json")
    assert (again.exit_code, json.loads(again.stdout)[0]["validation_status"]) == (0, "ok")
    good = run(*words[:-1], "2026-02-27", "--from", "good.json", "--json")
    assert (good.exit_code, json.loads(good.stdout)[0]["validation_status"]) == (0, "ok")
    cut = run(*words[:-1], "2026-02-28", "--from", "cut.json", "--json")
    assert (cut.exit_code, json.loads(cut.stdout)[0]["validation_status"]) == (1, "error")


WHY = (
    "a truncated list: 45 rows, expected 57 to 69; 15 of the 60 known on 2026-03-02 are missing"
    " ('Model 45', 'Model 46', 'Model 47' and 12 more)"
)
KEY = "an error message in place of data: 'API key is required'. do what the message asks for (a key, a quota), then fetch again."
FETCHED = f"""\
source  request        day         response  validation_status  detail
aa_api  text_to_video  2026-03-01  new       ok                 2026-03-01  12,668 bytes
aa_api  text_to_video  2026-03-02  new       ok                 2026-03-02  12,668 bytes
aa_api  text_to_video  2026-03-03  new       error              {KEY}
aa_api  text_to_video  2026-03-04  new       suspicious         {WHY}
"""
DIAGNOSED = f"""\
day         request        validation_status  n_rows  expected   n_bytes  reason
2026-03-01  text_to_video  ok                     60  40 to 400    12668
2026-03-02  text_to_video  ok                     60  40 to 400    12668
2026-03-03  text_to_video  error                   0  40 to 400       31  {KEY}
2026-03-04  text_to_video  suspicious             45  40 to 400     9518  {WHY}

text_to_video: quarantined since 2026-03-03; data of 2026-03-02 stay live.
  first bad:  aa_api/text_to_video/2026-03-03/HASH
  why:        {KEY}
  bytes:      data/snapshots/aa_api/text_to_video/2026-03-03/HASH.json
  begins:     {{"error":"API key is required"}}
  newest bad: aa_api/text_to_video/2026-03-04/HASH
  why:        {WHY}
  next step:  fetch again; if it stays short, `datamoat plan` shows who is missing, and `datamoat accept` accepts it.
"""


def printed(done: Result) -> str:
    """Return what a command printed to standard output, with hashes replaced, without blanks at line ends."""
    return re.sub(r"[0-9a-f]{12}", "HASH", re.sub(r" +$", "", done.stdout, flags=re.MULTILINE))


def test_what_is_printed_about_a_history_is_compared_whole(run: Run, history: Path) -> None:
    assert printed(bring(run)) == FETCHED
    assert printed(run("diagnose", "aa_api")) == DIAGNOSED
    listed = json.loads(run("diagnose", "aa_api", "--json").stdout)
    assert listed[3] == {
        "day": "2026-03-04", "request": "text_to_video", "validation_status": "suspicious", "n_rows": 45, "expected": "40 to 400",
        "n_bytes": 9518, "reason": WHY,
    }  # fmt: skip
    changes = json.loads(run("plan", "aa_api", "--json").stdout)
    assert [changes[0], changes[15]] == [
        {"table": "entries", "change": "gone", "key": "id-045", "column": "", "served": "Model 45", "offered": ""},
        {"table": "entries", "change": "changed", "key": "id-000", "column": "appearances", "served": "2009", "offered": "2020"},
    ]
    lines = printed(run("plan", "aa_api")).splitlines()
    assert lines[0] == f"aa_api/text_to_video/2026-03-04/HASH is suspicious: {WHY}"
    assert lines[2:4] == [
        "table    change   key     column       served    offered",
        "entries  gone     id-045               Model 45",
    ]
    assert (len(lines), lines[-1].partition(". ")[0]) == (45, "60 changes, the first 40 shown (--json prints all)")
    words = ("accept", "aa_api", "2026-03-04", "--reason", "as the publisher reports", "--by", "ann")
    accepted = json.loads(run(*words, "--json").stdout)
    assert {**accepted, "sha256": "", "decided_at": ""} == {
        "snapshot_id": accepted["snapshot_id"], "sha256": "", "choice": "accept", "decided_at": "",
        "decided_by": "ann", "reason": "as the publisher reports", "validation_status": "revision",
    }  # fmt: skip
    in_git = "`datamoat accept --mirror` writes the decision into the checkout for git.\n"
    snapshot = "aa_api/text_to_video/2026-03-04/HASH"
    assert printed(run(*words, "--keep")) == f"{snapshot} is now suspicious, decided by ann. It is not used; {in_git}"
    assert printed(run(*words)) == f"{snapshot} is now revision, decided by ann. `datamoat run` publishes it; {in_git}"
    assert json.loads(run("accept", "--mirror", "--json").stdout)["n_new"] == 3
    header, *decisions = run("accept", "--csv").stdout.splitlines()
    assert header == "snapshot_id,sha256,choice,decided_at,decided_by,reason"
    assert [line.split(",")[2] for line in decisions] == ["accept", "keep", "accept"]
    assert printed(run("diagnose", "arena_dataset")) == (
        "day  request  validation_status  n_rows  expected  n_bytes  reason\n"
        "\nNothing was ever fetched or brought in: datamoat fetch arena_dataset\n"
    )


def test_what_is_printed_about_parts_is_compared_whole(run: Run, content: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (
        printed(run("count", "dsa_aggregates", "--since", "2025-06-29", "--dry-run"))
        == "request     day\naggregates  2025-06-29\n"
    )
    sample = content / "transforms" / "staging" / "video_posts" / "sample" / "posts.csv"
    words = ("add-file", "video_posts", str(sample), "--label", "made", "--licence", "CC BY 4.0")
    day = datetime.now(UTC).date().isoformat()
    assert printed(run(*words)) == (
        "part       day  captured    n_listed  n_counted  n_rejected  cut  engine\n"
        f"posts.csv       {day}        40         40           0   no  duckdb\n"
    )
    assert json.loads(run(*words, "--json").stdout) == [
        {
            "part": "posts.csv", "day": "", "captured": day, "n_listed": 40, "n_counted": 40, "n_rejected": 0, "cut": False,
            "engine": "duckdb",
        }
    ]  # fmt: skip
    header = "part  day  captured  n_listed  n_counted  n_rejected  cut  engine\n"
    assert (run("count", "video_posts").stdout, run("count", "video_posts", "--json").stdout) == (header, "[]\n")
    given: list[tuple[object, object]] = []
    monkeypatch.setattr(
        "datamoat.ingest.streamed.add_file", lambda *_, engine, remote, **__: given.append((engine, remote)) or []
    )
    run(*words, "--engine", "spark", "--remote", "sc://host:15002")
    assert given == [("spark", "sc://host:15002")]
    for wrong in (
        ("--engine", "spark"),
        ("--remote", "sc://host:15002"),
        ("--engine", "spark", "--remote", "host"),
        ("--engine", "x"),
    ):
        assert isinstance(run(*words, *wrong).exception, UsageError)
    for wrong in (("--until", "2025-06-29"), ("--since", "2025-06-29", "--until", "2025-06-28")):
        assert isinstance(run("count", "dsa_aggregates", "--dry-run", *wrong).exception, UsageError)
    one_day = ("--since", "2025-06-29", "--until", "2025-06-29", "--dry-run", "--json")
    assert json.loads(run("count", "dsa_aggregates", *one_day).stdout) == [{"request": "aggregates", "day": "2025-06-29"}]
