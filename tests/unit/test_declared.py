"""What a content tree declares is read whole: every default, every limit on both sides, every name that must exist."""

import copy
import zlib
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import reduce
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest
import yaml
from pydantic import BaseModel

from datamoat.errors import ContentError
from datamoat.orchestration import notify, schedule
from datamoat.project.column_types import COLUMN_TYPES, croissant_type, frictionless_type, of_frictionless, polars_type
from datamoat.project.model import Model, Table
from datamoat.project.read import read_project
from datamoat.project.sources import Source, host_allowed, read_source, read_sources

REASON = "made for this test"
SMALLEST: dict[str, Any] = {
    "title": "A list",
    "kind": "leaderboards",
    "publisher": {"name": "P", "kind": "a lab", "url": "https://example.org"},
    "licence": {"name": "CC BY 4.0", "url": "https://example.org/terms"},
    "about": "A list.",
    "gaps": [],
    "fetch": {
        "protocol": "http",
        "every": "daily",
        "hosts": ["example.org"],
        "requests": {"list": {"about": "It.", "url": "https://example.org/a.json"}},
    },
    "tables": {
        "entries": {
            "about": "Entries.",
            "columns": {"name": "VARCHAR"},
            "grain": ["name"],
            "rows": {},
            "anomaly_checks": {
                "key": ["name"],
                "gone": {"max": 0.1, "reason": REASON},
                "new": {"max": 0.1, "reason": REASON},
                "nulls": {"*": {"max": 0.1, "reason": REASON}},
            },
        }
    },
}
STREAMED: dict[str, Any] = {
    **{name: value for name, value in SMALLEST.items() if name != "tables"},
    "kind": "streamed",
    "part": {"columns": {"a": "VARCHAR"}, "counts": {"a": "VARCHAR", "n": "BIGINT"}, "grain": ["a"], "total": "n"},
}
FULL = copy.deepcopy(SMALLEST)
FULL["tables"]["entries"] |= {
    "columns": {"name": "VARCHAR", "score": "DOUBLE", "votes": "BIGINT", "place": "BIGINT", "day": "DATE", "is_open": "BOOLEAN"},
    "required": ["score"],
    "known": "day",
}
FULL["tables"]["entries"]["anomaly_checks"] |= {
    "label": "name",
    "newest_of": "day",
    "nulls": {"*": {"max": 0.1, "reason": REASON}, "score": {"max": 0.2, "reason": REASON}},
    "route": {"column": "name", "columns": ["votes"]},
    "matches": [{"column": "name", "pattern": "a+", "least": 0.5, "fall": 0.1, "reason": REASON}],
    "steady": [{"columns": ["name"], "changed": {"max": 0, "reason": REASON}}],
    "score": {
        "column": "score",
        "votes": "votes",
        "rank": "place",
        **{name: {"max": 1, "reason": REASON} for name in ("shift", "stretch", "move")},
    },
    "measures": [
        {
            "column": "votes",
            "by": "name",
            "factor": {"max": 3, "reason": REASON},
            "step": {"along": "day", "power": 1, "least": 2, "reason": REASON},
        }
    ],
    "dates": [{"column": "day", "earliest": "2020-01-01", "reason": REASON}],
    "flags": [{"column": "is_open", "jump": {"max": 0.1, "reason": REASON}}],
}
TABLE = "tables.entries"
CHECKS = f"{TABLE}.anomaly_checks"


def edited(declared: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    """Return a declaration with one value replaced, or left out where the value is None."""
    made = copy.deepcopy(declared)
    *way, last = [int(key) if key.isdigit() else key for key in path.split(".")]
    inner = reduce(lambda found, key: found[key], way, made)
    if value is None:
        del inner[last]
    else:
        inner[last] = value
    return made


def plain(value: Any) -> Any:
    """Return a declaration as it was read, as plain dictionaries."""
    if isinstance(value, BaseModel):
        return {name: plain(each) for name, each in value}
    return {name: plain(each) for name, each in value.items()} if isinstance(value, Mapping) else value


@pytest.fixture
def read(tmp_path: Path) -> Callable[[dict[str, Any]], Source]:
    """Return a function that writes a `source.yml` and reads it."""

    def read_it(declared: dict[str, Any]) -> Source:
        folder = tmp_path / "example_list"
        folder.mkdir(exist_ok=True)
        (folder / "source.yml").write_text(yaml.safe_dump(declared), encoding="utf-8")
        return read_source(folder)

    return read_it


Read = Callable[[dict[str, Any]], Source]


def test_what_a_source_leaves_out_has_the_usual_value(read: Read) -> None:
    bound = {"max": 0.1, "per_day": 0.0, "ceiling": None, "note": None, "reason": REASON}
    found = plain(read(SMALLEST))
    assert found["licence"] == {
        "name": "CC BY 4.0", "url": "https://example.org/terms", "attribution": None, "may_plot": "not_stated",
        "may_redistribute": "not_stated", "must_credit": "yes", "terms_basis": "The terms were not read for this.",
    }  # fmt: skip
    assert found["fetch"] == {
        "protocol": "http", "every": "daily", "hosts": ("example.org",), "key": None, "max_megabytes": 20.0, "max_seconds": 60.0,
        "requests": {
            "list": {
                "about": "It.", "url": "https://example.org/a.json", "otherwise": (), "page": None, "link": None, "dataset": None,
                "file": None, "paging": None, "rows": None, "live": True,
            }
        },
    }  # fmt: skip
    assert found["tables"]["entries"] == {
        "about": "Entries.", "columns": {"name": "VARCHAR"}, "grain": ("name",), "required": (), "known": "_captured_on", "repeat": True,
        "rows": {"min": 1, "max": None, "reason": None},
        "anomaly_checks": {
            "key": ("name",), "label": None, "newest_of": None, "restated": None, "gone": bound, "new": bound, "nulls": {"*": bound},
            "filled": (), "route": None, "matches": (), "steady": (), "aliases": (), "score": None, "measures": (), "dates": (), "flags": (),
        },
    }  # fmt: skip
    full = read(FULL).tables["entries"].anomaly_checks
    (measure,), (when,) = full.measures, full.dates
    assert (measure.one, measure.share, measure.zero, measure.crossed, when.slack_days) == (None, False, False, None, 1)
    part = read(STREAMED).part
    assert part is not None
    assert plain(part) == {
        "columns": {"a": "VARCHAR"}, "is_exact": False, "required": (), "reject": {}, "counts": {"a": "VARCHAR", "n": "BIGINT"},
        "grain": ("a",), "total": "n", "counts_every_row": False, "cut_at": None, "refuse": {}, "labels": (), "first_on": None,
        "again_after": (), "catch_up_days": 7, "checksum": None, "max_gigabytes": 5.0, "keep_bytes": False, "beside": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("declared", "path", "good", "bad"),
    [
        (SMALLEST, "fetch.max_megabytes", 2000, 2001), (SMALLEST, "fetch.max_megabytes", 0.1, 0),
        (SMALLEST, "fetch.max_seconds", 3600, 3601), (SMALLEST, "fetch.max_seconds", 0.1, 0),
        (SMALLEST, f"{TABLE}.rows.min", 0, -1), (SMALLEST, f"{TABLE}.rows.max", 1, 0), (SMALLEST, f"{TABLE}.rows.reason", "x" * 8, "x" * 7),
        (SMALLEST, f"{CHECKS}.gone.max", 0, -0.1), (SMALLEST, f"{CHECKS}.gone.per_day", 0, -0.1), (SMALLEST, f"{CHECKS}.gone.ceiling", 0, -0.1),
        (SMALLEST, f"{CHECKS}.gone.note", 0, -0.1), (SMALLEST, f"{CHECKS}.gone.reason", "x" * 8, "x" * 7),
        (SMALLEST, f"{CHECKS}.nulls", {"*": {"max": 0, "reason": REASON}}, {}),
        (FULL, f"{CHECKS}.measures.0.step.power", 1, 0.9), (FULL, f"{CHECKS}.measures.0.step.least", 1.1, 1),
        (FULL, f"{CHECKS}.matches.0.least", 0, -0.1), (FULL, f"{CHECKS}.matches.0.least", 1, 1.1),
        (FULL, f"{CHECKS}.matches.0.fall", 0, -0.1), (FULL, f"{CHECKS}.matches.0.fall", 0.9, 1), (FULL, f"{CHECKS}.matches.0.pattern", "a", "("),
        (FULL, f"{CHECKS}.dates.0.slack_days", 0, -1),
        (STREAMED, "part.cut_at", 1, 0), (STREAMED, "part.again_after", [0], [-1]), (STREAMED, "part.catch_up_days", 0, -1),
        (STREAMED, "part.max_gigabytes", 0, -1), (STREAMED, "part.first_on", "2025-02-28", "2025-02-29"), (STREAMED, "part.columns", {"a_1": "DATE"}, {}),
        (STREAMED, "part.columns", {"a": "DATE"}, {"A": "DATE"}), (STREAMED, "part.columns", {"a": "DATE"}, {"a": "INTEGER"}),
        (STREAMED, "part.reject", {"a sentence": "false"}, {"brief": "false"}),
        (SMALLEST, "fetch.key", {"env": "A_KEY", "header": "x"}, {"env": "a_key", "header": "x"}),
        (SMALLEST, "fetch.requests.list.link", "a+", "("), (SMALLEST, "kind", "model-releases", "streamed"), (STREAMED, "kind", "streamed", "leaderboards"),
        *((SMALLEST, "fetch.requests.list.paging", {"param": "p", "number": "n", "total": "t", "more": "m", "most": good},
           {"param": "p", "number": "n", "total": "t", "more": "m", "most": bad}) for good, bad in ((1, 0), (50, 51))),
        *((SMALLEST, "fetch.requests", {name: {"about": "It.", "url": "https://example.org"}}, {other: {"about": "It.", "url": "https://example.org"}})
          for name, other in (("a_1", "a-1"), ("a", "A"), ("a_b", "a__b"))),
    ],
)  # fmt: skip
def test_each_limit_of_a_source_file_is_allowed_and_what_is_just_beyond_it_is_not(
    read: Read, declared: dict[str, Any], path: str, good: object, bad: object
) -> None:
    assert read(edited(declared, path, good)).id == "example_list"
    with pytest.raises(ContentError):
        read(edited(declared, path, bad))


NAMED = [
    "required.0", "grain.0", "known", "anomaly_checks.key.0", "anomaly_checks.label", "anomaly_checks.newest_of",
    "anomaly_checks.route.column", "anomaly_checks.route.columns.0", "anomaly_checks.matches.0.column", "anomaly_checks.steady.0.columns.0",
    "anomaly_checks.score.column", "anomaly_checks.score.votes", "anomaly_checks.score.rank", "anomaly_checks.measures.0.column",
    "anomaly_checks.measures.0.by", "anomaly_checks.measures.0.step.along", "anomaly_checks.dates.0.column", "anomaly_checks.flags.0.column",
]  # fmt: skip


@pytest.mark.parametrize("place", NAMED)
def test_wherever_a_source_names_a_column_it_must_be_one_of_the_table(read: Read, place: str) -> None:
    assert read(FULL).tables["entries"].known == "day"
    with pytest.raises(ContentError, match=r"unheard_of.*not (among its columns|a column)"):
        read(edited(FULL, f"{TABLE}.{place}", "unheard_of"))
    bounds = {"*": {"max": 0.1, "reason": REASON}, "unheard_of": {"max": 0.1, "reason": REASON}}
    with pytest.raises(ContentError, match="unheard_of"):
        read(edited(FULL, f"{CHECKS}.nulls", bounds))


@pytest.mark.parametrize(
    ("protocol", "needed"),
    [
        ("http", {"url": "https://example.org/a"}), ("http_pages", {"page": "https://example.org/a", "link": "b+"}),
        ("huggingface", {"dataset": "a/b", "file": "c.csv"}), ("inbox", {}),
    ],
)  # fmt: skip
def test_a_live_request_gives_what_its_protocol_needs(read: Read, protocol: str, needed: dict[str, str]) -> None:
    def with_request(**request: object) -> dict[str, Any]:
        return edited(edited(SMALLEST, "fetch.protocol", protocol), "fetch.requests.list", {"about": "It.", **request})

    assert read(with_request(**needed)).fetch.protocol == protocol
    for name in needed:
        rest = {other: value for other, value in needed.items() if other != name}
        assert not read(with_request(**rest, live=False)).fetch.requests["list"].live
        with pytest.raises(ContentError, match=f"needs {name} for protocol {protocol}"):
            read(with_request(**rest))
    for wrong in ("http://example.org/a", "https://example.com/a"):
        with pytest.raises(ContentError, match="not https, or its host is not under `hosts`"):
            read(with_request(**needed, otherwise=["https://example.org/b", wrong]))


def test_a_host_is_allowed_by_its_whole_name_or_as_a_subdomain_of_an_entry_with_a_dot() -> None:
    allowed = ("example.org", ".example.net")
    yes = ["example.org", "EXAMPLE.ORG", "example.org.", "a.example.net", "a.b.example.net"]
    no = ["a.example.org", "notexample.org", "example.net", "example.org.evil.test", "evilexample.net", ""]
    assert [host for host in [*yes, *no] if host_allowed(host, allowed)] == yes


def test_a_source_folder_without_its_parser_sample_or_model_says_what_is_missing(read: Read) -> None:
    for declared, definition in ((SMALLEST, "parse.py"), (STREAMED, "counts.sql")):
        source = read(declared)
        assert source.missing == (definition, "sample", "stg_example_list__*.sql")
        (source.folder / definition).write_text("x")
        assert source.missing == ("sample", "stg_example_list__*.sql")
        (source.folder / "sample").mkdir(exist_ok=True)
        (source.folder / "stg_example_list__a.sql").write_text("x")
        assert source.missing == ()
        (source.folder / "sample").rmdir()
        (source.folder / "stg_example_list__a.sql").unlink()


def test_a_sql_model_is_read_whole(tree: Path) -> None:
    path = tree / "transforms" / "marts" / "volume" / "lab_volume.sql"
    sql = "select lab_id, uploads from intermediate.int_lab__uploads where uploads < year(getvariable('as_of'))"
    path.write_text(
        "/*---\ndescription: >\n  Uploads\n  of each lab.\ngrain: [lab_id]\nnullable: [uploads]\ncaveats: [Few labs.]\n"
        f"rows: {{min: 2, max: 9}}\ncache: true\n---*/\n\n{sql}\n"
    )
    table = Table("lab_volume", "marts", "Uploads of each lab.", ("lab_id",), frozenset({"uploads"}), ("Few labs.",), 2, 9)
    reads = ("intermediate.int_lab__uploads",)
    project = read_project(tree)
    assert project.model_of("marts.lab_volume") == Model(
        "lab_volume", "marts", path, True, sql, reads, (table,), True, ("as_of",)
    )
    assert [one.id for one in project.marts] == ["marts.lab_volume", "marts.source_freshness"]
    smallest = project.model_of("staging.stg_reference__facts")
    assert smallest.tables == (Table("stg_reference__facts", "staging", "Facts.", ("platform_id",)),)
    assert (smallest.is_cached, smallest.constants, smallest.source_id) == (False, (), "reference")
    assert project.model_of("marts.lab_volume").source_id is None


def test_a_python_model_is_read_whole(tree: Path) -> None:
    path = tree / "transforms" / "intermediate" / "lab" / "int_lab__uploads.py"
    before = read_project(tree).model_of("intermediate.int_lab__uploads")
    table = Table("int_lab__uploads", "intermediate", "Uploads by lab.", ("lab_id",))
    assert before == Model(
        "int_lab__uploads", "intermediate", path, False, path.read_text(), ("staging.stg_reference__facts",), (table,)
    )
    text = (
        '"""Uploads\nby lab.\n\nMore."""\n\nTABLES: dict[str, tuple[str, ...]] = {"int_lab__uploads": ("lab_id",), "int_lab__other": ("lab_id", "day")}\n'
        'NULLABLE = ("uploads",)\nCAVEATS = ("Few labs.",)\nROWS = {"min": 2, "max": 9}\nCACHE = True\nOTHER = len("x")\n\n\n'
        "def model(stg_reference__facts, settings, as_of):\n    return {}\n"
    )
    path.write_text(text)
    tables = tuple(
        Table(name, "intermediate", "Uploads by lab.", grain, frozenset({"uploads"}), ("Few labs.",), 2, 9)
        for name, grain in (("int_lab__uploads", ("lab_id",)), ("int_lab__other", ("lab_id", "day")))
    )
    assert read_project(tree).model_of("intermediate.int_lab__other") == Model(
        "int_lab__uploads", "intermediate", path, False, text, before.reads, tables, True, ("settings", "as_of")
    )


LAYERS = {"staging": "reference/stg_reference__a", "intermediate": "lab/int_lab__a", "marts": "volume/a"}
READS = {
    "staging": {"raw.reference__facts"},
    "intermediate": {"staging.stg_reference__facts", "intermediate.int_lab__uploads", "meta.snapshots", "meta.sources"},
    "marts": {"staging.stg_reference__facts", "intermediate.int_lab__uploads", "meta.snapshots", "meta.sources"},
}


@pytest.mark.parametrize("layer", LAYERS)
def test_each_layer_reads_the_layers_before_it_and_no_other(tree: Path, layer: str) -> None:
    path = tree / "transforms" / layer / f"{LAYERS[layer]}.sql"
    every = {"raw.reference__facts", "marts.lab_volume", "meta.models", *READS["marts"]}
    allowed = set()
    for table in sorted(every):
        path.write_text(f"/*---\ndescription: A.\ngrain: [lab_id]\n---*/\nselect * from {table}")
        try:
            read_project(tree)
        except ContentError as refused:
            assert f"reads {table}" in refused.what  # noqa: PT017  (the loop goes on)
        else:
            allowed.add(table)
    assert allowed == READS[layer]


def test_a_type_has_one_name_for_each_reader() -> None:
    assert {name: (polars_type(name), frictionless_type(name), croissant_type(name)) for name in COLUMN_TYPES} == {
        "VARCHAR": (pl.String(), "string", "sc:Text"), "BIGINT": (pl.Int64(), "integer", "sc:Integer"),
        "INTEGER": (pl.Int32(), "integer", "sc:Integer"), "DOUBLE": (pl.Float64(), "number", "sc:Float"),
        "FLOAT": (pl.Float32(), "number", "sc:Float"), "BOOLEAN": (pl.Boolean(), "boolean", "sc:Boolean"),
        "DATE": (pl.Date(), "date", "sc:Date"), "TIMESTAMP": (pl.Datetime("us"), "datetime", "sc:DateTime"),
        "VARCHAR[]": (pl.List(pl.String()), "array", "sc:Text"),
    }  # fmt: skip
    assert (frictionless_type("STRUCT(a INTEGER)"), croissant_type("STRUCT(a INTEGER)")) == ("any", "sc:Text")
    assert [of_frictionless(kind) for kind in ("string", "integer", "number", "boolean", "date")] == [
        "VARCHAR", "BIGINT", "DOUBLE", "BOOLEAN", "DATE",
    ]  # fmt: skip


def test_every_cadence_has_its_hour_and_every_host_its_pool(read: Read) -> None:
    minute = zlib.crc32(b"example_list") % 60
    crons = {every: schedule.cron(read(edited(SMALLEST, "fetch.every", every))) for every in schedule.CRON}
    assert crons == {
        "hourly": f"{minute} * * * *", "daily": f"{minute} 6 * * *", "weekly": f"{minute} 6 * * 1", "monthly": f"{minute} 6 2 * *",
        "quarterly": f"{minute} 6 2 1,4,7,10 *", "half-yearly": f"{minute} 6 2 1,7 *", "never": f"{minute} 5 * * *",
    }  # fmt: skip
    web = read(SMALLEST)
    brought = read(edited(SMALLEST, "fetch.protocol", "inbox"))
    assert (schedule.pool(web), schedule.pool(brought)) == ("host_example_org", "host_inbox")
    one = {"slots": 1, "include_deferred": False}
    usual = {
        "datamoat_writer": {**one, "description": "one process at a time writes tables"},
        "datamoat_landing": {**one, "description": "one process at a time lands"},
        "host_example_org": {**one, "description": "one request at a time for example.org"},
        "host_inbox": {**one, "description": "files that people bring in"},
        "host_of_cited_pages": {**one, "description": "one cited page at a time"},
    }
    assert schedule.pools((web, brought)) == usual
    parts = {"slots": 2, "description": "two parts of streamed sources are counted at a time", "include_deferred": False}
    assert schedule.pools((web, read(STREAMED))) == usual | {"datamoat_parts": parts}
    assert schedule.titles((web,)) == {"reference": "Reference facts", "example_list": "A list"}
    assert schedule.raw("example_list") == "raw__example_list"


def test_a_dag_runs_once_at_a_time_and_tries_again_what_may_work_later() -> None:
    def made(name: str) -> Callable[..., Any]:
        return lambda *given, **more: (name, *given, *sorted(more.items()))

    sdk = SimpleNamespace(
        **{name: made(name) for name in ("SyncCallback", "DeadlineAlert", "RetryRule", "RetryAction", "ExceptionRetryPolicy")}
    )
    sdk.DeadlineReference = SimpleNamespace(AVERAGE_RUNTIME=made("AVERAGE_RUNTIME"))

    def rule(error: str, action: str, minutes: int, why: str) -> tuple[Any, ...]:
        return ("RetryRule", f"datamoat.errors.{error}", ("RetryAction", action), timedelta(minutes=minutes), why)

    rules = [
        rule("SourceUnavailableError", "retry", 10, "it may work later"), rule("StoreUnavailableError", "retry", 5, "it may work later"),
        rule("BusyError", "retry", 1, "another process is writing"), rule("DatamoatError", "fail", 0, "a person must look"),
    ]  # fmt: skip
    assert schedule.common(sdk, "x", pool="y") == {
        "dag_id": "x",
        "catchup": False,
        "max_active_runs": 1,
        "on_failure_callback": notify.run_failed,
        "deadline": (
            "DeadlineAlert", ("AVERAGE_RUNTIME", ("max_runs", 10), ("min_runs", 1)), timedelta(hours=1),
            ("SyncCallback", notify.late, {"dag_id": "x", "minutes": 60.0}),
        ),
        "default_args": {
            "retries": 2, "retry_delay": timedelta(seconds=20), "queue": "writer", "retry_policy": ("ExceptionRetryPolicy", rules),
            "on_failure_callback": notify.failed, "pool": "y",
        },
    }  # fmt: skip


def test_the_folders_of_the_content_tree_are_sources_in_order_of_their_ids(tree: Path) -> None:
    for name in ("b_list", "a_list"):
        folder = tree / "transforms" / "staging" / name
        folder.mkdir()
        (folder / "source.yml").write_text(yaml.safe_dump(SMALLEST))
    assert [source.id for source in read_sources(tree)] == ["a_list", "b_list"]
