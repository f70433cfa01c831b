"""Days of decisions in the publisher's layout, of any size, whose counts are known because they are made row by row.

A day is a ZIP (stored) of ZIPs (deflated) of CSV files of 100,000 rows, with a checksum beside it. Rows are drawn from
a pool of written rows, each of a known cell: about 1,200 bytes a row, and a sixteenth of that zipped (the publisher's
have 1,030 and a twentieth). A day larger than a few million rows holds each inner ZIP several times under different names, so that making it
costs no more than the disk.
"""

import hashlib
import io
import json
import sys
import zipfile
from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np

FULL = (  # noqa: SIM905  (as the publisher writes it)
    "uuid,decision_visibility,decision_visibility_other,end_date_visibility_restriction,decision_monetary,decision_monetary_other,"
    "end_date_monetary_restriction,decision_provision,end_date_service_restriction,decision_account,end_date_account_restriction,"
    "account_type,decision_ground,decision_ground_reference_url,illegal_content_legal_ground,illegal_content_explanation,"
    "incompatible_content_ground,incompatible_content_explanation,incompatible_content_illegal,category,category_addition,"
    "category_specification,category_specification_other,content_type,content_type_other,content_language,content_date,"
    "content_id_ean,territorial_scope,application_date,decision_facts,source_type,source_identity,automated_detection,"
    "automated_decision,platform_name,platform_uid,created_at"
).split(",")
AGGREGATE = (  # noqa: SIM905
    "automated_decision,automated_detection,category,content_type_single,decision_account,decision_ground,decision_monetary,"
    "decision_provision,decision_visibility_single,received_date,source_type,platform_name,total"
).split(",")
PLATFORMS = ("TikTok", "YouTube", "Facebook", "Instagram", "Snapchat", "Made Shop")
CONTENT = {
    '["CONTENT_TYPE_VIDEO"]': "video",
    '["CONTENT_TYPE_VIDEO","CONTENT_TYPE_TEXT"]': "video_and_other",
    '["CONTENT_TYPE_SYNTHETIC_MEDIA"]': "synthetic",
    '["CONTENT_TYPE_OTHER"]': "other",
    '["CONTENT_TYPE_PRODUCT"]': "no_video",
}
DECISIONS = {
    ('["DECISION_VISIBILITY_CONTENT_REMOVED"]', ""): "removed",
    ('["DECISION_VISIBILITY_CONTENT_DISABLED"]', ""): "disabled",
    ('["DECISION_VISIBILITY_CONTENT_DEMOTED"]', ""): "restricted",
    ("", "DECISION_ACCOUNT_SUSPENDED"): "account",
    ("", ""): "none",  # a restriction of payments
}
AGES = {None: "unknown", -20_000: "impossible", 400: "impossible", 0: "0-1", -5: "2-7", -20: "8-30", -300: "over 30"}
STATES = json.dumps(["AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IT", "LT", "LU", "LV",
                     "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK"], separators=(",", ":"))  # fmt: skip
STEMS = ("post", "clip", "live stream", "comment", "profile", "listing")
REASONS = (  # as long as the publisher's texts: some hundred bytes, most of them the same from one decision to the next
    "was reviewed under the rules of the community after it was found, and was seen to show what they do not allow at any age",
    "was matched with items that were restricted before, and stays restricted while no complaint about it has been upheld",
    "was flagged by a person who uses the service, read again by a reviewer, and is limited in the places that are named here",
)
EXPLAINED = (
    "The rules of the community, in the version that was in force on the day of the decision, do not allow content of this kind: "
)
Cell = tuple[str, date, str, str, bool, str]  # the grain of transforms/staging/dsa_statements/counts.sql


@dataclass
class Day:
    """One made day: where it lies, and what is in it.

    Attributes:
        counts: Number of decisions and of late ones by cell.
        n_rows: Rows listed, malformed ones included.
    """

    path: Path
    counts: dict[Cell, tuple[int, int]]
    n_rows: int
    n_malformed: int = 0


def quoted(text: str, *, backslash: bool = False) -> str:
    """Return a CSV field; with `backslash`, quotes inside it as the publisher writes some of them."""
    inner = text.replace('"', '\\"' if backslash else '""')
    return f'"{inner}"' if any(mark in text for mark in '",\n') else text


def pool_of_rows(
    day: date, size: int, random: np.random.Generator, *, backslash: bool
) -> tuple[list[bytes], list[tuple[Cell, bool]]]:
    """Return rows of a day as CSV lines, and the cell of each with whether it was late."""
    lines, cells = [], []
    contents, decisions, ages = list(CONTENT.items()), list(DECISIONS.items()), list(AGES.items())
    for n in range(size):
        platform = PLATFORMS[random.integers(len(PLATFORMS))]
        content, kind = contents[random.integers(len(contents))]
        (visibility, account), decision = decisions[random.integers(len(decisions))]
        age, bucket = ages[random.integers(len(ages))]
        automated, late = bool(random.integers(2)), bool(random.integers(8) == 0)
        noise = random.integers(0, 2**32, 8)
        stem, reason = STEMS[noise[5] % len(STEMS)], REASONS[noise[6] % len(REASONS)]
        facts = f'The {stem}, called "item {noise[7] % 1000}",\n{reason}, so that a decision was made. {EXPLAINED}{REASONS[noise[4] % len(REASONS)]}.'
        row = dict.fromkeys(FULL, "")
        row |= {
            "uuid": "".join(f"{value:08x}" for value in noise[:4]), "decision_visibility": visibility, "decision_account": account,
            "decision_monetary": "DECISION_MONETARY_SUSPENSION" if decision == "none" else "",
            "decision_ground": "DECISION_GROUND_INCOMPATIBLE_CONTENT", "incompatible_content_ground": "Rules of the community",
            "incompatible_content_explanation": EXPLAINED + reason, "category": "STATEMENT_CATEGORY_SCOPE",
            "content_type": content, "content_language": "DE", "territorial_scope": STATES,
            "content_date": "" if age is None else f"{day + timedelta(days=age)} 00:00:00",
            "application_date": f"{day - timedelta(days=40 if late else 1)} 00:00:00", "decision_facts": facts,
            "source_type": "SOURCE_VOLUNTARY", "automated_detection": "Yes" if automated else "No",
            "automated_decision": "AUTOMATED_DECISION_FULLY", "platform_name": platform, "platform_uid": f"{n}-{noise[0]:x}",
            "created_at": f"{day} {n % 24:02d}:00:00",
        }  # fmt: skip
        lines.append(
            (
                ",".join(quoted(value, backslash=backslash and name == "decision_facts") for name, value in row.items()) + "\n"
            ).encode()
        )
        cells.append(((platform, day, kind, decision, automated, bucket), late))
    return lines, cells


def write_day(
    folder: Path,
    day: date,
    n_rows: int,
    *,
    rows_a_file: int = 100_000,
    files_a_zip: int = 10,
    pool: int = 4_000,
    backslash: bool = False,
    n_malformed: int = 0,
    repeat: int = 1,
) -> Day:
    """Write one day in the publisher's layout and return what is in it.

    Args:
        folder: Where to write it.
        day: The day.
        n_rows: Well-formed rows that are made.
        rows_a_file: Rows of one CSV.
        files_a_zip: CSV files of one inner ZIP.
        pool: How many different rows there are.
        backslash: Whether quotes in the facts are written with a backslash.
        n_malformed: Lines with a column too few, in the first CSV, beside `n_rows`.
        repeat: How often each inner ZIP is in the day; it then has `repeat` times the rows.
    """
    random = np.random.default_rng(n_rows + day.toordinal())
    lines, cells = pool_of_rows(day, min(pool, max(n_rows, 1)), random, backslash=backslash)
    tally: Counter[tuple[Cell, bool]] = Counter()
    path = folder / f"sor-global-{day}-full.zip"
    folder.mkdir(parents=True, exist_ok=True)
    sizes = [min(rows_a_file, n_rows - start) for start in range(0, n_rows, rows_a_file)]
    header = (",".join(FULL) + "\n").encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as outer:
        for first in range(0, len(sizes), files_a_zip):
            inner_bytes = io.BytesIO()
            with zipfile.ZipFile(inner_bytes, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as inner:
                for number, size in enumerate(sizes[first : first + files_a_zip]):
                    chosen = random.integers(len(lines), size=size)
                    for index, times in enumerate(np.bincount(chosen, minlength=len(lines))):
                        if times:
                            tally[cells[index]] += int(times)
                    broken = b"broken,row\n" * n_malformed if first == 0 and number == 0 else b""
                    body = header + broken + b"".join([lines[index] for index in chosen.tolist()])
                    inner.writestr(f"sor-global-{day}-full-{first // files_a_zip:05d}-{number:05d}.csv", body)
            for again in range(repeat):
                number = first // files_a_zip * repeat + again
                outer.writestr(f"sor-global-{day}-full-{number:05d}.csv.zip", inner_bytes.getbuffer())
    with path.open("rb") as handle:
        path.with_name(path.name + ".sha1").write_text(f"{hashlib.file_digest(handle, 'sha1').hexdigest()}  {path.name}\n")
    counts: dict[Cell, tuple[int, int]] = {}
    for (cell, late), times in tally.items():
        all_of, late_of = counts.get(cell, (0, 0))
        counts[cell] = (all_of + repeat * times, late_of + repeat * times * late)
    return Day(path, counts, repeat * (n_rows + n_malformed), repeat * n_malformed)


def aggregate_day(
    day: date, n_groups: int, *, scale: int = 1, platforms: tuple[str, ...] = PLATFORMS
) -> tuple[str, dict[tuple[str, str, str, bool], int]]:
    """Return a file of daily aggregates with exactly `n_groups` rows, and its counts by platform, content, decision and detection."""
    contents = {
        "CONTENT_TYPE_VIDEO": "video",
        "CONTENT_TYPE_TEXT__CONTENT_TYPE_VIDEO": "video_and_other",
        "CONTENT_TYPE_SYNTHETIC_MEDIA": "synthetic",
        "CONTENT_TYPE_OTHER": "other",
        "CONTENT_TYPE_PRODUCT": "no_video",
    }
    decisions = {
        ("DECISION_VISIBILITY_CONTENT_REMOVED", ""): "removed",
        ("", "DECISION_ACCOUNT_SUSPENDED"): "account",
        ("DECISION_VISIBILITY_CONTENT_DEMOTED", ""): "restricted",
    }
    lines, counts = [",".join(AGGREGATE)], Counter[tuple[str, str, str, bool]]()
    for n in range(n_groups):
        platform = platforms[(n + day.toordinal()) % len(platforms)]  # no two days beside each other have the same counts
        content, kind = list(contents.items())[n // 7 % len(contents)]
        (visibility, account), decision = list(decisions.items())[n // 3 % len(decisions)]
        automated, total = bool(n // 2 % 2), scale * (n % 97 + 1)
        lines.append(
            f"AUTOMATED_DECISION_FULLY,{int(automated)},STATEMENT_CATEGORY_{n},{content},{account},DECISION_GROUND_{n},,,{visibility},{day},SOURCE_VOLUNTARY,{platform},{total}"
        )
        counts[platform, kind, decision, automated] += total
    return "\n".join(lines) + "\n", dict(counts)


if __name__ == "__main__":  # a day on disk, to try a command on: python publisher_days.py FOLDER DAY N_ROWS
    made = write_day(Path(sys.argv[1]), date.fromisoformat(sys.argv[2]), int(sys.argv[3]))
    print(f"{made.path}: {made.n_rows:,} rows, {len(made.counts):,} cells")  # noqa: T201
