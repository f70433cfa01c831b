"""Transcribed pages are fetched again: a real change is distinguished from one of layout only."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from datamoat.ingest.page_monitor import Finding, Page, cited_pages, seen_text, summary, watch_pages
from datamoat.settings import Settings

COMMIT = "0123456789abcdef0123456789abcdef01234567"
FIELDS = ("citation_id", "url", "verification", "page_sha256", "figure_as_stated")
ROWS = (
    "C1,https://example.org/report,page_read,,12.0 million",
    "C2,https://example.org/report,page_read,,3.5 hours",
    "C3,https://example.org/excerpt,search_excerpt,,5",
    f"C4,https://example.org/blob/{COMMIT}/a.csv,page_read,,5",
    "C5,http://example.org/plain,page_read,,5",
    f"C6,https://example.org/hashed,page_read,{'0' * 64},5",
)
PAGE = "<html><body><p>We had 12.0&nbsp;million videos and 3.5 hours.</p><script>nonce=1</script></body></html>"


@pytest.fixture
def place(tmp_path: Path, httpserver: Any, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("DATAMOAT_ALLOW_LOOPBACK", "1")
    monkeypatch.setenv("DATAMOAT_UPSTREAM_WATCHED_PAGES", f"http://127.0.0.1:{httpserver.port}")
    reference = tmp_path / "data" / "reference"
    reference.mkdir(parents=True)
    fields = [{"name": name, "type": "string"} for name in FIELDS]
    schema = {"fields": fields, "primaryKey": FIELDS[0]}
    package = {"name": "x", "resources": [{"name": "citations", "path": "citations.csv", "schema": schema}]}
    (reference / "datapackage.json").write_text(json.dumps(package))
    (reference / "citations.csv").write_text("\n".join([",".join(FIELDS), *ROWS]) + "\n")
    return Settings(content=tmp_path, data=tmp_path / "data")


class Weeks:
    """A clock that is a week later at each look."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 1, tzinfo=UTC)

    def look(self, place: Settings) -> dict[str, Finding]:
        self.now += timedelta(days=7)
        return {finding.citation_ids[0]: finding for finding in watch_pages(place, clock=lambda: self.now)}


def serve(httpserver: Any, body: str | bytes = PAGE, status: int = 200) -> None:
    httpserver.clear()
    httpserver.expect_request("/report").respond_with_data(body, status=status)
    httpserver.expect_request("/hashed").respond_with_data("other bytes")


def test_what_cannot_be_watched_is_said_and_not_asked(place: Settings, httpserver: Any) -> None:
    serve(httpserver)
    found = Weeks().look(place)
    assert {name: finding.state for name, finding in found.items()} == {
        "C1": "first seen", "C3": "not read", "C4": "pinned", "C5": "not https", "C6": "changed unseen",
    }  # fmt: skip
    assert found["C1"].citation_ids == ("C1", "C2")
    assert found["C1"].detail == "2 of the 2 values taken from it are visible"
    assert [request.path for request, _ in httpserver.log] == ["/hashed", "/report"]
    assert summary(list(found.values())) == {"changed unseen": 1, "first seen": 1, "not https": 1, "not read": 1, "pinned": 1}


def test_each_address_is_looked_at_once_with_what_was_taken_from_it(place: Settings) -> None:
    url = "https://example.org"
    assert cited_pages(place) == [
        Page("http://example.org/plain", ("C5",), "page_read", None, ("5",)),
        Page(f"{url}/blob/{COMMIT}/a.csv", ("C4",), "page_read", None, ("5",)),
        Page(f"{url}/excerpt", ("C3",), "excerpt", None, ("5",)),
        Page(f"{url}/hashed", ("C6",), "page_read", "0" * 64, ("5",)),
        Page(f"{url}/report", ("C1", "C2"), "page_read", None, ("12.0", "3.5")),
    ]


@pytest.mark.parametrize(
    ("second", "state", "detail"),
    [
        (PAGE, "unchanged", "the same bytes as on 2026-03-08"),
        (PAGE.replace("nonce=1", "nonce=2"), "unchanged", "the same text as on 2026-03-08"),
        (
            PAGE.replace("We had", "There were"),
            "changed",
            "other text than on 2026-03-08; 2 of the 2 values taken from it are visible",
        ),
        (PAGE.replace("3.5", "3.55"), "values missing", "there on 2026-03-08, not now: 3.5"),
        ("%PDF-1.7 3.5 hours", "changed unseen", "other bytes than on 2026-03-08, and no text to compare"),
    ],
)
def test_a_second_look_tells_what_changed(place: Settings, httpserver: Any, second: str, state: str, detail: str) -> None:
    weeks = Weeks()
    serve(httpserver)
    weeks.look(place)
    serve(httpserver, second)
    found = weeks.look(place)["C1"]
    assert (found.state, found.detail) == (state, detail)


@pytest.mark.parametrize(
    ("status", "state", "alarm"),
    [(404, "gone", True), (410, "gone", True), (503, "unreachable", False), (403, "unreachable", False)],
)
def test_a_page_that_is_gone_is_an_alarm_and_one_that_is_busy_is_not(
    place: Settings, httpserver: Any, status: int, state: str, alarm: bool
) -> None:
    serve(httpserver, "no", status)
    found = Weeks().look(place)["C1"]
    assert (found.state, found.is_alarm) == (state, alarm)


def test_a_page_that_leads_to_another_host_is_not_followed(place: Settings, httpserver: Any) -> None:
    serve(httpserver)
    httpserver.clear()
    httpserver.expect_request("/hashed").respond_with_data("x")
    httpserver.expect_request("/report").respond_with_data("", status=302, headers={"Location": "https://evil.example.com/"})
    found = Weeks().look(place)["C1"]
    assert (found.state, found.is_alarm) == ("moved", True)
    assert "evil.example.com" in found.detail


def test_a_page_that_comes_back_is_compared_with_the_last_good_one(place: Settings, httpserver: Any) -> None:
    weeks = Weeks()
    serve(httpserver)
    weeks.look(place)
    serve(httpserver, "sorry", 503)
    weeks.look(place)
    serve(httpserver)
    assert weeks.look(place)["C1"].state == "unchanged"


def test_text_is_what_a_reader_sees() -> None:
    assert seen_text(b"<style>p{}</style><p>a&amp;b</p><!-- 9 -->\n c") == "a&b c"
    assert seen_text(b"\x00\x01") is None
    assert seen_text(b"%PDF-1.7") is None
    assert seen_text(b"x" * 4095 + b"\0") is None
    assert seen_text(b"x" * 4096 + b"\0") is not None


@pytest.mark.parametrize(
    ("text", "n_visible"),
    [("3.5", 1), ("(3.5)", 1), ("3.5.", 1), ("13.5", 0), ("3.55", 0), ("3.5,1", 0), ("2,3.5", 0), ("3.5, 1", 1)],
)
def test_a_value_is_visible_only_as_a_number_of_its_own(place: Settings, httpserver: Any, text: str, n_visible: int) -> None:
    serve(httpserver, f"<p>{text}</p>")
    assert Weeks().look(place)["C1"].detail == f"{n_visible} of the 2 values taken from it are visible"
