"""Every command of the program works on a content tree of ten lines that nobody had in mind when it was written."""

import json
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
    ("rollback", 2, "there is no earlier build"),
    ("answer", 0, "Does it rain?\nbergen is wet.\n"),
    ("answer --json", 0, '"bergen is wet."'),
    ("forecast", 0, "9.5"),
    ("trace wet.rain", 0, "9.5 mm"),
    ("report", 0, "0 charts"),
    ("site", 2, "declares no site"),
    ("whatif --set A=1", 2, "does not depend on the reference table sunshine"),
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
    import shlex

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
