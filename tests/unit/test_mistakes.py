"""Every mistake that a contributor made is refused before a build, with its line and what would be right; correct rows pass."""

import csv
import io
import json
import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path
from time import process_time

import pytest
from typer.testing import CliRunner

from datamoat.cli.app import app
from datamoat.cli.contribute import add as add_by_hand
from datamoat.errors import ContentError, DatamoatError, ModelFailedError, UsageError
from datamoat.project.additions import add_rows, read_kinds, vocabulary_page
from datamoat.project.reference import read_reference
from datamoat.project.rules import check_rules
from datamoat.project.scaffold import check_filled, write_source
from datamoat.project.sources import read_source
from datamoat.project.yaml_files import read_yaml
from datamoat.settings import Settings

CHECKOUT = Path(__file__).resolve().parents[2]
TODAY = date(2026, 11, 27)
Edit = Callable[[Path], None]


@pytest.fixture
def reference(tmp_path: Path) -> Path:
    """Return a copy of the reference facts."""
    return Path(shutil.copytree(CHECKOUT / "data" / "reference", tmp_path / "data" / "reference"))


def rows_of(path: Path) -> list[list[str]]:
    return list(csv.reader(io.StringIO(path.read_text(encoding="utf-8"), newline="")))


def write(path: Path, rows: list[list[str]]) -> None:
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\n").writerows(rows)
    path.write_text(out.getvalue(), encoding="utf-8")


def fact(**values: str) -> Edit:
    """Add an observation that is right but for what is given."""
    return row(
        "platform_observations",
        {
            "fact_id": "F9901", "platform_id": "facebook", "metric": "monthly_active_users", "value": "3070000000", "bound": "about",
            "unit": "users", "period_start_on": "2023-12-01", "period_end_on": "2023-12-31", "period_basis": "stated",
            "geography": "global", "originator": "meta", "source_kind": "filing", "tier": "1", "verification": "page_read",
            "is_usable": "true", "figure_as_stated": "3.07 billion", "citation_id": "C9901",
        } | values,
    )  # fmt: skip


def row(table: str, values: dict[str, str]) -> Edit:
    def edit(folder: Path) -> None:
        cite(folder)
        rows = rows_of(folder / f"{table}.csv")
        write(folder / f"{table}.csv", [*rows, [values.get(name, "") for name in rows[0]]])

    return edit


def cite(folder: Path, **values: str) -> None:
    rows = rows_of(folder / "citations.csv")
    known = {
        "citation_id": "C9901", "title": "A report", "publisher": "A publisher", "url": "https://example.org/report",
        "published_on": "2024-02-02", "read_on": "2026-11-01", "verification": "page_read", "tier": "1", "source_kind": "filing", "source_id": "filing",
    } | values  # fmt: skip
    sources = {line[-1] for line in rows[1:]}
    known["source_id"] = known["source_id"] if known["source_id"] in sources else rows[1][-1]
    write(folder / "citations.csv", [*rows, [known.get(name, "") for name in rows[0]]])


def cited(**values: str) -> Edit:
    return lambda folder: cite(folder, **values)


def edited(table: str, old: str, new: str) -> Edit:
    """Change the first occurrence of a text in a table."""

    def edit(folder: Path) -> None:
        path = folder / f"{table}.csv"
        before = path.read_text(encoding="utf-8")
        assert old in before
        path.write_text(before.replace(old, new, 1), encoding="utf-8", newline="")

    return edit


def whole_file(table: str, change: Callable[[str], str]) -> Edit:
    def edit(folder: Path) -> None:
        path = folder / f"{table}.csv"
        path.write_bytes(change(path.read_text(encoding="utf-8")).encode())

    return edit


def cell(table: str, key: str, column: str, value: str | Callable[[str], str]) -> Edit:
    """Change a cell of the first row that begins with a key."""

    def edit(folder: Path) -> None:
        rows = rows_of(folder / f"{table}.csv")
        found, place = next(line for line in rows if line[0] == key), rows[0].index(column)
        found[place] = value if isinstance(value, str) else value(found[place])
        write(folder / f"{table}.csv", rows)

    return edit


def both(*edits: Edit) -> Edit:
    def edit(folder: Path) -> None:
        for step in edits:
            step(folder)

    return edit


def in_capture(capture_id: str, columns: tuple[str, ...], change: Callable[[list[str]], list[str]]) -> Edit:
    """Change columns of all entries of a capture of Arena."""

    def edit(folder: Path) -> None:
        path = folder / "leaderboard_entries_arena.csv"
        rows = rows_of(path)
        entries = [line for line in rows if line[0] == capture_id]
        for place in map(rows[0].index, columns):
            for line, value in zip(entries, change([line[place] for line in entries]), strict=True):
                line[place] = value
        write(path, rows)

    return edit


def times(factor: float) -> Callable[[str], str]:
    return lambda text: str(float(text) * factor)


def capture(n: int, ratings: tuple[float, ...], **values: str) -> Edit:
    """Add a capture with `n` entries listed in order, rated as given."""

    def edit(folder: Path) -> None:
        known = {
            "capture_id": "aa-t2v-made", "board_id": "aa_text_to_video", "captured_on": "2026-11-20", "route": "page", "status": "ok",
            "verification": "page_read", "tier": "2", "citation_id": "C9901",
        } | values  # fmt: skip
        row("leaderboard_captures", known)(folder)
        path = folder / "leaderboard_entries_artificial_analysis.csv"
        rows = rows_of(path)
        for place in range(n):
            entry = {
                "capture_id": known["capture_id"], "entry_key": f"made-{place}", "entry_name": f"Made {place}", "creator_name": "Maker",
                "listed_rank": str(place + 1), "is_ranked": "true", "rating": str(ratings[place] if place < len(ratings) else 1000 - place),
            }  # fmt: skip
            rows.append([entry.get(name, "") for name in rows[0]])
        write(path, rows)

    return edit


ALIAS = {
    "source_id": "arena", "entry_key": "flux-3-video", "valid_from": "2024-01-01", "match_status": "confirmed", "model_id": "flux-3-video",
    "lab_id": "bfl", "rule": "curated", "evidence": "a slug", "citation_id": "C9901",
}  # fmt: skip
SIZE = {
    "resource_id": "R901", "company_id": "meta", "quantity": "rd_expense", "fiscal_year": "2024", "as_of_on": "2024-12-31",
    "scope": "group", "value": "43873000000", "currency": "USD", "usd_rate": "1", "value_usd": "43873000000", "bound": "exact",
    "basis": "accounts", "source_kind": "filing", "tier": "1", "verification": "page_read", "is_usable": "true",
    "figure_as_stated": "43,873 million", "citation_id": "C9901",
}  # fmt: skip
HEADS = {name: value for name, value in SIZE.items() if name not in {"currency", "usd_rate", "value_usd", "fiscal_year"}}
ACCESS = {
    "access_id": "X901", "company_id": "google", "platform_id": "youtube", "geography": "global", "target": "Its platform",
    "access_kind": "first_party", "status": "confirmed", "is_baseline": "true", "assumption_id": "A025", "citation_id": "C9901",
    "verification": "page_read",
}  # fmt: skip
PAIR = {
    "pair_id": "P99", "family": "Wan", "model_id_from": "wan-2-1-14b", "model_id_to": "wan-2-2-5b", "quantity": "videos",
    "stage_kind": "pretrain", "disclosure_id_from": "D158", "disclosure_id_to": "D160", "is_usable": "true",
}  # fmt: skip
DAY_OF_UPLOADS = {"metric": "uploads_per_day", "unit": "videos_per_day"}
MISTAKES: dict[str, tuple[Edit, str, str]] = {  # what is done, the file it is found in, words of the message
    "a unit that does not fit": (fact(unit="videos_per_day"), "platform_observations.csv", "right would be users"),
    "billions not written out": (fact(value="3.07"), "platform_observations.csv", "right would be 3070000000"),
    "a part of a user": (fact(value="3.5", figure_as_stated="3.5"), "platform_observations.csv", "is no whole number"),
    "a period that ends before it starts": (fact(period_start_on="2024-01-01"), "platform_observations.csv", "right would be the two exchanged"),
    "a period after its page": (fact(period_end_on="2024-06-30"), "platform_observations.csv", "right would be 2024-02-02 or earlier"),
    "an unverified value that is used": (fact(verification="UNVERIFIED"), "platform_observations.csv", "right would be false and unverified"),
    "an unusable value without a reason": (fact(is_usable="false"), "platform_observations.csv", "right would be a reason"),
    "a range turned round": (fact(value_low="4000000000", value_high="3000000000"), "platform_observations.csv", "right would be this order"),
    "a whole board of two": (capture(2, ()), "leaderboard_captures.csv", "is ok with 2 entries; right would be partial"),
    "fewer entries than are listed": (capture(5, (), n_listed="40"), "leaderboard_captures.csv", "is ok with 5 entries of 40"),
    "rank 1 rated below rank 2": (capture(5, (900,)), "leaderboard_entries_artificial_analysis.csv", "right would be at most the 900.0 of rank 1"),
    "aliases that overlap": (row("entry_aliases", ALIAS), "entry_aliases.csv", "right would be that one with valid_to 2023-12-31"),
    "an alias that ends before it begins": (row("entry_aliases", ALIAS | {"entry_key": "new", "valid_to": "2023-01-01"}), "entry_aliases.csv", "right would be a day after it"),
    "a capture of 2028": (capture(5, (), captured_on="2028-11-20"), "leaderboard_captures.csv", "right would be a day between 1990 and 2026-11-27"),
    "a page read in 2099": (cited(read_on="2099-01-01"), "citations.csv", "read_on is 2099-01-01"),
    "a page of the year 1": (cited(published_on="0001"), "citations.csv", "published_on is 0001"),
    "an id twice": (fact(fact_id="F0001"), "platform_observations.csv", "have the key {'fact_id': 'F0001'}"),
    "a citation that is not there": (fact(citation_id="C9999"), "platform_observations.csv", "is not in citations.csv"),
    "thousands separators": (fact(value="3,070,000,000"), "platform_observations.csv", "a number with a decimal point and no separators"),
    "a day written day first": (fact(period_end_on="31-12-2023"), "platform_observations.csv", "is not a date as 2026-05-14"),
    "a comma forgotten": (edited("platform_observations", ",videos_removed,", ",videos_removed"), "platform_observations.csv", "23 cells, not 24"),
    "a comma too many": (edited("platform_observations", ",videos_removed,", ",videos_removed,,"), "platform_observations.csv", "25 cells, not 24"),
    "Excel's byte order mark": (whole_file("platforms", lambda text: "\ufeff" + text), "platforms.csv", "a byte-order mark"),
    "Excel's line ends": (whole_file("platforms", lambda text: text.replace("\n", "\r\n")), "platforms.csv", "carriage returns"),
    "Excel's TRUE": (fact(is_usable="TRUE"), "platform_observations.csv", "is not true or false"),
    "capital letters in an id": (fact(platform_id="Facebook"), "platform_observations.csv", "does not match"),
    "a number beyond any": (fact(value="1e400"), "platform_observations.csv", "'1e400' is not a number"),
    "digits of another script": (fact(value="٣٠٧٠٠٠٠٠٠٠"), "platform_observations.csv", "is not a number"),
    "a day of another script": (fact(period_start_on="２０２３-12-01"), "platform_observations.csv", "is not a date"),
    "the year 1": (fact(period_start_on="0001-12-01"), "platform_observations.csv", "is not a date"),
    "a digit lost in dollars": (cell("company_resources", "R001", "value_usd", "3156200000"), "company_resources.csv", "right would be value divided by usd_rate"),
    "yuan at rate 1": (both(cell("company_resources", "R026", "usd_rate", "1"), cell("company_resources", "R026", "value_usd", "85000000000")), "company_resources.csv", "right would be a rate near 7"),
    "a rate turned round": (both(cell("company_resources", "R026", "usd_rate", "0.14"), cell("company_resources", "R026", "value_usd", "607142857143")), "company_resources.csv", "right would be a rate near 7"),
    "an amount in millions": (both(cell("company_resources", "R001", "value", "31562"), cell("company_resources", "R001", "value_usd", "31562")), "company_resources.csv", "is stated as '8,708+7,694"),
    "accounts of 2030": (cell("company_resources", "R001", "as_of_on", "2030-12-31"), "company_resources.csv", "as_of_on is 2030-12-31"),
    "a fiscal year turned round": (both(cell("company_resources", "R001", "period_start_on", "2021-12-31"), cell("company_resources", "R001", "as_of_on", "2021-01-01")), "company_resources.csv", "period_start_on 2021-12-31 is after as_of_on"),
    "names shifted by one": (in_capture("ar-t2v-2026-07-24-dataset", ("entry_name", "creator_name"), lambda cells: cells[1:] + cells[:1]), "leaderboard_entries_arena.csv", "have a creator_name that they have in another capture"),
    "a capture times 1000": (in_capture("ar-t2v-2026-07-24-dataset", ("rating", "rating_low", "rating_high"), lambda cells: [text and times(1000)(text) for text in cells]), "leaderboard_entries_arena.csv", "are 999.793 times those of the same keys"),
    "a capture times 1.5": (in_capture("ar-t2v-2026-07-24-dataset", ("rating", "rating_low", "rating_high"), lambda cells: [text and times(1.5)(text) for text in cells]), "leaderboard_entries_arena.csv", "are 1.5 times those of the same keys"),
    "a first capture off its scale": (capture(5, (1e6, 1e6 - 1, 1e6 - 2, 1e6 - 3, 1e6 - 4)), "leaderboard_entries_artificial_analysis.csv", "right would be between 200 and 2500"),
    "a whole day of decisions times 1000": (both(*(cell("dsa_daily_totals", "2023-09-26", column, lambda text: text + "000") for column in ("n_statements_counted", "n_statements_listed", "csv_bytes", "zip_bytes"))), "dsa_daily_totals.csv", "near the days around"),
    "a fiscal year of another time": (cell("company_resources", "R001", "fiscal_year", "2029"), "company_resources.csv", "fiscal_year is 2029"),
    "a lab founded in 2029": (cell("labs", "bytedance", "founded_year", "2029"), "labs.csv", "founded_year is 2029"),
    "hours of a dataset times 1000": (cell("open_datasets", "howto100m", "n_hours", times(1000)), "open_datasets.csv", "right would be about 134323"),
    "a quoted formula": (cited(title="'=1+1"), "citations.csv", "is a formula"),
    "a sum that calls": (cited(title='-2+3+HYPERLINK("x")'), "citations.csv", "is a formula"),
    "letters of mathematics": (cell("platforms", "tiktok", "name", "\U0001d413ikTok"), "platforms.csv", "right would be the plain letter"),
    "a capture on another board": (cell("leaderboard_captures", "ar-t2v-2026-07-24-dataset", "board_id", "arena_image_to_video"), "leaderboard_captures.csv", "right would be arena_text_to_video"),
    "a board published after its capture": (cell("leaderboard_captures", "ar-t2v-2026-07-24-dataset", "board_published_on", "2026-08-24"), "leaderboard_captures.csv", "is after captured_on"),
    "a zero-width space in a key": (cell("entry_aliases", "arena", "entry_key", lambda text: text + "\u200bx"), "entry_aliases.csv", "cannot be seen"),
    "a Cyrillic o in a key": (cell("entry_aliases", "arena", "entry_key", "vide\u043e-3"), "entry_aliases.csv", "a letter that looks like another"),
    "a Cyrillic o in a name": (cell("platforms", "tiktok", "name", "TikT\u043ek"), "platforms.csv", "mixes letters of two scripts"),
    "a NUL in a name": (cell("platforms", "tiktok", "name", "Tik\0Tok"), "platforms.csv", "cannot be seen"),
    "a line break in a name": (cell("platforms", "tiktok", "name", "Tik\nTok"), "platforms.csv", "cannot be seen"),
    "a bidi override in a name": (cell("platforms", "tiktok", "name", "Tik\u202eTok"), "platforms.csv", "cannot be seen"),
    "a tag in a title": (cited(title="<script>alert(1)</script>"), "citations.csv", "has a tag"),
    "a formula in a title": (cited(title="=cmd|' /C calc'!A0"), "citations.csv", "is a formula"),
    "a formula with a plus": (cited(title="+cmd|' /C calc'!A0"), "citations.csv", "is a formula"),
    "a call with an at sign": (cited(title="@SUM(A1)"), "citations.csv", "is a formula"),
    "a lost reference": (cell("platforms", "tiktok", "note", "#REF!"), "platforms.csv", "is an error of a spreadsheet"),
    "an unknown formula": (cell("platforms", "tiktok", "note", "#NAME?"), "platforms.csv", "is an error of a spreadsheet"),
    "title and publisher exchanged": (cited(title="Kuaishou Technology", publisher="A report"), "citations.csv", "right would be the two exchanged"),
    "a page read before it appeared": (cited(published_on="2026-11-20", read_on="2026-11-01"), "citations.csv", "published_on 2026-11-20 is after read_on"),
    "hours written as 7e14": (cell("training_disclosures", "D001", "value", "7e14"), "training_disclosures.csv", "right would be 700000"),
    "a share that is rounded in binary": (fact(platform_id="tiktok", metric="removed_share_of_published", unit="fraction", value="0.07", figure_as_stated="0.7%", originator="tiktok"), "platform_observations.csv", "right would be 0.007"),
    "a value times 1000": (cell("platform_observations", "F0225", "value", times(0.001)), "platform_observations.csv", "right would be 271000000"),
    "12 billion users": (fact(value="12000000000", figure_as_stated="12 billion"), "platform_observations.csv", "right would be at most 8300000000"),
    "a day of 2,000 minutes": (fact(metric="minutes_per_daily_user_per_day", unit="minutes", value="2000", figure_as_stated="2,000 minutes"), "platform_observations.csv", "right would be at most 480"),
    "access that ends before it begins": (both(cell("company_access", "X001", "valid_from", "2026-02"), cell("company_access", "X001", "valid_to", "2026-01-31")), "company_access.csv", "valid_from 2026-02 is after valid_to"),
    "evidence of 2031": (cell("company_access", "X001", "evidence_on", "2031"), "company_access.csv", "evidence_on is 2031"),
    "a release of 2099": (in_capture("ar-t2v-2026-07-24-dataset", ("released_as_stated",), lambda cells: ["2099"] * len(cells)), "leaderboard_entries_arena.csv", "released_as_stated is 2099"),
    "a model announced after its release": (cell("models", "firefly-video", "announced_on", "2025-03"), "models.csv", "announced_on 2025-03 is after released_on"),
    "a model that is its predecessor": (cell("models", "firefly-video", "predecessor_model_id", "firefly-video"), "models.csv", "leads from firefly-video back"),
    "two models that precede each other": (both(cell("models", "wan-2-1-14b", "base_model_id", "firefly-video"), cell("models", "firefly-video", "base_model_id", "wan-2-1-14b")), "models.csv", "base_model_id leads from"),
    "a platform in itself": (cell("platforms", "tiktok", "parent_platform_id", "tiktok"), "platforms.csv", "leads from tiktok back"),
    "a platform launched in 2031": (cell("platforms", "tiktok", "launched_on", "2031"), "platforms.csv", "launched_on is 2031"),
    "a platform closed before its launch": (cell("platforms", "tiktok", "closed_on", "2016"), "platforms.csv", "launched_on 2017-09 is after closed_on 2016"),
    "two owners at once": (row("platform_ownership", {"platform_id": "x", "company_id": "google", "geography": "global", "valid_from": "2026-01-01", "kind": "owner", "verification": "page_read", "citation_id": "C9901"}), "platform_ownership.csv", "xai and google own x at once"),
    "shares beyond the whole": (row("platform_ownership", {"platform_id": "x", "company_id": "google", "geography": "global", "owner_share": "0.2", "kind": "minority", "verification": "page_read", "citation_id": "C9901"}), "platform_ownership.csv", "shares of at most 1"),
    "an owner of all but China beside that of the US": (cell("platform_ownership", "tiktok", "valid_to", ""), "platform_ownership.csv", "own tiktok at once"),
    "an owner of a country beside that of the world": (row("platform_ownership", {"platform_id": "x", "company_id": "google", "geography": "de", "valid_from": "2027-01-01", "kind": "owner", "verification": "page_read", "citation_id": "C9901"}), "platform_ownership.csv", "own x at once"),
    "an owner from a day after the last": (cell("platform_ownership", "tiktok", "valid_from", "2026-02"), "platform_ownership.csv", "valid_from 2026-02 is after valid_to"),
    "an alias of 2031": (row("entry_aliases", ALIAS | {"entry_key": "new", "valid_from": "2031-01-01"}), "entry_aliases.csv", "valid_from is 2031-01-01"),
    "an alias with another lab": (row("entry_aliases", ALIAS | {"entry_key": "new", "lab_id": "google"}), "entry_aliases.csv", "right would be bfl"),
    "a disclosure of another company": (cell("training_disclosures", "D055", "company_id", "pinterest"), "training_disclosures.csv", "counts to pinterest"),
    "quantiles out of order": (cell("assumptions", "A001", "p05", "25"), "assumptions.csv", "right would be this order"),
    "a negative length": (cell("assumptions", "A001", "p05", "-17"), "assumptions.csv", "right would be"),
    "a share in per cent": (cell("assumptions", "A056", "p95", "75"), "assumptions.csv", "right would be values between 0 and 1"),
    "seconds as milliseconds": (both(*(cell("assumptions", "A001", column, times(1000)) for column in ("p05", "p50", "p95"))), "assumptions.csv", "lengths of at most three hours"),
    "seconds as minutes": (cell("assumptions", "A001", "unit", "minutes"), "assumptions.csv", "is not one of"),
    "a day of decisions times 1000": (cell("dsa_daily_totals", "2023-09-26", "n_statements_counted", "3119735000"), "dsa_daily_totals.csv", "right would be near each other"),
    "parameters instead of billions": (cell("models", "wan-2-1-14b", "parameters_billion", "14000000000"), "models.csv", "is above"),
    "the letter O in a resolution": (cell("models", "firefly-video", "max_resolution", "1O80p"), "models.csv", "does not match"),
    "a word that is not allowed": (fact(metric="users_monthly"), "platform_observations.csv", "is not one of"),
    "more daily users than monthly ones": (fact(platform_id="kuaishou", geography="china", metric="daily_active_users", value="900000000", figure_as_stated="900 million", period_start_on="2025-10-01", period_end_on="2025-12-31", originator="kuaishou"), "platform_observations.csv", "right would be at most these"),
    "34 billion uploads a day": (fact(**DAY_OF_UPLOADS, value="34000000000", figure_as_stated="34 billion"), "platform_observations.csv", "right would be at most 2000000000"),
    "52 trillion uploads a day": (fact(**DAY_OF_UPLOADS, value="52000000000000", figure_as_stated="52 trillion"), "platform_observations.csv", "right would be at most 2000000000"),
    "daily users of a village": (fact(metric="daily_active_users", value="900", figure_as_stated="900"), "platform_observations.csv", "right would be at least 10000"),
    "no monthly users": (fact(value="0", figure_as_stated="0"), "platform_observations.csv", "right would be at least 10000"),
    "uploads of a third of a second": (fact(metric="mean_duration_of_uploads_seconds", unit="seconds", value="0.3", figure_as_stated="0.3 seconds"), "platform_observations.csv", "right would be at least 0.5"),
    "a day without sleep": (fact(metric="minutes_per_daily_user_per_day", unit="minutes", value="1439", figure_as_stated="1,439 minutes"), "platform_observations.csv", "right would be at most 480"),
    "nine tenths removed": (fact(platform_id="tiktok", metric="removed_share_of_published", unit="fraction", value="0.9", figure_as_stated="90%", originator="tiktok"), "platform_observations.csv", "out of reach; right would be"),
    "a removed share in percent": (fact(platform_id="tiktok", metric="removed_share_of_published", unit="fraction", value="75", figure_as_stated="75", originator="tiktok"), "platform_observations.csv", "right would be at most 0."),
    "works counted as videos": (cell("platform_observations", "F0262", "unit", "videos_per_day"), "platform_observations.csv:263", "right would be works_per_day"),
    "another unit in the other of two rows": (cell("platform_observations", "F0686", "unit", "videos_per_day"), "platform_observations.csv:686", "right would be works_per_day"),
    "two units of which neither is the metric's": (both(fact(platform_id="douyin", metric="hours_uploaded_total", unit="minutes", value="480", figure_as_stated="480", originator="bytedance")), "platform_observations.csv", "right would be hours"),
    "another value from the same page": (fact(period_start_on="2023-12-01", value="3060000000", figure_as_stated="3.06 billion", citation_id="C1357"), "platform_observations.csv", "is 3060000000.0 here and 3070000000.0 in line"),
    "letters that became question marks": (fact(note="Posts of K??ln, read as ???."), "platform_observations.csv", "question marks in place of letters"),
    "a letter that became a question mark": (fact(note="Uploads in M?nchen."), "platform_observations.csv", "question marks in place of letters"),
    "an apostrophe read in another encoding": (fact(note="The companyâ€™s users."), "platform_observations.csv", "letters read in another encoding"),
    "a letter read in another encoding": (fact(note="Users in MÃ¼nchen."), "platform_observations.csv", "letters read in another encoding"),
    "Chinese read in another encoding": (fact(note="å¿«æ‰‹"), "platform_observations.csv", "letters read in another encoding"),
    "a file without a byte": (whole_file("platforms", lambda _: ""), "platforms.csv", "platforms.csv is empty"),
    "semicolons between cells": (whole_file("platforms", lambda text: text.replace(",", ";")), "platforms.csv", "separated by semicolons, not by commas"),
    "tabs between cells": (whole_file("platforms", lambda text: text.replace(",", "\t")), "platforms.csv", "separated by tabs, not by commas"),
    "two names of columns exchanged": (edited("platform_observations", "fact_id,platform_id,metric", "metric,platform_id,fact_id"), "platform_observations.csv:1", "the columns metric and fact_id are exchanged"),
    "uploads before the launch": (fact(**DAY_OF_UPLOADS, platform_id="tiktok", value="1000000", figure_as_stated="1 million", period_start_on="2011-01-01", period_end_on="2011-12-31", originator="tiktok"), "platform_observations.csv", "is outside its life, from 2017-09 to now"),
    "users after the closing": (fact(platform_id="vine", value="1000000", figure_as_stated="1 million", period_start_on="2022-01-01", period_end_on="2022-12-31", originator="vine"), "platform_observations.csv", "is outside its life, from 2013-01 to 2017-01"),
    "more users than people": (fact(geography="us", value="3400000000", figure_as_stated="3.4 billion"), "platform_observations.csv", "right would be at most 400000000"),
    "more users in a country than in the world": (fact(platform_id="x", geography="us", metric="daily_active_users", value="300000000", figure_as_stated="300 million", originator="xai"), "platform_observations.csv", "right would be at most 259400000"),
    "a rate a month over ten years": (fact(metric="uploads_per_month", unit="videos_per_month", value="1000000", figure_as_stated="1 million", period_start_on="2014-01-01", period_end_on="2023-12-31"), "platform_observations.csv", "right would be at most 400 days"),
    "more than, as exact": (fact(bound="exact", figure_as_stated="more than 3.07 billion"), "platform_observations.csv", "right would be at_least"),
    "less than, as at least": (fact(bound="at_least", figure_as_stated="less than 3.07 billion"), "platform_observations.csv", "right would be at_most"),
    "nearly, as exact": (fact(bound="exact", figure_as_stated="nearly 3.07 billion"), "platform_observations.csv", "right would be about"),
    "a phrase without a number": (fact(figure_as_stated="a great many"), "platform_observations.csv", "holds no number"),
    "a size with its bound turned": (row("company_resources", SIZE | {"is_usable": "false", "unusable_reason": "unverified", "figure_as_stated": "over 43,873 million"}), "company_resources.csv", "right would be at_least"),
    "a fact twice": (fact(period_start_on="2023-12-01", value="3070000000", citation_id="C1357"), "platform_observations.csv", "right would be one of them"),
    "a fact twice, once as unusable": (fact(period_start_on="2023-12-01", value="3070000000", citation_id="C1357", is_usable="false", unusable_reason="several_platforms"), "platform_observations.csv", "right would be one of them"),
    "a correction of another platform": (fact(supersedes_fact_id="F0001"), "platform_observations.csv", "right would be one platform and metric"),
    "a correction of another metric": (fact(supersedes_fact_id="F0711"), "platform_observations.csv", "right would be one platform and metric"),
    "a filing of a company about another's platform": (fact(originator="google"), "platform_observations.csv", "originator google does not own facebook; right would be meta"),
    "a row that was read in an excerpt": (fact(citation_id="C1041", source_kind="press", tier="3", period_start_on="2019-01-01", period_end_on="2019-12-31"), "platform_observations.csv", "right would be search_excerpt"),
    "an official file in a newspaper": (fact(citation_id="C1041", source_kind="official_file", verification="search_excerpt", period_start_on="2019-01-01", period_end_on="2019-12-31"), "platform_observations.csv", "right would be 3 or more"),
    "alleged access in the baseline": (row("company_access", ACCESS | {"company_id": "bytedance", "access_kind": "alleged", "status": "alleged"}), "company_access.csv", "right would be false"),
    "first-party access to another's platform": (row("company_access", ACCESS | {"company_id": "openai"}), "company_access.csv", "right would be another kind, or google"),
    "first-party access after the sale": (row("company_access", ACCESS | {"company_id": "sharechat", "platform_id": "mx-takatak", "valid_to": "2021-12-31"}), "company_access.csv", "which it does not own then"),
    "a pair of one model": (row("dose_pairs", PAIR | {"model_id_to": "wan-2-1-14b"}), "dose_pairs.csv", "right would be a later model after an earlier one"),
    "a pair turned round": (row("dose_pairs", PAIR | {"model_id_from": "wan-2-2-5b", "model_id_to": "wan-2-1-14b"}), "dose_pairs.csv", "right would be a later model after an earlier one"),
    "a pair of one disclosure": (row("dose_pairs", PAIR | {"disclosure_id_to": "D158"}), "dose_pairs.csv", "right would be two disclosures"),
    "two research expenses of a year": (row("company_resources", SIZE | {"value": "44000000000", "value_usd": "44000000000", "figure_as_stated": "44 billion"}), "company_resources.csv", "right would be one of them"),
    "research beyond any company": (both(cell("company_resources", "R013", "value", "3950000000000"), cell("company_resources", "R013", "value_usd", "3950000000000")), "company_resources.csv", "right would be at most 1000000000000"),
    "research of a tenth": (both(cell("company_resources", "R013", "value", "4387300000"), cell("company_resources", "R013", "value_usd", "4387300000")), "company_resources.csv", "in the years around; right would be near that"),
    "78 people for 79 thousand": (row("company_resources", HEADS | {"quantity": "headcount", "as_of_on": "2024-12-31", "value": "78", "figure_as_stated": "78"}), "company_resources.csv", "right would be at least"),
    "1e15 hours of sound": (cell("training_disclosures", "D001", "value", "1e15"), "training_disclosures.csv", "right would be at most 10000000000"),
    "a predecessor that is later": (cell("models", "wan-2-1-14b", "predecessor_model_id", "wan-2-5-preview"), "models.csv", "right would be a later model after an earlier one"),
    "open weights that are proprietary": (cell("models", "wan-2-1-14b", "license", "proprietary"), "models.csv", "or the licence of the weights"),
    "two models of one name": (cell("models", "wan-2-2-5b", "model_name", "wan 2.1-14B"), "models.csv", "right would be one of them"),
    "two platforms of one name": (cell("platforms", "vine", "name", "Tik Tok"), "platforms.csv", "right would be one of them"),
    "two labs of one name": (cell("labs", "bytedance", "name", "Kling AI Kuaishou"), "labs.csv", "right would be one of them"),
    "a key on no board": (row("entry_aliases", ALIAS | {"entry_key": "never-listed"}), "entry_aliases.csv", "is in no capture of arena"),
    "a page under two ids": (cited(url="http://arxiv.org/abs/2506.09113/", title="Seedance", published_on="2025-06-10"), "citations.csv", "right would be that id in place of C9901"),
    "a search as a page": (cited(url="https://www.google.com/search?q=tiktok"), "citations.csv", "right would be the page itself"),
    "a page of this machine": (cited(url="http://localhost:8080/report"), "citations.csv", "right would be the page itself"),
    "a page of a private network": (cited(url="http://192.168.1.20/report"), "citations.csv", "right would be the page itself"),
    "a machine without a page": (cited(url="https://93.184.216.34/"), "citations.csv", "right would be the page itself"),
}  # fmt: skip


@pytest.mark.parametrize("what", MISTAKES)
def test_g06_a_mistake_in_the_facts_is_refused_with_its_line_and_what_would_be_right(reference: Path, what: str) -> None:
    edit, file, words = MISTAKES[what]
    edit(reference)
    with pytest.raises(ContentError) as refused:
        check_rules(reference, read_reference(reference), TODAY)
    assert file in refused.value.where + refused.value.what
    assert words in refused.value.what + refused.value.fix


@pytest.mark.parametrize("n_broken", [5, 6])
def test_of_the_rows_that_break_a_rule_five_are_named_and_the_others_are_counted(tree: Path, n_broken: int) -> None:
    folder = tree / "data" / "reference"
    lines = [f"p{'abcdef'[n]},{n + 1}.0,2026-03-01" for n in range(n_broken)]
    (folder / "facts.csv").write_text("\n".join(["platform_id,uploads,stated_on", *lines]) + "\n")
    (folder / "rules").mkdir()
    (folder / "rules" / "never.sql").write_text(
        "/*---\ndescription: Nothing is right.\nfix: none.\n---*/\nselect 'facts' as file_name, line, platform_id as wrong from facts\n"
    )
    with pytest.raises(ContentError) as refused:
        check_rules(folder, read_reference(folder), TODAY)
    first, *named = refused.value.what.splitlines()
    assert first == f"Nothing is right. {n_broken} row(s) break this rule:"
    more = ["  … and 1 more"] if n_broken == 6 else []
    assert named == [f"  facts.csv:{n + 2}: p{'abcdef'[n]}" for n in range(5)] + more


def test_every_broken_rule_is_reported_at_once_each_with_its_fix(tree: Path) -> None:
    folder = tree / "data" / "reference"
    (folder / "facts.csv").write_text("platform_id,uploads,stated_on\npa,1.0,2026-03-01\n")
    (folder / "rules").mkdir()
    for name, fix in (("first", "do one"), ("second", "do two")):
        (folder / "rules" / f"{name}.sql").write_text(
            f"/*---\ndescription: The {name} rule.\nfix: {fix}.\n---*/\nselect 'facts' as file_name, line, '{name}' as wrong from facts\n"
        )
    with pytest.raises(ContentError) as refused:
        check_rules(folder, read_reference(folder), TODAY)
    assert refused.value.what.splitlines() == [
        line
        for name, fix in (("first", "do one"), ("second", "do two"))
        for line in (f"The {name} rule. 1 row(s) break this rule:", f"  facts.csv:2: {name}", f"  fix: {fix}.")
    ]
    assert refused.value.where.endswith("facts.csv:2")


CORRECT: dict[str, Edit] = {
    "monthly users from a filing": fact(),
    "daily users from a statement": fact(platform_id="x", metric="daily_active_users", value="250000000", figure_as_stated="250 million", originator="xai", source_kind="official_statement", tier="2"),
    "a later quarter": fact(platform_id="tiktok", metric="videos_removed", unit="videos", value="190000000", figure_as_stated="190,000,000", originator="tiktok", source_kind="official_file"),
    "a value in hundreds of millions": fact(value="307000000", figure_as_stated="3.07亿", period_start_on="2009-12-01", period_end_on="2009-12-31"),
    "another floor from the same page": fact(period_start_on="2023-12-01", value="3060000000", bound="at_least", figure_as_stated="over 3.06 billion", citation_id="C1357", tier="3", verification="search_excerpt", source_kind="press"),
    "a question and an address with a question mark": fact(note="Who posts? See https://example.org/a?b=c; café, São Paulo, ÅÄÖ, 快手"),
    "a decimal comma": fact(value="3070000000", figure_as_stated="3,07 miliardi"),
    "the middle of a stated range": fact(value="3070000000", figure_as_stated="3.04 to 3.1 billion"),
    "a title in Russian with a Latin name": cited(title="Отчёт TikTok за 2025 год"),
    "a projection for 2030": both(cell("company_resources", "R009", "fiscal_year", "2030"), cell("company_resources", "R009", "as_of_on", "2030-12-31"), cell("company_resources", "R009", "basis", "projection")),
    "a value within a printed range": fact(value_low="3000000000", value_high="3100000000"),
    "a correction of an older row": fact(supersedes_fact_id="F0710"),
    "a whole board": capture(5, ()),
    "two of a board, as partial": capture(2, (), status="partial"),
    "ratings that are tied": capture(5, (999, 999)),
    "an alias of a key that is newer than the captures": row("entry_aliases", ALIAS | {"entry_key": "new", "valid_from": "2026-11-20"}),
    "about for a phrase with nearly": fact(figure_as_stated="nearly 3.07 billion"),
    "as many daily users as monthly ones": fact(metric="daily_active_users"),
    "the last month before a platform closed": fact(platform_id="vine", value="100000000", figure_as_stated="100 million", period_start_on="2017-01-01", period_end_on="2017-01-31", originator="vine", source_kind="press"),
    "a statement about a platform by another company in the press": fact(originator="google", source_kind="press"),
    "another document of a repository": cited(url="https://github.com/smol-ai/ainews-web-2025", title="Another issue", published_on="2025-05-13"),
    "a size that is contradicted and not usable": row("company_resources", SIZE | {"is_usable": "false", "unusable_reason": "unverified"}),
    "a year of fast growth": row("company_resources", SIZE | {"fiscal_year": "2026", "as_of_on": "2026-10-31", "value": "90000000000", "value_usd": "90000000000", "figure_as_stated": "90 billion"}),
    "a change of ownership next January": both(
        cell("platform_ownership", "x", "valid_to", "2026-12-31"),
        row("platform_ownership", {"platform_id": "x", "company_id": "google", "geography": "global", "valid_from": "2027-01-01", "kind": "owner", "verification": "page_read", "citation_id": "C9901"}),
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", CORRECT)
def test_a_correct_fact_is_taken(reference: Path, what: str) -> None:
    CORRECT[what](reference)
    assert check_rules(reference, read_reference(reference), TODAY) == len(list((reference / "rules").glob("*.sql"))) > 0


def test_a_source_that_is_as_the_scaffold_wrote_it_is_refused(tmp_path: Path) -> None:
    folder = write_source(Settings(tmp_path, tmp_path / "data"), "example_board")
    with pytest.raises(ContentError, match="is what new-source wrote") as refused:
        check_filled(read_source(folder))
    assert refused.value.where.endswith("source.yml:4")


def test_the_id_of_a_source_that_exists_is_refused(tmp_path: Path) -> None:
    write_source(Settings(tmp_path, tmp_path / "data"), "example_board")
    with pytest.raises(UsageError, match="there is a source called example_board already"):
        write_source(Settings(tmp_path, tmp_path / "data"), "example_board")


def test_a_bound_without_its_reason_is_refused(tmp_path: Path) -> None:
    folder = write_source(Settings(tmp_path, tmp_path / "data"), "example_board")
    path = folder / "source.yml"
    path.write_text(path.read_text().replace(', reason: "How many left at most between two answers, and when."', ""))
    with pytest.raises(ContentError, match=r"gone\.reason"):
        read_source(folder)


@pytest.mark.parametrize(
    "lines", ["a: &a [*a]\n", "".join(f"k{n}: &k{n} [{', '.join([f'*k{n - 1}'] * 9 if n else ['x'] * 9)}]\n" for n in range(12))]
)
def test_aliases_nested_without_end_are_refused_at_once(tmp_path: Path, lines: str) -> None:
    folder = tmp_path / "bomb"
    folder.mkdir()
    (folder / "source.yml").write_text(lines)
    began = process_time()
    with pytest.raises(ContentError, match="alias"):
        read_source(folder)
    assert process_time() - began < 1


def test_aliases_may_stand_for_as_many_values_as_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.yml"
    path.write_text("a: &a [1, 2]\nb: [*a, *a]\n")  # a mapping with two keys, a list of two, and a list of two such lists
    for most, is_read in ((13, True), (12, False)):
        monkeypatch.setattr("datamoat.project.yaml_files.MOST_NODES", most)
        if is_read:
            assert read_yaml(path) == {"a": [1, 2], "b": [[1, 2], [1, 2]]}
        else:
            with pytest.raises(ContentError, match="aliases that stand for 12 values"):
                read_yaml(path)
    path.write_text("a: {b: 1, b: 2}\n")
    with pytest.raises(ContentError, match="key given twice: b"):
        read_yaml(path)


@pytest.fixture
def content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a copy of the content that `datamoat check` runs on."""
    for name in ("transforms", "expectations", "reports", "data/reference"):
        shutil.copytree(CHECKOUT / name, tmp_path / name)
    monkeypatch.setenv("DATAMOAT_ROOT", str(tmp_path))
    monkeypatch.setenv("DATAMOAT_DATA", str(tmp_path / "empty"))
    return tmp_path


def checked() -> DatamoatError | None:
    done = CliRunner().invoke(app, ["check"])
    return done.exception if isinstance(done.exception, DatamoatError) else None


MODEL = "transforms/staging/epoch_models/stg_epoch_models__video_models.sql"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (
            "link as url",
            "link as web_address",
            "column 'web_address' of staging.stg_epoch_models__video_models has no definition",
        ),
        ("grain: [list_name,", "grain: [list_title,", "names 'list_title', which is no column of it"),
        ("confidence,\n", "model as confidence_typo,\n", "'confidence_typo'"),
        ("nth::integer as nth", "nth as nth", "is BIGINT, and the dictionary states INTEGER"),
        ("_request as list_name", "_requested as list_name", "does not bind"),
    ],
)
def test_a_model_that_breaks_its_promise_is_found_without_a_build(content: Path, old: str, new: str, words: str) -> None:
    path = content / MODEL
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))
    failure = checked()
    assert isinstance(failure, ModelFailedError)
    assert words in failure.what
    assert failure.where.endswith(".sql")


def test_the_content_as_it_stands_is_in_order_in_less_than_five_seconds(content: Path) -> None:
    began = process_time()
    assert checked() is None
    assert process_time() - began < 5


def test_a_fact_is_added_with_the_next_id_and_one_that_breaks_a_rule_changes_no_file(content: Path) -> None:
    def add(*words: str) -> str:
        done = CliRunner().invoke(app, ["add", *words])
        if isinstance(done.exception, DatamoatError):
            return str(done.exception)
        assert done.exit_code == 0, done.exception
        return done.output

    reference = content / "data" / "reference"
    message = add("citation", "title=A report")
    assert "citation needs 4 more values" in message
    assert "verification=…" in message
    assert "one of page_read, search_excerpt, snapshot, UNVERIFIED" in message
    page = [
        "title=A report",
        "publisher=A publisher",
        "published_on=2024-02-02",
        "read_on=2026-11-01",
        "verification=page_read",
        "tier=1",
    ]
    source_id = rows_of(reference / "citations.csv")[1][-1]
    output = add("citation", *page, "source_kind=filing", f"source_id={source_id}")
    citation = output.split(" written, ")[0]
    (line,) = (row for row in rows_of(reference / "citations.csv") if row[0] == citation)
    assert line[1:3] == ["A report", "A publisher"]
    before = (reference / "platform_observations.csv").read_bytes()
    values = [
        "platform_id=facebook", "metric=monthly_active_users", "bound=about", "unit=users", "period_start_on=2023-12-01",
        "period_end_on=2023-12-31", "period_basis=stated", "geography=global", "originator=meta", "source_kind=filing", "tier=1",
        "verification=page_read", "is_usable=true", "figure_as_stated=3.07 billion", f"citation_id={citation}",
    ]  # fmt: skip
    assert "right would be 3070000000" in add("fact", *values, "value=3.07")
    assert (reference / "platform_observations.csv").read_bytes() == before
    assert "has no column colour" in add("fact", *values, "colour=red")
    newest = max(line[0] for line in rows_of(reference / "platform_observations.csv")[1:])
    assert add("fact", *values, "value=3070000000").startswith(f"F{int(newest[1:]) + 1:04d} written, ")
    added = set(map(tuple, rows_of(reference / "platform_observations.csv"))) - set(
        map(tuple, csv.reader(before.decode().splitlines()))
    )
    assert [line[0] for line in added] == [f"F{int(newest[1:]) + 1:04d}"]


NUMBERED = [
    ["C1001", "press"],
    ["C1002", "press"],
    ["C2001", "press"],
    ["C2009", "boards"],
    ["C2999", "boards"],
    ["C3000", "days"],
    ["C9001", "x"],
]
SOURCED = {"resources": [{"name": "citations", "path": "citations.csv", "schema": {"primaryKey": ["id"],
    "fields": [{"name": "id", "type": "string", "constraints": {"pattern": "^C[0-9]{4,}$", "unique": True}}, {"name": "source_id", "type": "string"}],
}}]}  # fmt: skip


@pytest.mark.parametrize(
    ("source_id", "given"),
    [("press", "C1003"), ("boards", "C3001"), ("days", "C3001"), ("x", "C9002"), ("of no row", "C9002"), ("", "C9002")],
)
def test_an_id_is_the_next_free_one_of_the_thousand_in_which_most_rows_of_its_source_are(
    tmp_path: Path, source_id: str, given: str
) -> None:
    write(tmp_path / "citations.csv", [["id", "source_id"], *NUMBERED])
    (tmp_path / "datapackage.json").write_text(json.dumps(SOURCED))
    (kind,) = read_kinds(tmp_path).values()
    ((line, key),) = add_rows(tmp_path, [(kind, {"source_id": source_id})], TODAY)
    assert key == given
    assert rows_of(tmp_path / "citations.csv")[line - 1] == [given, source_id]


def test_two_rows_added_together_get_two_ids(tmp_path: Path) -> None:
    write(tmp_path / "citations.csv", [["id", "source_id"], *NUMBERED])
    (tmp_path / "datapackage.json").write_text(json.dumps(SOURCED))
    (kind,) = read_kinds(tmp_path).values()
    assert [key for _, key in add_rows(tmp_path, [(kind, {"source_id": "press"})] * 2, TODAY)] == ["C1003", "C1004"]


def test_a_terminal_prompts_for_no_numbered_id_and_the_id_given_is_printed(
    content: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    prompted: list[str] = []
    page = {"title": "A report", "publisher": "A publisher", "published_on": "2024-02-02", "read_on": "2026-11-01", "tier": "1",
            "verification": "page_read", "source_kind": "filing", "source_id": "press"}  # fmt: skip

    def prompt(words: str, **_: object) -> str:
        prompted.append(words.split(" ", maxsplit=1)[0])
        return page.get(prompted[-1], "")

    monkeypatch.setattr("datamoat.cli.contribute.typer.prompt", prompt)
    monkeypatch.setattr("datamoat.cli.contribute.sys.stdin", type("Terminal", (), {"isatty": lambda _: True})())
    add_by_hand("citation")
    path = content / "data" / "reference" / "citations.csv"
    assert prompted == rows_of(path)[0][1:]
    key = capsys.readouterr().out.splitlines()[-1].split(" written, ")[0]
    assert [row[1] for row in rows_of(path) if row[0] == key] == ["A report"]


def test_a_capture_is_added_with_its_entries(content: Path) -> None:
    entries = content / "entries.csv"
    write(
        entries,
        [["capture_id", "entry_key", "entry_name", "listed_rank", "is_ranked", "rating"]]
        + [["aa-t2v-made", f"made-{n}", f"Made {n}", str(n + 1), "true", str(1000 - n)] for n in range(5)],
    )
    capture_words = [
        "capture_id=aa-t2v-made", "board_id=aa_text_to_video", "captured_on=2026-11-20", "route=page", "status=ok",
        "verification=page_read", "tier=2", "citation_id=C1001",
    ]  # fmt: skip
    alone = CliRunner().invoke(app, ["add", "capture", *capture_words])
    assert "is ok with 0 entries" in str(alone.exception)
    done = CliRunner().invoke(
        app, ["add", "capture", *capture_words, "--with", f"leaderboard_entries_artificial_analysis={entries}"]
    )
    assert done.exit_code == 0, done.exception
    check_rules(content / "data" / "reference", read_reference(content / "data" / "reference"), TODAY)


def test_the_page_of_vocabularies_names_every_column_with_what_it_takes() -> None:
    page = vocabulary_page(CHECKOUT / "data" / "reference")
    for kind in read_kinds(CHECKOUT / "data" / "reference").values():
        assert f"## {kind.path.stem}\n" in page
        assert all(f"`{field.name}`" in page for field in kind.fields)
    assert "one of exact, about, at_least, at_most" in page
