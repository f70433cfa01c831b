"""What a result depends on: the programs behind it and the versions of what they run on.

One closure of modules serves the cache of results, the stamp of a landing and the stamp of the calibration table.
"""

import ast
import functools
import hashlib
import importlib.metadata
import importlib.util
import json
import platform
from pathlib import Path

from datamoat.errors import ContentError

OWN = ("datamoat", "moat")  # the packages whose modules are followed
DYNAMIC = {"import_module", "__import__", "exec_module", "run_path", "run_module"}
ENGINE = Path(__file__).resolve().parents[1]  # it loads content by path, which no closure is to follow
NUMERIC_STACK = ("duckdb", "numpy", "polars", "pyarrow", "scipy", "scoringrules")


def versions() -> dict[str, str]:
    """Return the version of Python and of every library that can change a computed number."""
    return {"python": platform.python_version(), **{name: importlib.metadata.version(name) for name in NUMERIC_STACK}}


def unfit_versions() -> list[str]:
    """Return what is installed here that the package does not declare fit: each with what it needs."""
    from packaging.requirements import Requirement  # what only reads the published file is installed without it

    found = []
    for text in importlib.metadata.requires("datamoat") or ():
        needed = Requirement(text)
        if needed.marker is not None and not needed.marker.evaluate({"extra": "build"}):
            continue
        try:
            version = importlib.metadata.version(needed.name)
        except importlib.metadata.PackageNotFoundError:
            found.append(f"{needed.name} is not installed (needs {needed.specifier})")
        else:
            if not needed.specifier.contains(version, prereleases=True):
                found.append(f"{needed.name} is {version} (needs {needed.specifier})")
    return found


def closure(*programs: Path) -> tuple[Path, ...]:
    """Return the files of our own packages that some programs import, directly or through each other, in order of name.

    Args:
        programs: Python files; they are not part of the result unless they are imported.

    Raises:
        ContentError: A module of ours is imported that does not exist, or by a relative name.
    """
    found: set[Path] = set()
    waiting = list(programs)
    while waiting:
        program = waiting.pop()
        new = set(_imported(program)) - found
        found |= new
        waiting += new
    return tuple(sorted(found))


def code_hash(*programs: Path) -> str:
    """Return a hash of what some programs and their closure compute: comments, docstrings and where a module lives do not count."""
    texts = {_shape_of(path) for path in programs} | {_shape_of(path) for path in closure(*programs)}
    return hashlib.sha256(json.dumps(sorted(texts)).encode()).hexdigest()


@functools.cache
def package_folder(name: str) -> Path | None:
    """Return the folder of an installed package, or None."""
    specification = importlib.util.find_spec(name)
    return Path(specification.origin).parent if specification and specification.origin else None


@functools.cache
def _tree(path: Path, _modified: int) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _parsed(path: Path) -> ast.Module:
    return _tree(path, path.stat().st_mtime_ns)


def _imports_of(path: Path, node: ast.stmt) -> list[tuple[Path, str]]:
    """Return, for an import statement, each file of our own that it names, with the name that is bound to it."""
    if isinstance(node, ast.Import):
        names = [(alias.name, "", alias.asname or "") for alias in node.names]
    elif isinstance(node, ast.ImportFrom) and node.level:
        raise ContentError("a relative import", f"{path}:{node.lineno}", "write the whole name of the module.")
    elif isinstance(node, ast.ImportFrom) and node.module:
        names = [(node.module, alias.name, alias.asname or "") for alias in node.names]
    else:
        return []
    found = []
    for module, member, bound in names:
        if module.split(".")[0] not in OWN:
            continue
        file = _file_of(module)
        if file is None:
            raise ContentError(
                f"{module} is imported and does not exist", f"{path}:{node.lineno}", "correct the name of the module."
            )
        below = _file_of(f"{module}.{member}") if member else None
        if member and below is None and member not in _names_of(file):
            raise ContentError(
                f"{module} has no {member}", f"{path}:{node.lineno}", "correct the name, and import each name by itself."
            )
        found += [(each, f"{member} {bound}") for each in (file, below) if each is not None]
        found += [(each, "") for each in _parents_of(module)]  # Python runs them first
    return found


def _imported(path: Path) -> list[Path]:
    """Return the files of our own modules that one file imports."""
    for node in ast.walk(_parsed(path)):
        if not isinstance(node, ast.Call) or path.is_relative_to(ENGINE):
            continue
        called = ast.unparse(node.func)
        if called.split(".")[-1] in DYNAMIC or called in {"exec", "eval"}:
            raise ContentError(
                f"{called} runs code that is not known before it runs",
                f"{path}:{node.lineno}",
                "write an import statement, so that a change of that module changes the hash of this one.",
            )
    statements = [node for node in ast.walk(_parsed(path)) if isinstance(node, ast.Import | ast.ImportFrom)]
    return [file for node in statements for file, _ in _imports_of(path, node)]


def _names_of(path: Path) -> set[str]:
    """Return the names that a module binds at its top, also under a condition."""
    names: set[str] = set()
    for node in _top(_parsed(path).body):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
        else:
            names |= {each.id for each in ast.walk(node) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)}
    return names


def _top(body: list[ast.stmt]) -> list[ast.stmt]:
    """Return the statements of a module, those of `if`, `try` and `with` blocks included."""
    found = []
    for node in body:
        blocks = [block for name in ("body", "orelse", "finalbody") if (block := getattr(node, name, None))]
        blocks += [handler.body for handler in getattr(node, "handlers", [])]
        is_block = isinstance(node, ast.If | ast.Try | ast.With)
        found += [each for block in blocks for each in _top(block)] if is_block else [node]
    return found


def _parents_of(module: str) -> list[Path]:
    """Return the files of the packages that a module is in."""
    parts = module.split(".")
    files = (_file_of(".".join(parts[:n])) for n in range(1, len(parts)))
    return [file for file in files if file is not None]


def _file_of(module: str) -> Path | None:
    """Return the file of a module, or None where there is none."""
    package, *rest = module.split(".")
    root = package_folder(package)
    if root is None:
        return None
    place = root.joinpath(*rest)
    return next((file for file in (place / "__init__.py", place.with_suffix(".py")) if file.is_file()), None)


def _shape_of(path: Path) -> str:
    """Return the syntax tree of a file as text, the same on every supported Python; imports of ours by what they bind."""
    bound = sorted(
        f"{name}={hashlib.sha256(_text_of(file).encode()).hexdigest()}"
        for node in ast.walk(_parsed(path))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for file, name in _imports_of(path, node)
    )
    return _text_of(path) + "\n".join(bound)


def _text_of(path: Path) -> str:
    return _text(path, path.stat().st_mtime_ns)


@functools.cache
def _text(path: Path, modified: int) -> str:
    return _shape(_tree(path, modified))


def _shape(node: object) -> str:
    """Return a syntax tree as text, without docstrings and without imports of ours."""
    if isinstance(node, list):
        return "[" + ",".join(text for item in node if (text := _shape(item))) + "]"
    if not isinstance(node, ast.AST):
        return repr(node)
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return ""  # a docstring
    if isinstance(node, ast.Import) and any(alias.name.split(".")[0] in OWN for alias in node.names):
        return ""
    if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in OWN:
        return ""
    fields = {name: getattr(node, name, None) for name in sorted(node._fields)}
    inner = ",".join(f"{name}={_shape(value)}" for name, value in fields.items() if value is not None and value != [])
    return f"{type(node).__name__}({inner})"
