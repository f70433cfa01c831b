"""The folder that is served: every release, the newest one under a name that stays, and the register of their checksums.

`releases/<release id>/` is a bundle, `latest/` the newest of them, `releases.csv` the register. Publishing is one copy of
this folder. Files are linked, not copied, where the disk allows it, so that the layout takes no room of its own. Nothing else in the
folder is touched: the pages of the site stand there too.
"""

import os
import shutil
from pathlib import Path

from datamoat.release.bundle import store
from datamoat.release.register import REGISTER, register
from datamoat.settings import Settings
from datamoat.storage.files import cannot_write, write_whole

LATEST = "latest"


def served(settings: Settings) -> Path:
    """Return the folder that is served."""
    return settings.exports / "site"


def write_layout(settings: Settings) -> Path:
    """Bring the folder that is served up to date with the register, and return it.

    Raises:
        PublishRefusedError: The disk refuses.
    """
    folder = served(settings)
    known = register(settings.exports)
    try:
        for entry in known:
            bundle = folder / "releases" / entry.release_id
            if not bundle.is_dir():
                _put(store(settings) / entry.release_id, bundle)
        if known:
            _put(store(settings) / known[-1].release_id, folder / LATEST)
            write_whole(folder / REGISTER, (settings.exports / REGISTER).read_bytes())
    except OSError as failure:
        raise cannot_write(folder, failure) from failure
    return folder


def _put(source: Path, target: Path) -> None:
    """Make `target` a whole copy of a bundle; what was there before is replaced."""
    part = target.with_name(f".{target.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(source, part, copy_function=_link)
    shutil.rmtree(target, ignore_errors=True)
    part.replace(target)


def _link(source: str, target: str) -> None:
    """Link a file, or copy it where the disk has no links."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
