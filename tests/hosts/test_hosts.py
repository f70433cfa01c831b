"""Two hosts with a data folder each and one bucket give what one process gives, or fail by name."""

import hashlib
import shutil
from pathlib import Path
from typing import Any

import pytest

from datamoat.build.record import read_build

RUN = "land+build+audit+publish"


def contents(data: Path) -> dict[str, str]:
    """Return the content hash of every mart of the build in a lake, and the hash of the list of snapshots."""
    build = read_build(data / "lake")
    marts = {name: table["content_hash"] for name, table in build.tables.items() if name.startswith("marts.")}
    return {**marts, "build": build.build_id, "snapshots": build.meta["snapshots"]}


def published(data: Path) -> str:
    return hashlib.sha256((data / "warehouse" / "datamoat.duckdb").read_bytes()).hexdigest()


def alone(cluster: Any, of: Path) -> dict[str, str]:
    """Return what one process makes of the same snapshots without a store."""
    host = cluster.host("alone", None)
    shutil.copytree(of / "snapshots", host.data / "snapshots", dirs_exist_ok=True)
    assert "build_id" in host.run("land+build")
    return contents(host.data)


def test_two_hosts_and_a_bucket_give_the_content_hashes_of_one_process(cluster: Any) -> None:
    writer, other = cluster.host("writer", "plain"), cluster.host("other", "plain")
    fetched = other.run("fetch")
    assert len(fetched["snapshot_ids"]) == 1
    assert not (writer.data / "snapshots").exists()
    done = writer.run(RUN, fetched)
    assert done["is_new"], done
    assert (done["store"], done["folder"] != fetched["folder"]) == (fetched["store"], True)
    assert contents(writer.data) == alone(cluster, other.data)
    assert "folder" in other.run("pull")
    assert published(other.data) == published(writer.data)
    assert other.run("fetch")["snapshot_ids"] == [], "the day's response is known to every host"


def test_disks_that_are_not_shared_fail_by_name_instead_of_doing_nothing(cluster: Any) -> None:
    here, there = cluster.host("here", None), cluster.host("there", None)
    fetched = there.run("fetch")
    refused = here.run("land", fetched)
    assert (refused["error"], "set DATAMOAT_STORE to one bucket" in refused["text"]) == ("PublishRefusedError", True)
    landed = there.run("land", fetched)
    for step, fix in (("validate", "the queue `writer`"), ("build", "set DATAMOAT_STORE"), ("audit", "the queue `writer`")):
        refused = here.run(step, landed)
        assert (refused["error"], fix in refused["text"]) == ("PublishRefusedError", True), refused
    assert not (here.data / "lake").exists()
    for path in (there.data / "snapshots").rglob("*.json"):
        path.unlink()
    assert "are not here" in there.run("land", fetched)["text"]


@pytest.mark.slow
def test_of_two_publishers_who_saw_the_same_build_one_wins(cluster: Any) -> None:
    first, second = cluster.host("first", "race"), cluster.host("second", "race")
    assert first.run("fetch+" + RUN)["is_new"]
    facts = cluster.content / "data" / "reference" / "facts.csv"
    audited = []
    for host in (first, second):  # both begin with the same published build, and make different ones of it
        facts.write_text(facts.read_text().replace(f"{7 + len(audited)}.0", f"{8 + len(audited)}.0"))
        audited.append(host.run("build+audit"))
        assert "build_id" in audited[-1], audited
    assert first.run("publish", audited[0])["is_new"]
    before = published(second.data)
    lost = second.run("publish", audited[1])
    assert (lost["error"], audited[0]["build_id"] in lost["text"]) == ("PublishRefusedError", True)
    assert published(second.data) == before
    assert second.run("build+audit+publish")["is_new"], "it knows the other build now"
    assert first.run("pull")["store"]
    assert published(first.data) == published(second.data) != before
    assert first.run("rollback")["build_id"] == audited[0]["build_id"]
    assert "folder" in second.run("pull")
    assert published(first.data) == published(second.data)


@pytest.mark.slow
def test_without_its_bucket_every_step_fails_by_name(cluster: Any) -> None:
    host = cluster.host("host", "gone")
    assert host.run("fetch+" + RUN)["is_new"]
    facts = cluster.content / "data" / "reference" / "facts.csv"
    facts.write_text(facts.read_text().replace("7.0", "8.0"))
    audited = host.run("build+audit")
    nobody = {**host.environment, "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    missing = {**host.environment, "DATAMOAT_STORE": "s3://missing/gone"}
    before = sorted(path.relative_to(host.data) for path in host.data.rglob("*.*"))
    for environment, store in ((nobody, "s3://shared/gone"), (missing, "s3://missing/gone")):
        host.environment = environment
        for step in ("fetch", "land", "build", "publish", "rollback", "release"):
            failed = host.run(step, audited if step == "publish" else None)
            assert (failed.get("error"), store in failed["text"]) == ("StoreUnavailableError", True), (step, failed)
    assert [path for path in before if not (host.data / path).exists()] == []


def test_a_bucket_that_was_made_again_is_not_taken_for_the_one_that_was_there(cluster: Any) -> None:
    host = cluster.host("host", "first_one")
    assert host.run("fetch")["snapshot_ids"]
    host.environment["DATAMOAT_STORE"] = "s3://shared/another_one"
    assert "and the bucket is store" in host.run("land")["text"]


def test_a_setting_that_is_no_bucket_is_refused(cluster: Any) -> None:
    host = cluster.host("host", "x")
    host.environment["DATAMOAT_STORE"] = str(cluster.root)
    assert host.run("fetch")["error"] == "UsageError"


@pytest.mark.slow
def test_a_release_and_a_decision_are_in_the_bucket_for_every_host(cluster: Any) -> None:
    writer, other = cluster.host("writer", "release"), cluster.host("other", "release")
    assert other.run("fetch+" + RUN)["is_new"]
    assert "folder" in writer.run("pull")
    cluster.publisher.entries = {name: value for name, value in cluster.publisher.entries.items() if name < "Entry 15"}
    fetched = writer.run("fetch")
    landed = other.run("land", fetched)
    assert landed["statuses"] == {"suspicious": 1}
    assert other.run("record", fetched["snapshot_ids"][0])["is_new"]
    made = other.run("build+audit+publish+release")
    again = writer.run("pull+release")
    assert (made["release"], made["checksum"]) == (again["release"], again["checksum"])
    assert writer.run("land")["statuses"] == {}, "the published file and the landings here know the decision"


@pytest.mark.slow
@pytest.mark.parametrize("step", ["fetch", "land", "build", "audit", "publish", "release"])
def test_a_worker_killed_at_any_request_to_the_bucket_leaves_nothing_that_a_second_try_does_not_mend(
    cluster: Any, step: str, record_property: Any
) -> None:
    """Kill a step before and after each request it sends, try again, and compare with what was never killed.

    Of more than four requests of a kind in one folder, as a release has, the first two and the last two stand for the others.
    """
    before = {"fetch": "", "land": "", "build": "land", "audit": "land+build", "publish": "land+build+audit", "release": RUN}[
        step
    ]
    template, other = cluster.host("template", "template"), cluster.host("other", "template")
    given = other.run("fetch") if step != "fetch" else None
    given = template.run(before, given) if before else given

    def try_out(name: str) -> Any:
        shutil.copytree(template.data, cluster.root / name)
        cluster.bucket.control(f"copy?source=template&target={name}")
        return cluster.host(name, name)

    def state(host: Any, done: dict[str, Any]) -> Any:
        """Return what follows from the step on this host, and check that another host sees it."""
        if step in {"fetch", "land", "build", "audit"}:
            if step in {"fetch", "land"}:
                assert "build_id" in host.run("land+build" if step == "fetch" else "build")
            return {name: value for name, value in contents(host.data).items() if name != "snapshots"}  # it has the time
        reader = cluster.host(f"{host.data.name}-reader", host.data.name)
        seen = reader.run("pull" if step == "publish" else "pull+release")
        assert published(reader.data) == published(host.data)
        assert [seen.get(name) for name in ("release", "checksum")] == [done.get(name) for name in ("release", "checksum")]
        return contents(host.data)

    clean = try_out("clean")
    cluster.bucket.control("hold")
    done = clean.run(step, given)
    requests = cluster.bucket.control("state")["seen"]
    wanted, n_killed = state(clean, done), 0
    kinds = [request.rpartition("/")[0] for request in requests]
    alike = {kind: [n for n, other in enumerate(kinds, start=1) if other == kind] for kind in kinds}
    tried = {n for numbers in alike.values() for n in (*numbers[:2], *numbers[-2:])}
    for n, request in ((n, request) for n, request in enumerate(requests, start=1) if n in tried):
        for when in ("before", "after") if not request.startswith(("GET", "HEAD")) else ("before",):
            host = try_out(f"{step}-{n}-{when}")
            n_killed += host.killed(step, given, cluster.bucket, n, when)
            again = host.run(step, given)
            assert "error" not in again, (request, when, again)
            assert state(host, again) == wanted, (request, when)
    assert n_killed >= len(tried)
    record_property("measured", f"{step}: {len(requests)} requests, killed {n_killed} times at {len(tried)} of them")
