"""The whole site of the published build, served on loopback, and a browser that reaches nothing else."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from serve import served

from datamoat.settings import Settings
from datamoat.views.site import Site, write_site

CHROMIUM = "/usr/bin/chromium"
OFFLINE = ["--no-sandbox", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]


@pytest.fixture(scope="session")
def site(published: Settings, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Write the site."""
    return write_site(published, tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="session")
def address(site: Site) -> Iterator[str]:
    """Serve it."""
    with served(site.folder) as found:
        yield found


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Start Chromium."""
    sync_api = pytest.importorskip("playwright.sync_api")
    if not Path(CHROMIUM).exists():
        pytest.skip("no Chromium")
    with sync_api.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=CHROMIUM, args=OFFLINE)
        yield started
        started.close()
