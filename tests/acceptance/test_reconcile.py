"""Differences made for real, on a service of its own, and resolved by the command until none is left. 90 s.

The oracle is the simulator's world and the bytes in the vault: each file the switch wrote is there, once.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import pytest

from fsgov.catalog import people
from fsgov.catalog.desk import Desk
from fsgov.demo import verdict
from fsgov.demo.playing import Played
from fsgov.demo.scenes import Talk
from fsgov.demo.site import private
from fsgov.demo.stage import Stage
from fsgov.simulator import timecode
from tests.acceptance.play import begun, eventually, fsgov, go_on, hang_up, plain, staged, started
from tests.parts import warm

AT_ONCE = ("--grace", "0 s")


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A service, and olga, who is ops, at its host."""
    with staged(tmp_path_factory.mktemp("r")) as made:
        where = made.site
        assert made.database is not None
        added = people.add(made.database.dsn(), "olga", ["ops"])
        private(where.host / "olga.password", added.password + "\n")
        text = where.service.read_text()
        admin = '[admin]\nuser = "olga"\npassword = "file:olga.password"\n'
        (where.host / "olga.toml").write_text(text + admin)
        started(made)
        yield made


def reconciled(stage: Stage, *words: str, code: int) -> list[dict[str, Any]]:
    """The differences as the command tells them."""
    command = ["--config", str(stage.site.host / "olga.toml"), "reconcile", "--json", *AT_ONCE, *words]
    done = subprocess.run(
        warm.command(command, os.environ), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == code, done
    found = json.loads(done.stdout)
    assert found["not_compared"] == {"cdr": "not here"}
    return list(found["differences"])


def kinds(found: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(each["kind"], each["subject"]) for each in found]


def settled(stage: Stage) -> None:
    """Until ship has nothing to do: every sidecar is entered, no call file and no plaintext is left."""

    def quiet() -> bool:
        sidecars = [json.loads(path.read_text()) for path in (stage.site.spool / "segments").glob("*.json")]
        waiting = [each for each in sidecars if each["state"] != "entered"]
        left = [*(stage.site.spool / "calls").glob("*.json"), *(stage.site.spool / "audio").iterdir()]
        return not waiting and not left

    eventually(quiet)


def heard(stage: Stage, segment: str) -> bytes:
    """The audio of a segment as a reviewer gets it from the vault."""
    with stage.desk("bob") as dsn, closing(Desk(dsn)) as desk:
        return verdict.opened(stage.site, desk, desk.segment(segment))


def over(stage: Stage, name: str) -> Played:
    """A call that was recorded, whole."""
    call = begun(stage, plain(name))
    go_on(stage, call, Talk(1.0), hang_up())
    return call


def up(stage: Stage) -> list[str]:
    return [each["alarm"] for each in json.loads(fsgov(stage, "status", "--json").out)["alarms"]]


def test_calls_that_went_well_are_no_difference(stage: Stage) -> None:
    goes_on, done = begun(stage, plain("goes on")), over(stage, "over")
    eventually(lambda: not list((stage.site.spool / "calls").glob(f"{done.call}.json")))
    assert reconciled(stage, code=0) == []
    go_on(stage, goes_on, hang_up())
    settled(stage)
    assert reconciled(stage, code=0) == []


def test_what_a_power_loss_left_is_adopted_and_the_call_has_an_outcome(stage: Stage) -> None:
    """Everything is killed, and the disk has lost the newest files of govern; the audio is there."""
    call = begun(stage, plain("lost"))
    go_on(stage, call, Talk(2.0))
    with stage.desk("bob") as dsn, closing(Desk(dsn)) as desk:
        eventually(lambda: [row for row in desk.calls() if row.call == call.call])
    assert stage.service is not None
    children = psutil.Process(stage.service.pid).children(recursive=True)
    for each in [psutil.Process(stage.service.pid), *children]:
        os.kill(each.pid, signal.SIGKILL)
    stage.service.wait()
    stage.service = None
    go_on(stage, call, hang_up())
    segment = f"{call.call}-01"
    (stage.site.spool / "calls" / f"{call.call}.json").unlink()
    (stage.site.spool / "segments" / f"{segment}.json").unlink()
    on_disk = (stage.site.spool / "audio" / f"{segment}.wav").read_bytes()
    (closed,) = stage.ledger.all("closed", uuid=call.call)
    assert len(timecode.decode(on_disk)) > 75, "two seconds of speech"
    started(stage)
    assert kinds(reconciled(stage, code=8)) == [("orphan-file", f"{segment}.wav")]
    assert (stage.site.spool / "audio" / f"{segment}.wav").read_bytes() == on_disk, "a dry run"
    reconciled(stage, "--apply", "orphan-file", code=0)
    settled(stage)
    assert heard(stage, segment) == on_disk
    assert Path(str(closed["file"])).name == f"{segment}.wav"
    assert kinds(reconciled(stage, "--apply", "all", code=0)) == [("call-without-outcome", call.call)]
    with stage.desk("bob") as dsn, closing(Desk(dsn)) as desk:
        row, whole = desk.segment(segment), desk.call(call.call).call
        assert (row.state, row.quarantine, row.adopted) == ("quarantined", "adopted", "spool")
        assert (whole.outcome, whole.outcome_cause) == ("recorded-in-part", "lost")
    assert reconciled(stage, code=0) == []


def test_a_stray_file_and_somebody_elses_recording(stage: Stage, tmp_path: Path) -> None:
    done = over(stage, "copied")
    settled(stage)
    stray = stage.site.spool / "audio" / "somebody.wav"
    audio = heard(stage, f"{done.call}-01")
    stray.write_bytes(audio)
    call = begun(stage, plain("recorded twice"))
    stage.do("api", text=f"uuid_record {call.call} start {tmp_path}/elsewhere.wav")
    found = reconciled(stage, "--apply", "all", code=8)
    assert [(each["kind"], each["left"]) for each in found] == [
        ("orphan-file", False),
        ("foreign-recording", True),
    ]
    reconciled(stage, "--apply", "foreign-recording", code=0)
    eventually(lambda: [e for e in stage.ledger.all("closed") if e["file"] == f"{tmp_path}/elsewhere.wav"])
    ours = [e for e in stage.ledger.all("closed") if Path(str(e["file"])).name == f"{call.call}-01.wav"]
    assert ours == [], "only the other's was stopped"
    go_on(stage, call, Talk(0.5), hang_up())
    settled(stage)
    assert reconciled(stage, code=0) == []
    assert heard(stage, str(found[0]["done"]).rpartition(" ")[2]) == audio


def test_an_object_that_was_deleted_is_an_alarm_until_it_is_back(stage: Stage) -> None:
    done = over(stage, "deleted")
    settled(stage)
    segment = f"{done.call}-01"
    (place,) = (stage.site.root / "vault" / "audio").rglob(f"{segment}.age")
    before = heard(stage, segment)
    replica = {path.name: path.read_bytes() for path in place.iterdir()}
    for path in place.iterdir():
        path.unlink()
    assert kinds(reconciled(stage, "--apply", "all", code=0)) == [("row-without-object", segment)]
    eventually(lambda: up(stage) == ["scrub.missing"], 60)
    assert segment in fsgov(stage, "scrub").out
    (old,) = [name for name in replica if name.endswith(".object")]
    (place / f"ff{old}").write_bytes(replica[old])  # as an object store gives it back: another version
    (place / f"ff{old}").with_suffix(".json").write_bytes(replica[old.replace(".object", ".json")])
    found = reconciled(stage, "--apply", "restored-object", code=8)
    assert [each["kind"] for each in found] == ["restored-object", "damaged-object"]
    eventually(lambda: up(stage) == [], 60)
    assert heard(stage, segment) == before
    assert reconciled(stage, code=0) == []


def test_at_the_end_everything_that_the_switch_wrote_is_in_the_vault(stage: Stage) -> None:
    written = {
        Path(str(entry["file"])).stem
        for entry in stage.ledger.all("closed")
        if Path(str(entry["file"])).parent == stage.site.spool / "audio"
    }
    assert len(written) >= 6
    (vault,) = [Path(url.removeprefix("file:")) for url in stage.site.vault if url.endswith("audio")]
    stored = [path.parent.name.removesuffix(".age") for path in vault.rglob("*.age/*.object")]
    assert len(stored) == len(set(stored)) == len(written) + 1, "and the stray file"
    assert written < set(stored)
