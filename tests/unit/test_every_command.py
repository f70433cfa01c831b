"""Every command of the program works on a content tree of ten lines that nobody had in mind when it was written."""

import json
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from datamoat.cli.app import app
from datamoat.errors import DatamoatError

COMMANDS = {
    command.name or command.callback.__name__.replace("_", "-") for command in app.registered_commands if command.callback
}
Call = Callable[..., Result]
TREE = {
    "transforms/columns.yml": "town: {type: VARCHAR, description: A town.}\nrain: {type: DOUBLE, unit: mm, description: Rain.}\n",
    "transforms/build.yml": "seed: 1\nknown: {reference__rain: seen_on}\n",
    "transforms/staging/reference/stg_reference__rain.sql": (
        "/*---\ndescription: Rain.\ngrain: [town]\n---*/\nselect town, rain from raw.reference__rain\n"
    ),
    "transforms/marts/weather/wet.sql": "/*---\ndescription: Rain by town.\ngrain: [town]\n---*/\nselect town, rain from staging.stg_reference__rain\n",
    "data/reference/rain.csv": "town,rain,seen_on\nbergen,9.5,2026-03-01\n",
    "reports/run/1_rain.sql": "/*---\ndescription: Rain\n---*/\nfrom marts.wet",
    "reports/answer/1_rain.sql": "/*---\ndescription: Does it rain?\n---*/\nselect town || ' is wet.' as sentence from marts.wet",
    "reports/forecast/1_rain.sql": "/*---\ndescription: Tomorrow\n---*/\nselect town, rain as expected from marts.wet",
    "reports/style.py": "",
    "reports/charts/none.py": '"""No chart."""\n\n\ndef panels(con, style):\n    return []\n',
    "reports/report.html.j2": "<h1>{{ title }}</h1>{% for text in lead %}<p>{{ text }}</p>{% endfor %}\n",
    "reports/report.yml": (
        "title: Rain <b>\nfacts: select max(rain) as rain from marts.wet\nlead: ['It rained {rain:r1} mm.']\nnotes: []\nfooter: f\n"
    ),
    "reports/whatif/volumes.py": (
        'TARGET, QUANTITY = "marts.wet", "rain"\n\n\ndef acts_after_fit(con, numbers):\n    return False\n\n\n'
        'def change_inputs(reference, numbers, facts, published):\n    return ["sunshine"]\n'
    ),
}  # fmt: skip
FIELDS = [{"name": "town", "type": "string"}, {"name": "rain", "type": "number"}, {"name": "seen_on", "type": "date"}]
DESCRIPTOR = {
    "name": "x",
    "resources": [{"name": "rain", "path": "rain.csv", "schema": {"fields": FIELDS, "primaryKey": ["town"]}}],
}
# In the order in which a person would use them: words, exit code, text that is printed. Refusals name what is missing.
STEPS: list[tuple[str, int, str]] = [
    ("check", 0, "all in order"),
    ("fetch --dry-run", 0, ""),
    ("land", 0, "1 reference files with 1 rows"),
    ("build", 0, "as of 2026-03-01"),
    ("audit", 0, "none critical"),
    ("publish", 0, "is in"),
    ("run", 0, "bergen"),
    ("status", 0, "published"),
    ("show wet", 0, "Rain by town."),
    ("show --sources", 0, "request"),
    ("query 'from marts.wet'", 0, "9.5"),
    ("diff", 2, "there is no earlier build"),
    ("diff --working", 0, "0 marts differ"),
    ("add nothing", 2, "no row is called 'nothing'"),
    ("rollback", 2, "is the only build here."),
    ("answer", 0, "Does it rain?\nbergen is wet.\n"),
    ("answer --json", 0, '"bergen is wet."'),
    ("forecast", 0, "9.5"),
    ("trace wet.rain", 0, "9.5 mm"),
    ("report", 0, "0 charts"),
    ("site", 2, "declares no site"),
    ("whatif --set A=1", 2, "marts.wet has no rain"),
    ("export --to out", 0, "files"),
    ("export --release --to releases --on 2026-04-01", 0, "Write the checksum where the bundle is not"),
    ("verify releases/BUNDLE", 0, "as released"),
    ("pull releases/BUNDLE", 0, "already"),
    ("plan nobody_list", 2, "nobody_list"),
    ("accept nobody_list x --reason y", 2, "nobody_list"),
    ("diagnose nobody_list", 2, "nobody_list"),
    ("count nobody_list", 2, "nobody_list"),
    ("add-file nobody_list x.zip", 2, "nobody_list"),
    ("mcp", 2, "declares nothing for agents"),
    ("docs", 0, "pages written"),
    ("doctor", 0, "content in"),
    ("notify", 0, "webhook"),
    ("new-source example_board", 0, "wrote"),
]

# What follows `--json`, whole: builds, hashes and the folder of the test are replaced by what they are.
AS_JSON: dict[str, object] = {
    "check": {
        "n_models": 2, "n_bound": 2, "n_rules": 0, "n_columns": 2, "n_checks": 0, "n_sources": 0, "n_reference_rows": 1,
    },
    "land": {"n_files": 1, "n_rows": 1, "landings": "0 snapshots, nothing new"},
    "build": {"build_id": "BUILD", "as_of": "2026-03-01", "n_tables": 2},
    "audit": [],
    "publish": {"build_id": "BUILD", "as_of": "2026-03-01", "path": "TREE/data/warehouse/datamoat.duckdb", "is_new": False},
    "run": {
        "build_id": "BUILD", "as_of": "2026-03-01", "path": "TREE/data/warehouse/datamoat.duckdb",
        "sections": [{"title": "Rain", "rows": [{"town": "bergen", "rain": 9.5}]}],
    },
    "show wet": [
        {"column": "town", "type": "VARCHAR", "description": "A town."},
        {"column": "rain", "type": "DOUBLE", "description": "Rain. [mm]"},
    ],
    "query 'from marts.wet'": [{"town": "bergen", "rain": 9.5}],
    "diff --working": [],
    "answer": [{"title": "Does it rain?", "rows": [{"sentence": "bergen is wet."}]}],
    "forecast": [{"title": "Tomorrow", "rows": [{"town": "bergen", "expected": 9.5}]}],
    "trace wet.rain": {
        "table": "wet", "column": "rain", "key": {"town": "bergen"}, "value": 9.5, "low": None, "high": None, "unit": "mm",
        "description": "Rain.", "build_id": "BUILD", "as_of": "2026-03-01", "evidence": [],
        "path": ["raw.reference__rain", "staging.stg_reference__rain", "marts.wet"], "inputs": {"reference/rain.csv": "SHA256"},
    },
    "report --to rep": {"page": "rep/report.html", "n_panels": 0, "n_bytes": 89},
    "export --to other": {"folder": "other/datamoat-BUILD"},
    "pull releases/BUNDLE": {
        "build_id": "BUILD", "as_of": "2026-03-01", "path": "TREE/data/warehouse/datamoat.duckdb", "is_new": False, "is_known": True,
    },
    "notify": [
        {"channel": "log", "state": "set", "variables": ""},
        {"channel": "webhook", "state": "not set", "variables": "DATAMOAT_WEBHOOK"},
        {"channel": "mail", "state": "not set", "variables": "DATAMOAT_MAIL_TO, DATAMOAT_MAIL_HOST"},
        {"channel": "ping", "state": "not set", "variables": "DATAMOAT_PING"},
    ],
    "new-source example_list": {"folder": "TREE/transforms/staging/example_list"},
    "fetch example_list --dry-run": [
        {
            "source": "example_list", "request": "entries", "day": "", "response": "planned", "validation_status": "",
            "detail": "GET https://example.org/entries.json",
        }
    ],
    "add rain town=oslo rain=3 seen_on=2026-03-02": {"key": "oslo", "path": "TREE/data/reference/rain.csv", "line": 3},
}  # fmt: skip
# What is printed, whole.
AS_TEXT = {
    "check": "2 models (2 bound), 0 rules, 2 columns, 0 checks, 0 sources, 1 reference rows: all in order\n",
    "land": "1 reference files with 1 rows; 0 snapshots, nothing new\n",
    "build": "build BUILD: 2 tables, as of 2026-03-01\n",
    "audit": "table_name  kind  check_name  reason  n_offending  offending\nN checks, 0 warnings, none critical.\n",
    "publish": "build BUILD is in tree/data/warehouse/datamoat.duckdb already\n",
    "run": (
        "\nRain\ntown    rain\nbergen   9.5\n\nThe file: tree/data/warehouse/datamoat.duckdb\n"
        'Query it: datamoat show, then datamoat query "from marts.…"\n'
    ),
    "show wet": (
        "marts.wet\nRain by town. One row for each town.\n\ncolumn  type     description\ntown    VARCHAR  A town.\n"
        'rain    DOUBLE   Rain. [mm]\n\nTry: datamoat query "from marts.wet limit 5"\n'
    ),
    "query 'from range(201)' --limit 0 --format csv": "range\n" + "".join(f"{n}\n" for n in range(201)),
    "query 'from range(201)' --format csv": "range\n" + "".join(f"{n}\n" for n in range(201)),
    "query 'from range(201)'": "range\n"
    + "".join(f"{n:>5}\n" for n in range(200))
    + "… more rows than 200; --limit 0 prints all\n",
    "query 'from range(3)' --limit 2": "range\n    0\n    1\n… more rows than 2; --limit 0 prints all\n",
    "query 'from range(2)' --limit 2": "range\n    0\n    1\n",
    "diff --working": "BUILD → BUILD: 0 marts differ\ntable  n_before  n_after  n_added  n_removed  n_changed  columns\n",
    "trace wet.rain": (
        "9.5 mm\nmarts.wet.rain where town=bergen\nas of 2026-03-01, build BUILD: Rain.\n"
        "└─ no page and no assumption: it is computed from the files below alone\n"
        "path: staging.stg_reference__rain → marts.wet\nfile: reference/rain.csv  sha256 HASH\n"
    ),
    "export --to third": "third/datamoat-BUILD: N files, N MB\n",
    "report --to rep": "rep/report.html: 0 charts, 0.0 MB; PNG and SVG in rep/charts\n",
    "verify releases/BUNDLE": (
        "N files, N MB, 14 tables in all their forms: as released\nchecksum SHA256\nregistered on 2026-04-01\n"
    ),
    "pull releases/BUNDLE": (
        "build BUILD, as of 2026-03-01, N MB, is in tree/data/warehouse/datamoat.duckdb already\n"
        "Next: datamoat answer, or datamoat show\n"
    ),
    "notify": (
        "channel  state    variables\nlog      set\nwebhook  not set  DATAMOAT_WEBHOOK\n"
        "mail     not set  DATAMOAT_MAIL_TO, DATAMOAT_MAIL_HOST\nping     not set  DATAMOAT_PING\n"
    ),
}

LOGGED = re.compile(r"^(?:build|audit|publication|unchanged|landing) {2,}.*\n", re.MULTILINE)  # lines of the log


def anywhere(printed: str, tmp_path: Path) -> str:
    """Return what was printed without what differs from one run, machine or version of a library to the next."""
    printed = printed.replace(str(tmp_path / "tree"), "TREE")
    for pattern, word in (
        (r"\b\d{8}-[0-9a-f]{8}\b", "BUILD"), (r"\b[0-9a-f]{64}\b", "SHA256"), (r"\b[0-9a-f]{16}\b", "HASH"),
        (r"\b\d+ files, \d{1,2}\.\d MB", "N files, N MB"), (r"^\d+ checks", "N checks"), (r"2026-03-01, \d{1,2} MB", "2026-03-01, N MB"),
    ):  # fmt: skip
        printed = re.sub(pattern, word, printed, flags=re.MULTILINE)
    return printed


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, checkout: Path) -> Call:
    """Return a function that runs a command on the small tree."""
    root = tmp_path / "tree"
    for name, text in {**TREE, "data/reference/datapackage.json": json.dumps(DESCRIPTOR)}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    shutil.copytree(checkout / "reports" / "release", root / "reports" / "release")
    monkeypatch.setenv("DATAMOAT_ROOT", str(root))
    monkeypatch.delenv("DATAMOAT_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    return lambda *words: CliRunner().invoke(app, list(words))


def test_the_list_below_has_every_command() -> None:
    assert {words.split()[0] for words, _, _ in STEPS} == COMMANDS


def test_every_command_runs_or_names_what_is_missing(call: Call, tmp_path: Path) -> None:
    found = []
    for words, code, text in STEPS:
        bundle = next(iter(sorted((tmp_path / "releases").glob("datamoat-*"))), Path("none")).name
        done = call(*shlex.split(words.replace("BUNDLE", bundle)))
        failure = done.exception
        got = failure.exit_code if isinstance(failure, DatamoatError) else done.exit_code
        printed = done.output + str(failure or "")
        if got != code or text not in printed:
            found.append(f"{words}: exit {got}, not {code}; {text!r} is not in:\n{printed}\n{failure!r}")
    assert not found, "\n".join(found)
    assert json.loads(call("export", "--release", "--on", "2026-04-01", "--json").stdout)["released_on"] == "2026-04-01"
    page = (tmp_path / "tree" / "data" / "exports" / "report" / "report.html").read_text(encoding="utf-8")
    assert page == '<h1>Rain &lt;b&gt;</h1><p>It rained <data value="9.5" data-fact="rain">9.5</data> mm.</p>'
    assert (tmp_path / "tree" / "docs" / "answer.md").read_text(encoding="utf-8").startswith("# Does it rain?")
    bundle = next((tmp_path / "releases").glob("datamoat-*")).name
    shutil.rmtree(
        tmp_path / "tree" / "transforms" / "staging" / "example_board"
    )  # it is to be filled in before anything is built
    for step in ("build", "audit", "publish"):
        call(step)

    def whole(words: str, *more: str) -> str:
        done = call(*shlex.split(words.replace("BUNDLE", bundle)), *more)
        assert done.exit_code == 0, done.exception
        return anywhere(done.stdout if more else LOGGED.sub("", done.output), tmp_path)

    assert {words: whole(words) for words in AS_TEXT} == AS_TEXT
    assert {words: json.loads(whole(words, "--json")) for words in AS_JSON} == AS_JSON
    printed = whole("export --release --to noted --on 2026-04-02 --record")  # of one build there is one release
    assert re.sub(r"-[0-9a-f]{8}:", "-BUILD:", printed) == (
        "noted/datamoat-2026-04-01-BUILD: N files, N MB\nreleased 2026-04-01, build BUILD\nchecksum SHA256\n"
        "tree/data/exports/site: this release is latest/ there; docs/publishing.md shows how to publish that folder\n"
    )
    (recorded,) = (tmp_path / "tree" / "data" / "releases.csv").read_text(encoding="utf-8").splitlines()[1:]
    assert "2026-04-01" in recorded
    assert call("verify", f"noted/{next((tmp_path / 'noted').glob('datamoat-*')).name}").exit_code == 0
    again = ("export", "--release", "--to", "noted", "--on", "2026-04-02")
    assert (call(*again).exit_code, call(*again, "--force").exit_code) == (1, 0)
