"""fsgov purge from the plan to a certificate that anybody verifies; the commands of docs/cli.md among it."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from fsgov import entries
from fsgov.catalog.restoring import restoring
from fsgov.vault import open_bucket
from tests.live.cli import NOBODY, QUARANTINED, Company, company, fsgov
from tests.live.shipping import CALL

FIRST, SECOND = f"{CALL}-01", f"{CALL}-02"


@pytest.fixture(scope="module")
def firm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    with company(tmp_path_factory.mktemp("firm")) as found:
        found.hire("olga", "ops")
        host = (found.root / "host.toml").read_text()
        (found.root / "host.toml").write_text(
            host + '[purge]\nrun = false\ncanary = 1\ncanary_wait = "1 h"\n'
        )
        yield found


def test_from_a_plan_to_a_certificate(firm: Company, tmp_path: Path) -> None:
    counted = firm.fsgov("purge", "plan", "--dry-run", "--json", who="bob").json
    assert (counted["judged"], counted["destroy"], counted["keep"]) == (3, 0, 3)
    made = firm.fsgov(
        "purge", "plan", FIRST, SECOND, NOBODY, "--reason", "by mistake", "--yes", "--json", who="bob"
    ).json
    assert (made["state"], made["items"], made["left_out"]) == ("proposed", 2, [NOBODY])
    plan = made["plan"]
    assert "by mistake" in firm.fsgov("purge", "approve", plan, "--dry-run", who="alice").out
    refused = firm.fsgov("purge", "approve", plan, "--yes", who="bob", code=5)
    assert "nobody approves what they have proposed" in refused.err.lower()
    firm.fsgov("purge", "approve", plan, "--yes", who="alice")
    (log_id,) = firm.fsgov("db", "status", "--json", who="host").json["log"].split()
    with closing(open_bucket(f"file:{firm.root}/vault/audio")) as bucket:
        ahead = bucket.put_bytes(key := f"log/{log_id}/000000999999.checkpoint", b"", {})
        behind = firm.fsgov("purge", "apply", plan, "--yes", code=8)
        assert "the database was restored" in behind.err
        bucket.remove(key, ahead.version_id)
    done = firm.fsgov("purge", "apply", plan, "--yes", "--json").json
    assert done == {"plan": plan, "counts": {"destroyed": 2}}
    firm.keep()

    file = tmp_path / "certificate.json"
    firm.fsgov("purge", "certificate", FIRST, "--output", str(file), who="alice")
    alone = tmp_path / "elsewhere"
    alone.mkdir()
    (alone / "log.pub").write_text(firm.public)
    shutil.move(file, alone / "certificate.json")
    verify = ("purge", "certificate", "--verify", "certificate.json", "--key", "log.pub")
    told = fsgov(*verify, "--json", cwd=alone)
    assert told.code == 0, told
    said = told.json["said"]
    row = firm.fsgov("purge", "status", plan, "--json", who="bob").json
    assert (said["segment"], said["plan"]) == (FIRST, plan)
    assert (said["proposed_by"], said["approved_by"]) == (row["proposed_by"], row["approved_by"])
    assert "the certificate holds" in fsgov(*verify, cwd=alone).out
    text = (alone / "certificate.json").read_text()
    (alone / "certificate.json").write_text(text.replace(FIRST, SECOND))
    assert fsgov(*verify, cwd=alone).code == 8

    shown = firm.fsgov("recordings", "list", "--state", "destroyed", "--json", who="alice").json
    assert {row["segment"] for row in shown} == {FIRST, SECOND}
    over = firm.fsgov("purge", "status", "--all", "--json", who="alice").json
    assert [(row["plan"], row["state"]) for row in over] == [(plan, "done")]


def test_a_plan_is_stopped(firm: Company) -> None:
    made = firm.fsgov("purge", "plan", f"{QUARANTINED}-01", "--yes", "--json", who="bob").json
    firm.fsgov("purge", "stop", made["plan"], "--reason", "the wrong one", "--yes", who="alice")
    again = firm.fsgov("purge", "approve", made["plan"], "--yes", who="alice", code=7)
    assert "does not wait" in again.err


def test_keep_applies_what_is_approved(firm: Company) -> None:
    host = (firm.root / "host.toml").read_text()
    (firm.root / "host.toml").write_text(host.replace("run = false", "run = true"))
    made = firm.fsgov("purge", "plan", f"{QUARANTINED}-01", "--yes", "--json", who="bob").json
    firm.fsgov("purge", "approve", made["plan"], "--yes", who="alice")
    with firm.part("keep"):
        until = time.monotonic() + 60
        while firm.site.ask(f"SELECT state FROM fsgov.plans WHERE id = '{made['plan']}'") != [("done",)]:
            assert time.monotonic() < until
            time.sleep(0.1)
        ((key,),) = firm.site.ask(f"SELECT object_key FROM fsgov.segments WHERE segment = '{FIRST}'")
        firm.site.vault().audio.put_bytes(key, b"from an older bucket", {})
        asked = ("reconcile", "--grace", "0 s", "--apply", "returned-object", "--json")
        (found,) = firm.fsgov(*asked, who="olga").json["differences"]
        assert (found["kind"], found["done"]) == ("returned-object", "keep removes it")
        while firm.site.ask("SELECT count(*) FROM fsgov.returned WHERE removed_at IS NOT NULL") != [(1,)]:
            assert time.monotonic() < until
            time.sleep(0.1)
    assert firm.site.ask("SELECT state, count(*) FROM fsgov.segments GROUP BY 1 ORDER BY 1") == [
        ("destroyed", 3), ("missing", 1)
    ]  # fmt: skip
    assert firm.fsgov("reconcile", "--grace", "0 s", "--json", who="olga").json["differences"] == []
    left = [path for path in (firm.root / "vault").rglob("*.object") if "/erased/" not in str(path)]
    assert [path for path in left if "/log/" not in str(path)] == []


def test_a_schedule_from_its_proposal_to_its_end(firm: Company) -> None:
    words = ("purge", "schedule", "propose", "--every", "day", "--at", "02:30", "--timezone", "Europe/Berlin")
    made = firm.fsgov(*words, "--most", "500", "--grace-days", "3", "--yes", "--json", who="bob").json
    assert (made["state"], made["at"], made["causes"][:2]) == ("proposed", "02:30", ["dispose", "expired"])
    one = made["schedule"]
    assert "Europe/Berlin" in firm.fsgov("purge", "schedule", "approve", one, "--dry-run", who="alice").out
    refused = firm.fsgov("purge", "schedule", "approve", one, "--yes", who="bob", code=5)
    assert "nobody approves what they have proposed" in refused.err.lower()
    firm.fsgov("purge", "schedule", "approve", one, "--yes", who="alice")
    assert one in firm.fsgov("purge", "schedule", "list", who="alice").out
    firm.fsgov("purge", "schedule", "end", one, "--reason", "no more", "--yes", who="alice")
    (row,) = firm.fsgov("purge", "schedule", "list", "--all", "--json", who="alice").json
    assert (row["state"], row["next_at"], row["ended_for"]) == ("ended", None, "no more")


def test_purge_goes_on_after_a_restore_when_two_persons_have_looked(firm: Company) -> None:
    assert "purge does not wait" in firm.fsgov("purge", "lost", who="alice").out
    set_ = entries.line(
        origin="p-nobody", n=1, host="desk", type_="anchor.set", subject=NOBODY, time=time.time_ns() // 1000,
        facts={"event": "contract_end", "at": "2030-06-30T00:00:00Z", "actor": "p-nobody"},
    )  # fmt: skip
    with restoring(firm.site.dsn) as database:
        restore = database.begin("2026-11-21T16:37:25Z", copied=True)
        assert (database.enter_again([("p-nobody", 1, set_)]), database.redo()) == (1, 0)
    told = firm.fsgov("purge", "lost", "--open", "--json", who="alice").json
    assert ([row["id"] for row in told["restores"]], [row["id"] for row in told["acts"]]) == (
        [restore],
        ["p-nobody.1"],
    )
    ask = ("purge", "resume", "--reason", "asked everybody", "--yes")
    firm.fsgov(*ask, who="bob", code=7)
    firm.fsgov("purge", "settle", "p-nobody.1", "--reason", "nobody knows this call", who="alice")
    firm.fsgov(*ask, who="alice")
    assert "has asked that purge go on" in firm.fsgov("purge", "lost", who="bob").out
    firm.fsgov("purge", "resume", "--approve", "--yes", who="alice", code=5)
    assert firm.fsgov("purge", "resume", "--approve", "--yes", "--json", who="bob").json == {
        "restore": restore,
        "resumed": True,
    }
    assert "purge does not wait" in firm.fsgov("purge", "lost", who="alice").out


@pytest.mark.parametrize("name", ["propose", "approve", "end", "list"])
def test_docs_cli_md_has_what_is_executed_of_schedules(name: str) -> None:
    page = (Path(__file__).parents[2] / "docs" / "cli.md").read_text()
    assert f"### fsgov purge schedule {name}" in page


@pytest.mark.parametrize(
    "name", ["plan", "approve", "stop", "status", "apply", "certificate", "lost", "settle", "resume"]
)
def test_docs_cli_md_has_what_this_file_executes(name: str) -> None:
    page = (Path(__file__).parents[2] / "docs" / "cli.md").read_text()
    assert f"### fsgov purge {name}" in page
    assert json.dumps(name) in Path(__file__).read_text()
