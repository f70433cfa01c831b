"""Is the published file what was published, are the retained builds whole, and can nobody change one by mistake?"""

import contextlib
import shlex
import stat
from pathlib import Path

import duckdb

from datamoat.errors import ContentError, DatamoatError
from datamoat.settings import Settings
from datamoat.storage.clients import logs_of, writer_of
from datamoat.storage.files import read_record
from datamoat.storage.lake import other_rows
from datamoat.storage.warehouse import (
    LAST,
    READ_ONLY,
    Published,
    in_the_way,
    instead_of_changed,
    intact_ids,
    is_intact,
    known_sha256,
    manifest_failure,
    manifests,
    published_build,
    retained_builds,
)

Finding = tuple[bool, str, str]


def examine_warehouse(settings: Settings) -> list[Finding]:
    """Return findings about the published file and the retained builds: whether good, what was seen, what to do."""
    retained, failures = manifests(settings)
    damaged = [build for build in retained if not is_intact(build)]
    renamed = _manifests_under_others(failures)
    is_good, what, fix = _published(settings, published_build(settings))
    is_manifest = not is_good and any(failures[path].what in what for path in renamed)
    findings = [(is_good, what, "put the manifests right first, as stated below" if is_manifest else fix)]
    with contextlib.suppress(FileNotFoundError):
        try:
            read_record(settings.warehouse / LAST)
        except (ValueError, ContentError):
            what = f"{LAST}, which names the build that was published last, is damaged, or of a later version"
            findings.append((False, what, f"delete it: {settings.warehouse / LAST}; the next publication writes it"))
    pid = writer_of(settings.published)
    if pid is not None:
        findings.append((False, f"process {pid} holds the published file for writing", "end it; open the file read-only"))
    for log in logs_of(settings.published):
        what = f"{log.name}: edits of a client that opened the published file for writing; we do not read them"
        findings.append((False, what, "end that client, then `datamoat run` or `datamoat rollback` moves the log aside"))
    misnamed = _misnamed(damaged)
    if misnamed:
        moves = [f"mv {shlex.quote(str(at))} {shlex.quote(f'{build.path}.right')}" for build, at in misnamed]
        moves += [f"mv -f {shlex.quote(f'{build.path}.right')} {shlex.quote(str(build.path))}" for build, _ in misnamed]
        listed = ", ".join(f"{build.build_id} as {at.name}" for build, at in misnamed)
        findings.append((False, f"retained builds under the names of others, each file whole: {listed}", " && ".join(moves)))
    for build in (build for build in damaged if build not in [one for one, _ in misnamed]):
        what = f"retained build {build.build_id}: the file is damaged or missing, or has a client's log"
        findings.append((False, what, f"delete all {build.path.stem}.*"))
    for path in (settings.published, *(build.path for build in retained)):
        findings += _exposed(path)
    if renamed:
        moves = [f"mv {shlex.quote(str(at))} {shlex.quote(f'{right}.right')}" for at, right in renamed.items()]
        moves += [f"mv {shlex.quote(f'{right}.right')} {shlex.quote(str(right))}" for right in renamed.values()]
        listed = ", ".join(f"{right.name} as {at.name}" for at, right in renamed.items())
        findings.append((False, f"manifests under the names of others, each whole: {listed}", " && ".join(moves)))
    for failure in (failure for path, failure in failures.items() if path not in renamed):
        later = "use that version, or " if isinstance(failure, ContentError) else ""
        findings.append((False, failure.what, f"{later}delete it and the file beside it"))
    findings.append((True, f"retained builds: {', '.join(b.build_id for b in retained if b not in damaged) or 'none'}", ""))
    return findings


def examine_rows(settings: Settings) -> list[Finding]:
    """Return the builds whose rows are not those whose hashes their manifest states, whatever it states of their bytes."""
    findings, current = [], published_build(settings)
    for build in retained_builds(settings):
        path = build.path if is_intact(build) else settings.published
        if path == settings.published and (build != current or logs_of(path)):
            continue  # it is named as damaged
        try:
            with duckdb.connect(str(path), read_only=True, config={**READ_ONLY, "memory_limit": settings.memory_limit}) as con:
                differ = other_rows(con, build.tables)
        except duckdb.Error as failure:
            differ = [" ".join(str(failure).split())]
        if differ:
            what = f"build {build.build_id}: not the rows that its manifest states: {', '.join(differ[:5])}"
            findings.append((False, what, f"delete all {build.path.stem}.*, then `datamoat run`"))
    return findings


def _misnamed(damaged: list[Published]) -> list[tuple[Published, Path]]:
    """Return the builds whose bytes lie under the name of another one that is not there itself, each with that file."""
    found = []
    for build in damaged:
        for other in damaged:
            with contextlib.suppress(OSError):
                if other is not build and known_sha256(other.path) == build.sha256:
                    found.append((build, other.path))
    return found


def _manifests_under_others(failures: dict[Path, DatamoatError]) -> dict[Path, Path]:
    """Return, by the place where it lies, the name of each whole manifest whose own name is free or has another such manifest."""
    found: dict[Path, Path] = {}
    for path in failures:
        with contextlib.suppress(DatamoatError, OSError, ValueError, TypeError, KeyError):
            stated = read_record(path)
            found[path] = path.with_name(f"datamoat-{stated['build_id']}-{stated['sha256'][:8]}.json")
    wrong = {path: right for path, right in found.items() if right != path and right.with_suffix(".duckdb").is_file()}
    while blocked := [
        path for path, right in wrong.items() if (right.exists() and right not in wrong) or _is_twice(right, wrong)
    ]:
        for path in blocked:
            del wrong[path]
    return wrong


def _is_twice(right: Path, moves: dict[Path, Path]) -> bool:
    return list(moves.values()).count(right) > 1


def _published(settings: Settings, current: Published | None) -> Finding:
    """Return whether the published file has the bytes that a manifest states."""
    if current is not None:
        return True, f"published: {current.build_id}, byte for byte as its manifest states", ""
    if (failure := manifest_failure(settings)) is not None:
        return False, f"published: {failure.what}", failure.fix
    if (obstacle := in_the_way(settings)) is not None:
        return False, f"published: {obstacle.what}", obstacle.fix
    if settings.published.exists():
        what = "published: the file is damaged or was changed after it was published"
        fix = "`datamoat run` publishes it again; `datamoat rollback {}` {}"
        if (instead := instead_of_changed(settings)) is None:
            return False, what, fix.format("BUILD", "goes back")
        return (
            False,
            f"{what}; readers see the retained copy of {instead.build_id}",
            fix.format(instead.build_id, "puts it right"),
        )
    if retained := intact_ids(settings):
        return False, f"published: the file was deleted; retained are {', '.join(retained)}", "`datamoat rollback BUILD`"
    return False, "published: nothing yet", "`datamoat run`"


def _exposed(path: Path) -> list[Finding]:
    """Return how a file could be changed by mistake: it is a link, other names lead to it, or its mode lets it be written to."""
    if not path.is_file():
        return []
    found, name = path.lstat(), shlex.quote(str(path))
    copy = f"put a copy in its place: cp {name} {name}.copy && mv -f {name}.copy {name}"
    if stat.S_ISLNK(found.st_mode):
        return [(False, f"{path.name} is a link to {path.resolve().name}: one write damages both", copy)]
    if found.st_nlink > 1:
        return [(False, f"{path.name} is one file under {found.st_nlink} names: one write damages all of them", copy)]
    if found.st_mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH):
        mode = stat.S_IMODE(found.st_mode)
        return [(False, f"{path.name} has mode {mode:04o}: a client can write to it", f"chmod 444 {name}")]
    return []
