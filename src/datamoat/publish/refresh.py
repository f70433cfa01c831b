"""The whole run: compare by hash, and if anything differs build, audit and publish."""

import time
from dataclasses import replace
from datetime import date

from datamoat.build.inputs import fingerprint
from datamoat.build.run import build_models
from datamoat.log import log
from datamoat.project.read import read_project
from datamoat.publish.audit import audit_build
from datamoat.publish.gx_worker import Worker
from datamoat.publish.warehouse import publish_warehouse
from datamoat.settings import Settings
from datamoat.storage.clients import remove_log
from datamoat.storage.pointer import pull_published
from datamoat.storage.warehouse import Published, published_build


def refresh(settings: Settings, as_of: date | None = None) -> Published:
    """Publish what follows from the inputs; the caller holds the writer's lock.

    If what is published is whole and a run would publish just that again, nothing is run. That is decided by hashes: of
    the inputs, of the content tree with its checks, of the engine and its libraries, and of the published file, which is
    only ever made from a build that passed its audit.

    Args:
        settings: Where things are.
        as_of: Leave out every input that became public later; None takes all there is.

    Returns:
        What is published; `is_new` is whether this call published it.
    """
    began = time.perf_counter()
    pull_published(settings)
    current = published_build(settings)
    if current is not None and current.made_from == fingerprint(settings, as_of):
        remove_log(settings)
        seconds = round(time.perf_counter() - began, 3)
        log.info("unchanged", build_id=current.build_id, verified="inputs, checks, published file", seconds=seconds)
        return replace(current, is_new=False)
    with Worker() as worker:  # it warms up while the models run
        project = read_project(settings.content)
        build_models(settings, project, as_of)
        audit_build(settings, project, worker)
        return publish_warehouse(settings, project)
