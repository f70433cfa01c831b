"""What a cached result depends on: the whole closure of modules, by what they compute, and the numeric stack."""

from pathlib import Path

import pytest

from datamoat.errors import ContentError
from datamoat.project import fingerprint
from datamoat.project.fingerprint import NUMERIC_STACK, closure, code_hash, versions


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of a package `moat` in which `a` imports `b.c`, and `b.c` imports `b.d`."""
    root = tmp_path / "moat"
    (root / "b").mkdir(parents=True)
    (root / "__init__.py").write_text('"""Top."""\n')
    (root / "b" / "__init__.py").write_text('"""Below."""\n')
    (root / "a.py").write_text('"""A."""\nfrom moat.b import c\n\n\ndef f():\n    """Do."""\n    return c.g()\n')
    (root / "b" / "c.py").write_text('"""C."""\nfrom moat.b.d import h\n\n\ndef g():\n    return h()\n')
    (root / "b" / "d.py").write_text('"""D."""\n\n\ndef h():\n    return 1\n')
    monkeypatch.setattr(fingerprint, "package_folder", {"moat": root}.get)
    return root


def test_the_closure_follows_packages_and_modules_imported_by_other_modules(package: Path) -> None:
    found = {path.relative_to(package).as_posix() for path in closure(package / "a.py")}
    assert found == {"__init__.py", "b/__init__.py", "b/c.py", "b/d.py"}


@pytest.mark.parametrize("package_file", ["__init__.py", "b/__init__.py"])
def test_code_in_a_package_above_a_module_changes_the_hash(package: Path, package_file: str) -> None:
    before = code_hash(package / "a.py")
    (package / package_file).write_text('"""Top."""\n\nSWITCH = 1\n')
    assert code_hash(package / "a.py") != before


@pytest.mark.parametrize("module", ["b/c.py", "b/d.py"])
def test_a_change_anywhere_in_the_closure_changes_the_hash(package: Path, module: str) -> None:
    before = code_hash(package / "a.py")
    text = (package / module).read_text()
    (package / module).write_text(text.replace("return ", "return 2 * "))
    assert code_hash(package / "a.py") != before


def test_the_name_taken_from_a_module_is_part_of_the_hash(package: Path) -> None:
    (package / "b" / "d.py").write_text("def h():\n    return 1\n\n\ndef k():\n    return 2\n")
    before = code_hash(package / "a.py")
    (package / "b" / "c.py").write_text('"""C."""\nfrom moat.b.d import k as h\n\n\ndef g():\n    return h()\n')
    assert code_hash(package / "a.py") != before


def test_words_about_code_do_not_change_the_hash(package: Path) -> None:
    before = code_hash(package / "a.py")
    text = (package / "b" / "d.py").read_text()
    (package / "b" / "d.py").write_text("# a comment\n" + text.replace("D.", "Another docstring."))
    assert code_hash(package / "a.py") == before


def test_a_module_that_moves_with_its_text_does_not_change_the_hash(package: Path) -> None:
    before = code_hash(package / "a.py")
    (package / "b" / "d.py").rename(package / "b" / "e.py")
    (package / "b" / "c.py").write_text((package / "b" / "c.py").read_text().replace("moat.b.d", "moat.b.e"))
    assert code_hash(package / "a.py") == before


def test_an_import_that_cannot_be_resolved_is_an_error_with_its_line(package: Path) -> None:
    (package / "a.py").write_text("from moat.b.x import y\n")
    with pytest.raises(ContentError, match=r"moat\.b\.x is imported and does not exist") as failure:
        closure(package / "a.py")
    assert failure.value.where.endswith("a.py:1")


def test_a_relative_import_is_refused(package: Path) -> None:
    (package / "a.py").write_text("from .b import c\n")
    with pytest.raises(ContentError, match="relative import"):
        closure(package / "a.py")


def test_the_versions_name_python_and_the_whole_numeric_stack() -> None:
    assert set(versions()) == {"python", *NUMERIC_STACK}


def test_a_name_that_a_module_does_not_have_is_an_error_with_its_line(package: Path) -> None:
    (package / "a.py").write_text("from moat.b.c import g\nfrom moat.b.c import missing\n")
    with pytest.raises(ContentError, match=r"moat\.b\.c has no missing") as failure:
        closure(package / "a.py")
    assert failure.value.where.endswith("a.py:2")


@pytest.mark.parametrize(
    "bound",
    ["missing = 1", "def missing(): ...", "class missing: ...", "if 1:\n    missing: int = 2", "try:\n    import missing\nexcept ImportError:\n    missing = None",
     "(other, missing) = 1, 2", "for missing in (): ...", "from json import loads as missing"],
)  # fmt: skip
def test_every_way_to_bind_a_name_is_known(package: Path, bound: str) -> None:
    (package / "b" / "d.py").write_text(f"{bound}\n")
    (package / "b" / "c.py").write_text('"""C."""\nfrom moat.b.d import missing\n')
    assert package / "b" / "d.py" in closure(package / "a.py")


@pytest.mark.parametrize(
    "call",
    [
        "import importlib\nx = importlib.import_module('moat.b.c')",
        "x = __import__('moat.b.c')",
        "exec('import moat')",
        "import runpy\nrunpy.run_path('x.py')",
    ],
)
def test_code_that_is_found_only_when_it_runs_is_refused(package: Path, call: str) -> None:
    (package / "a.py").write_text(f"{call}\n")
    with pytest.raises(ContentError, match="runs code that is not known before it runs"):
        closure(package / "a.py")
    (package / "a.py").write_text("x = [1].copy()\nfrom moat.b import c\n")
    assert package / "b" / "c.py" in closure(package / "a.py")
