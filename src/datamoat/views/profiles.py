"""Profiles: pages about one thing, which the content tree declares as SQL.

A folder of `reports/profiles/` is one profile. Its `profile.yml` states what a page is about and which values there are; its SQL
files are sections, which read the value as `getvariable('NAME')`.
"""

import difflib
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from datamoat.errors import ContentError, UsageError
from datamoat.project.yaml_files import read_yaml
from datamoat.storage.lake import identifier
from datamoat.views.sections import Section, read_sections

PROFILES = Path("reports") / "profiles"
DECLARES = "profile.yml"
CLOSE = 0.65  # how alike an id must be to be offered for what was typed; two ids of five letters that share three are less
KEYS = {"description", "argument", "about_argument", "example", "values"}


@dataclass(frozen=True)
class Profile:
    """What `profile.yml` declares.

    Attributes:
        description: What a page shows, in one sentence.
        argument: The name of the variable that the sections read.
        about_argument: What to give for it.
        example: A value of it.
        values: SQL with one column, `value`, the values there are; empty if the argument is a day.
        folder: The folder of the sections.
    """

    description: str
    argument: str
    about_argument: str
    example: str
    values: str
    folder: Path


@dataclass(frozen=True)
class Page:
    """One filled profile, and the build it is from."""

    value: str
    build_id: str
    as_of: date
    sections: tuple[Section, ...]


def profile_names(content: Path) -> list[str]:
    """Return the names of the profiles of a content tree."""
    return sorted(path.parent.name for path in (content / PROFILES).glob(f"*/{DECLARES}"))


def find_profile(content: Path, name: str) -> Profile:
    """Return a profile by its name.

    Raises:
        ContentError: Its declaration has other keys.
    """
    path = content / PROFILES / name / DECLARES
    declared: dict[str, Any] = read_yaml(path)
    if set(declared) != KEYS:
        raise ContentError(f"it has {sorted(declared)}", str(path), f"give it {', '.join(sorted(KEYS))}.")
    return Profile(**{key: str(value or "") for key, value in declared.items()}, folder=path.parent)


def read_profile(con: duckdb.DuckDBPyConnection, profile: Profile, given: str) -> Page:
    """Return the page about one value.

    Args:
        con: A connection to the published file.
        profile: The profile.
        given: The value, as it was typed.

    Raises:
        UsageError: There is no such value; similar ones are named.
        ContentError: A section does not run.
    """
    value: str | date = given
    if profile.values:
        known = [str(row[0]) for row in con.sql(f"select value from ({profile.values}) order by value").fetchall()]
        if given not in known:
            near = difflib.get_close_matches(given, known, 3, CLOSE)
            fix = f"did you mean {' or '.join(near)}?" if near else f"take one of: {', '.join(known)}."
            raise UsageError(f"there is no {profile.argument} {given!r}", "the published file", fix)
    else:
        try:
            value = date.fromisoformat(given)
        except ValueError as failure:
            raise UsageError(f"{given!r} is not a day", "the command line", f"write it as {profile.example}.") from failure
    con.execute(f"set variable {identifier(profile.argument)} = $value", {"value": value})
    build_id, as_of = con.sql("select build_id, as_of from meta.build").fetchall()[0]
    return Page(given, build_id, as_of, tuple(read_sections(con, profile.folder)))
