"""Every command is documented, reports an error in three lines, and exits 0, 1 or 2."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from datamoat.cli import options
from datamoat.cli.app import app, main
from datamoat.errors import UsageError
from datamoat.views.render import rows as print_rows
from datamoat.views.render import text_of
from datamoat.views.site import Site

Edit = Callable[[str, str, str], Path]
COMMANDS = sorted(command.name or command.callback.__name__ for command in app.registered_commands if command.callback)


@pytest.fixture
def here(tree: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DATAMOAT_ROOT", str(tree))
    monkeypatch.delenv("DATAMOAT_DATA", raising=False)
    return tree


def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["datamoat", *words])
    with pytest.raises(SystemExit) as stop:
        main()
    captured = capsys.readouterr()
    return int(stop.value.code or 0), captured.out, captured.err


def step(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str) -> str:
    code, out, err = call(monkeypatch, capsys, *words)
    assert code == 0, err
    return out


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_each_command_shows_an_example(command: str) -> None:
    done = CliRunner().invoke(app, [command.replace("_", "-"), "--help"])
    assert done.exit_code == 0
    assert f"Example: datamoat {command.replace('_', '-')}" in done.output


def test_the_steps_one_by_one_lead_to_a_published_file(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], edit: Edit
) -> None:
    (here / "expectations" / "marts" / "lab_volume.py").unlink()
    for command in ("check", "land", "build", "audit", "publish"):
        step(monkeypatch, capsys, command)
    found = json.loads(step(monkeypatch, capsys, "query", "from marts.lab_volume order by lab_id", "--json"))
    assert found == [{"lab_id": "douyin", "uploads": 5.0}, {"lab_id": "tiktok", "uploads": 7.0}]
    assert "Uploads of each lab." in step(monkeypatch, capsys, "show", "lab_volume")
    assert "lab_volume" in step(monkeypatch, capsys, "show")
    assert len(step(monkeypatch, capsys, "status").splitlines()) == 3
    assert "Python" in step(monkeypatch, capsys, "doctor")
    edit("data/reference/facts.csv", "7.0", "8.0")
    assert call(monkeypatch, capsys, "diff", "--working")[0] != 0  # edited and not built
    step(monkeypatch, capsys, "build")
    (moved,) = json.loads(step(monkeypatch, capsys, "diff", "--working", "--json"))
    assert (moved["table"], moved["n_changed"], moved["columns"]) == ("lab_volume", 1, "uploads (1)")
    for command in ("audit", "publish"):
        step(monkeypatch, capsys, command)
    (difference,) = json.loads(step(monkeypatch, capsys, "diff", "--json"))
    assert (difference["table"], difference["n_changed"], difference["columns"]) == ("lab_volume", 1, "uploads (1)")
    rows = json.loads(step(monkeypatch, capsys, "diff", "--table", "lab_volume", "--json"))
    assert rows == [{"lab_id": "tiktok", "column_name": "uploads", "value_before": "7.0", "value_after": "8.0"}]
    step(monkeypatch, capsys, "rollback")
    assert "7" in step(monkeypatch, capsys, "query", "select max(uploads) AS m from marts.lab_volume")


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("query", "from marts.nothing"), 1, "nothing is published yet"),
        (("status",), 1, "nothing is published yet"),
        (("publish",), 1, "there is no finished build"),
        (("audit",), 1, "there is no finished build"),
        (("diff",), 1, "nothing is published yet"),
        (("rollback",), 2, "`datamoat run` publishes the first one."),
        (("nonsense",), 2, "No such command"),
        (("build", "--as-of", "yesterday"), 2, "yesterday"),
    ],
)
def test_what_cannot_be_done_is_refused_with_a_next_step(
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    code: int,
    message: str,
) -> None:
    assert here.is_dir()
    found, out, err = call(monkeypatch, capsys, *words)
    assert found == code
    assert message in out + err
    assert "Traceback" not in out + err


def test_check_finds_a_check_of_a_table_that_does_not_exist(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], edit: Edit
) -> None:
    edit("expectations/checks/no_lab_is_nameless.sql", "marts.lab_volume", "marts.lab_volumes")
    code, _, err = call(monkeypatch, capsys, "check")
    assert (code, "marts.lab_volumes" in err) == (1, True)
    assert here.is_dir()


def test_a_folder_that_is_no_content_tree_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATAMOAT_ROOT", str(tmp_path))
    code, _, err = call(monkeypatch, capsys, "check")
    assert code == 2
    assert "point DATAMOAT_ROOT at a checkout" in err


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("a\nb", "a\\x0ab"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("abc\u202edcba", "abc\\u202edcba"),
        ("[bold]x[/bold]", "[bold]x[/bold]"),
        (None, "–"),
        (True, "yes"),
        (1234567.0, "1,234,567"),
        (0.123456, "0.1235"),
        (["a", "b"], "a, b"),
    ],
)
def test_f17_a_printed_value_cannot_steer_the_terminal(value: object, shown: str) -> None:
    assert text_of(value) == shown


def test_a_table_on_a_terminal_has_every_row_under_its_columns(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "dumb")
    print_rows(("lab", "uploads"), [("[b]kuaishou[/b]", 1234567.0), ("tiktok", None)])
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines == [["lab", "uploads"], ["[b]kuaishou[/b]", "1,234,567"], ["tiktok", "–"]]


def test_the_module_runs_as_a_program() -> None:
    done = subprocess.run([sys.executable, "-m", "datamoat", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.strip().count(".") == 2


def test_no_file_of_commands_imports_another(checkout: Path) -> None:
    folder = checkout / "src" / "datamoat" / "cli"
    files = {path.stem: path.read_text(encoding="utf-8") for path in folder.glob("*.py") if path.stem not in {"__init__", "app"}}
    assert set(files) >= {"options", "pipeline", "sources", "readers", "scenarios", "maintenance"}
    for name, text in files.items():
        imported = set(re.findall(r"datamoat\.cli(?:\.(\w+)| import)", text))
        assert imported <= {"options"}, name


@pytest.mark.parametrize(
    ("origin", "words"),
    [
        (None, "pip install 'datamoat[build]'"),
        ({"url": "file:///a%20b", "dir_info": {"editable": True}}, "pip install -e '/a b[build]'"),
        ({"url": "file:///a/x.whl", "archive_info": {}}, "pip install 'datamoat[build] @ file:///a/x.whl'"),
        ({"url": "https://a.org/x", "vcs_info": {"vcs": "git", "commit_id": "0f"}}, "pip install 'datamoat[build] @ git+https://a.org/x@0f'"),
    ],
)  # fmt: skip
def test_what_is_not_installed_is_added_from_where_the_package_came(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], origin: dict[str, object] | None, words: str
) -> None:
    from datamoat.cli import app as program

    def missing() -> None:
        raise ModuleNotFoundError(name="great_expectations.core")

    monkeypatch.setattr(program, "app", missing)
    text = None if origin is None else json.dumps(origin)
    monkeypatch.setattr("importlib.metadata.distribution", lambda _: SimpleNamespace(read_text=lambda _: text))
    monkeypatch.setattr("importlib.metadata.requires", lambda _: ["typer>=1", "great-expectations>=1 ; extra == 'build'"])
    with pytest.raises(SystemExit, match="2"):
        program.main()
    assert "needs great_expectations.core, which is not installed\n" in (printed := capsys.readouterr().err)
    assert words in printed
    monkeypatch.setattr("importlib.metadata.requires", lambda _: None)
    with pytest.raises(ModuleNotFoundError):
        program.main()


def test_the_program_is_named_as_a_person_here_would_type_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    called = tmp_path / "bin" / "datamoat"
    called.parent.mkdir()
    called.write_text("")
    monkeypatch.setattr(sys, "argv", [str(called)])
    for found, name in ((None, "bin/datamoat"), ("/usr/bin/datamoat", "datamoat")):
        monkeypatch.setattr("shutil.which", lambda _, found=found: found)
        assert options.program() == name
        assert options.with_program("run `datamoat build`, not datamoat") == f"run `{name} build`, not datamoat"
    monkeypatch.setattr("shutil.which", lambda _: None)
    for other in (str(called.with_name("none")), str(called.with_name("pytest"))):
        monkeypatch.setattr(sys, "argv", [other])
        assert options.program() == "datamoat"
    assert [options.shown(path) for path in (called, Path("/elsewhere/x"))] == ["bin/datamoat", "/elsewhere/x"]


def test_the_options_of_the_log_may_stand_before_or_after_a_command(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[tuple[object, bool]] = []
    monkeypatch.setattr("datamoat.cli.app.show_log", lambda form, *, verbose: asked.append((form, verbose)))
    for words in (
        ("check",), ("--log-format", "json", "check"), ("check", "--log-format", "json"), ("check", "--log-format=text", "-v"), ("-v", "check"), ("check", "--verbose"),
    ):  # fmt: skip
        step(monkeypatch, capsys, *words)
    assert asked == [(None, False), ("json", False), ("json", False), ("text", True), (None, True), (None, True)]
    assert call(monkeypatch, capsys, "check", "--log-format")[0] == 2
    assert call(monkeypatch, capsys, "check", "--log-format", "xml")[0] == 2
    assert here.is_dir()


def test_on_a_terminal_each_value_that_was_not_given_is_prompted_for(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = here / "data" / "reference" / "facts.csv"
    words = ["add", "facts", "stated_on=2026-06-01"]
    done = CliRunner().invoke(app, words, input="kuaishou\n9\n")
    assert "facts needs 2 more values" in str(done.exception)
    monkeypatch.setattr("datamoat.cli.contribute.sys", SimpleNamespace(stdin=SimpleNamespace(isatty=lambda: True)))
    done = CliRunner().invoke(app, words, input="kuaishou\n9\n")
    assert done.exit_code == 0, done.exception
    assert done.output == (
        "\nplatform_id:  text like `[a-z-]+`; 'douyin' for example.\nplatform_id: kuaishou\n"
        "\nuploads:  a number with a decimal point and no separators; '5.0' for example.\nuploads: 9\n"
        f"kuaishou written, {path}:3. `datamoat build`, then `datamoat diff --working` shows what it moves.\n"
    )
    assert path.read_text().splitlines()[2] == "kuaishou,9,2026-06-01"


@pytest.mark.parametrize(
    "words",
    [("add", "fact", "uploads"), ("add", "facts", "uploads=1", "--with", "facts"), ("add", "facts", "--with", "facts=none.csv")],
)
def test_a_row_that_is_not_written_as_name_and_value_is_refused(here: Path, words: tuple[str, ...]) -> None:
    before = (here / "data" / "reference" / "facts.csv").read_bytes()
    assert isinstance(CliRunner().invoke(app, list(words)).exception, UsageError)
    assert (here / "data" / "reference" / "facts.csv").read_bytes() == before


def test_the_server_for_agents_listens_on_this_machine_at_a_port_that_exists(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mcp")
    run: list[tuple[object, ...]] = []
    server = SimpleNamespace(run=lambda how, **more: run.append((how, *sorted(more.items()))))
    monkeypatch.setattr("datamoat.storage.warehouse.build_to_read", lambda settings: run.append((settings.content,)))
    monkeypatch.setattr("datamoat.views.agent_server.make_server", lambda _: server)
    for port in ("0", "65536"):
        assert isinstance(CliRunner().invoke(app, ["mcp", "--http", "--port", port]).exception, UsageError)
    assert run == []
    for words in ([], ["--http"], ["--http", "--port", "1"], ["--http", "--port", "65535"]):
        assert CliRunner().invoke(app, ["mcp", *words]).exit_code == 0
    served = [("host", "127.0.0.1"), ("json_response", True)]
    assert run == [
        (here,), ("stdio",),
        *(each for port in (8765, 1, 65535) for each in ((here,), ("streamable-http", *served, ("port", port), ("stateless_http", True)))),
    ]  # fmt: skip


def test_a_site_without_the_engine_of_its_page_of_sql_names_the_command_that_fetches_it(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "index.html").write_text("a page")
    for has_sql in (True, False):
        monkeypatch.setattr("datamoat.views.site.write_site", lambda *_, is_whole=has_sql: Site(here, 3, 1_234, is_whole))
        line = step(monkeypatch, capsys, "site")
        assert "3 pages, 1,234 files" in line
        assert line.endswith("open index.html\n") is has_sql
        assert ("`make site` fetches it with npm" in line) is not has_sql
