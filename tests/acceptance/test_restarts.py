"""What ends and comes back in the middle of calls: the service, govern, the event socket, the switch."""

from __future__ import annotations

import json
import signal
import time
import wave
from contextlib import closing
from pathlib import Path

import psutil

from fsgov.catalog.desk import Desk
from fsgov.demo import verdict
from fsgov.demo.scenes import END, Between, Do, Scene, Talk, Until
from fsgov.demo.stage import Stage
from fsgov.simulator import timecode
from tests.acceptance.play import (
    HEARTBEAT,
    begun,
    eventually,
    fsgov,
    go_on,
    good,
    hang_up,
    judged,
    of_demo,
    plain,
    refused,
)


def govern(stage: Stage) -> psutil.Process:
    assert stage.service is not None
    children = psutil.Process(stage.service.pid).children()
    (found,) = [child for child in children if "fsgov.govern" in child.cmdline()]
    return found


def pausable(name: str) -> Scene:
    """A call that a party may pause: it is not recorded while nobody could hear of that."""
    cards = of_demo("paused")
    return of_demo(
        "paused",
        name=name,
        steps=cards.steps[:3],
        proof="none",
        segments=2,
        outcome="recorded-in-part",
        heard=(Between("on the record", "told to stop"), Between("on the record again", END)),
        silent=(Between("stopped", "started again"),),
        soon=(),
    )


def now(name: str) -> Do:
    return Do("time", mark=name, of_call=False)


def test_a_stop_leaves_calls_alone_and_the_next_start_adopts_them(stage: Stage) -> None:
    goes_on = begun(stage, plain("goes on"))
    waits = begun(stage, pausable("waits"))
    said_no = begun(stage, refused("said no"))
    for each in (goes_on, waits, said_no):
        go_on(stage, each, Talk(0.3), now("told to stop"))
    assert stage.stop_service() == 0
    for each in (goes_on, waits, said_no):
        go_on(stage, each, now("stopped"))
    assert not [each for each in (goes_on, waits, said_no) if stage.ledger.all("hangup", uuid=each.call)]
    assert stage.ledger.all("closed", uuid=waits.call)
    assert not stage.ledger.all("closed", uuid=goes_on.call)
    time.sleep(0.5)
    for each in (goes_on, waits, said_no):
        go_on(stage, each, now("started again"))
    stage.start_service()
    stage.wait_ready()
    go_on(stage, waits, Until("opened", "on the record again", nth=2))
    for each in (goes_on, waits, said_no):
        go_on(stage, each, Talk(0.5), hang_up())
    good(*judged(stage, goes_on, waits, said_no))


def test_a_killed_govern_loses_nothing_and_forgets_no_refusal(stage: Stage) -> None:
    goes_on = begun(stage, plain("goes on"))
    said_no = begun(stage, refused("said no"))
    gone_meanwhile = begun(stage, plain("hangs up meanwhile"))
    time.sleep(0.5)
    govern(stage).send_signal(signal.SIGKILL)
    assert stage.service is not None
    assert stage.service.wait(30) != 0
    stage.service = None
    go_on(stage, gone_meanwhile, hang_up())
    stage.start_service()
    stage.wait_ready()
    go_on(stage, goes_on, Talk(1.0), hang_up())
    go_on(stage, said_no, hang_up())
    good(*judged(stage, goes_on, said_no))
    (over,) = judged(stage, gone_meanwhile)
    assert [fault for fault in over.faults if "outcome" not in fault] == []


def test_a_dropped_event_socket_costs_no_word(stage: Stage) -> None:
    goes_on = begun(stage, plain("goes on"))
    stage.do("fault", kind="cut", event="HEARTBEAT")
    eventually(lambda: stage.ledger.all("fault", fault="cut"))
    asked = begun(stage, of_demo("recorded", name="asked meanwhile"))
    go_on(stage, goes_on, hang_up())
    good(*judged(stage, goes_on, asked))


UNBUFFERED = {"dialled": "+4722000300", "rule": "unbuffered line"}


def test_a_switch_that_dies_takes_its_calls_and_the_audio_on_disk_is_kept(
    stage: Stage, tmp_path: Path
) -> None:
    """What is on disk is sealed as it lies, its row says how much its end lacks, and a copy can be played."""
    part = {"outcome": "recorded-in-part", "heard": ()}
    cut_off = begun(stage, plain("cut off", **part))
    at_once = begun(stage, plain("written at once", **part, **UNBUFFERED))
    go_on(stage, cut_off, Talk(9.0))
    files = [stage.ledger.all("opened", uuid=each.call)[0]["file"] for each in (cut_off, at_once)]
    died = stage.moment()
    assert stage.switch is not None
    stage.switch.kill()
    on_disk = [timecode.decode(Path(file).read_bytes()) for file in files]
    assert 200 < len(on_disk[0]) < len(on_disk[1]), "two blocks of 64 KiB, and every frame"
    stage.start_switch(*HEARTBEAT)
    eventually(stage.connected)
    after = begun(stage, plain("after"))
    go_on(stage, after, Talk(0.5), hang_up())
    *lost, recorded = judged(stage, cut_off, at_once, after)
    good(recorded)
    with stage.desk("bob") as dsn, closing(Desk(dsn)) as desk:
        for frames, found, most in zip(on_disk, lost, (4096, 500), strict=True):
            expected = ("findings", f"{found.call}-01.wav 0 times")  # the crashed switch closed nothing
            assert [fault for fault in found.faults if not any(words in fault for words in expected)] == []
            row = desk.segment(*found.segments)
            assert row.truncated
            assert timecode.decode(verdict.opened(stage.site, desk, row)) == frames
            last = max(frame.index for frame in frames if isinstance(frame, timecode.Moment))
            assert row.lost_ms is not None
            assert (died - last - 1) * 20 <= row.lost_ms <= most, (died, last)
    (segment,) = lost[0].segments
    told = fsgov(stage, "recordings", "show", segment, "--json", person="bob")
    assert json.loads(told.out)[0]["lost_ms"] > 0
    identity = ("--identity", str(stage.site.desk / "identity.txt"))
    why = ("--purpose", "evidence", "--reason", "test", *identity)
    done = fsgov(stage, "recordings", "export", segment, *why, "--output", str(tmp_path), person="bob")
    assert done.code == 0, done
    with wave.open(str(tmp_path / f"{segment}.wav")) as copy:
        assert timecode.decode((tmp_path / f"{segment}.wav").read_bytes()) == on_disk[0]
        assert copy.getnframes() == 2 * 32_768, "the header names what is there"
    manifest = json.loads((tmp_path / f"{segment}.json").read_text())
    assert (manifest["truncated"], manifest["repaired"]) == (True, True)
    assert manifest["lost_ms"] == json.loads(told.out)[0]["lost_ms"]
