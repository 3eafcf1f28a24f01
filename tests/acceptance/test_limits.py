"""The limits of a host, with the real service: length of a segment, room, starts that fail, a burst.

The oracles are the switch's ledger and the frames in the vault, each of which tells its moment.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
import pytest

from fsgov.catalog.desk import Desk
from fsgov.cli import live
from fsgov.demo import verdict
from fsgov.demo.playing import Played
from fsgov.demo.scenes import Do, Scene, Talk
from fsgov.demo.stage import Stage
from fsgov.simulator import timecode
from tests.acceptance.play import alarms, begun, eventually, go_on, hang_up, judged, plain, staged

AMPLE = {"segment_max": "5 s", "warn_below": "0%", "shed_below": "0%", "refuse_below": "0%"}


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A stage of its own, whose host has tight limits."""
    with staged(tmp_path_factory.mktemp("limits")) as made:
        restarted(made)
        yield made


def restarted(stage: Stage, **marks: str) -> None:
    """The service anew, with other limits."""
    stage.stop_service()
    path = stage.site.service
    head, _, rest = path.read_text().partition("[spool]\n")
    kept = [line for line in rest.splitlines() if not line.startswith(tuple(AMPLE))]
    wanted = [f'{key} = "{value}"' for key, value in {**AMPLE, **marks}.items()]
    path.write_text("\n".join([f"{head}[spool]", *wanted, *kept, ""]))
    stage.start_service()
    stage.wait_ready()


def unopened(name: str, **expected: object) -> Scene:
    """A call on the plain line, as soon as its two legs are bridged."""
    return plain(name, steps=(Do("bridge", {"agent": "1000"}),), **expected)


def test_a_long_call_goes_on_in_segments_and_what_is_between_them_is_short(limited: Stage) -> None:
    call = begun(limited, plain("long", segments=3, heard=()))
    go_on(limited, call, Talk(13.0), hang_up())
    (found,) = judged(limited, call)
    assert not found.faults
    assert found.outcome == "recorded"
    heard: list[int] = []
    with limited.desk("bob") as dsn, closing(Desk(dsn)) as desk:
        for segment in found.segments:
            row = desk.segment(segment)
            assert row.ms is not None
            assert row.ms < 8000, "5 s, and what it takes to close it"
            audio = verdict.opened(limited.site, desk, row)
            heard += [index for _, index in timecode.moments(audio)]
    assert heard == sorted(set(heard)), "nothing is in two segments"
    gaps = [after - before - 1 for before, after in pairwise(heard) if after - before > 1]
    assert len(gaps) <= 2
    assert all(gap < 50 for gap in gaps), gaps


def opened(stage: Stage, call: Played) -> list[dict[str, Any]]:
    return stage.ledger.all("opened", uuid=call.call)


def test_short_of_room_fewer_recordings_are_begun_and_those_that_run_go_on(limited: Stage) -> None:
    """The marks are moved instead of the disk, by restarts: this host's disk is not the test's alone."""
    low, needed = (
        {"dialled": f"+4722000{n}00", "rule": f"{name} line"} for n, name in ((5, "low"), (4, "needed"))
    )
    restarted(limited, segment_max="2 h")
    runs = begun(limited, plain("runs", heard=()))
    restarted(limited, segment_max="2 h", refuse_below="999999 TB")
    eventually(lambda: "shedding.all" in alarms(limited))
    without = begun(limited, unopened("without", outcome="failed", segments=0, heard=()))
    later = begun(limited, unopened("later", outcome="recorded-in-part", heard=()))
    begun_all_the_same = begun(limited, plain("needed", heard=(), **needed))
    go_on(limited, without, Talk(2.0), hang_up())
    assert not opened(limited, without)
    assert not opened(limited, later)
    restarted(limited, segment_max="2 h", warn_below="999999 TB", shed_below="999999 TB")
    eventually(lambda: "shedding.low" in alarms(limited))
    shed = begun(limited, unopened("shed", outcome="failed", segments=0, heard=(), **low))
    eventually(lambda: opened(limited, later))
    go_on(limited, shed, Talk(1.0), hang_up())
    for each in (later, runs, begun_all_the_same):
        go_on(limited, each, Talk(0.5), hang_up())
    assert not limited.ledger.all("opened", uuid=shed.call)
    found = judged(limited, runs, without, later, begun_all_the_same, shed)
    assert [(each.scene, each.faults) for each in found if each.faults] == []
    assert [each.outcome for each in found] == [
        "recorded", "failed:disk", "recorded-in-part:disk", "recorded", "failed:shed",
    ]  # fmt: skip


def test_when_starts_fail_across_calls_they_are_held_back_until_one_comes_about(limited: Stage) -> None:
    restarted(limited, segment_max="2 h")
    text = "-ERR Cannot record session!"
    limited.do("fault", kind="error", command="uuid_record * start", times=0, text=text)
    calls = [begun(limited, unopened(f"storm {n}", outcome="recorded-in-part", heard=())) for n in range(6)]
    eventually(lambda: "starts" in alarms(limited))
    before = len(limited.ledger.all("fault", fault="error"))
    for each in calls[:1]:
        go_on(limited, each, Talk(8.0))
    during = len(limited.ledger.all("fault", fault="error")) - before
    assert during <= 5, "probes after 1, 2, 4 and 8 s, and one that was on its way"
    limited.do("no_faults")
    eventually(lambda: all(opened(limited, each) for each in calls))
    eventually(lambda: "starts" not in alarms(limited))
    for each in calls:
        go_on(limited, each, Talk(0.3), hang_up())
    found = judged(limited, *calls)
    assert [(each.scene, each.faults) for each in found if each.faults] == []


def govern(stage: Stage) -> psutil.Process:
    assert stage.service is not None
    children = psutil.Process(stage.service.pid).children()
    return next(child for child in children if "fsgov.govern" in child.cmdline())


def high_water(process: psutil.Process) -> int:
    """KiB that it has taken at most (VmHWM)."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM:")).split()[1])


def counted(stage: Stage) -> dict[str, Any]:
    return dict(live.ask(stage.site.control, "GET", "/v1/status")[1])


def test_a_burst_of_events_is_governed_in_bounded_memory_and_no_call_is_lost(limited: Stage) -> None:
    """govern is frozen while ten times as many calls come in: all their events come to it at once."""
    restarted(limited, segment_max="2 h")
    process = govern(limited)

    def rush(name: str, calls: int) -> list[Played]:
        return [begun(limited, unopened(f"{name} {n}", heard=())) for n in range(calls)]

    def over(calls: list[Played]) -> None:
        eventually(lambda: all(opened(limited, each) for each in calls), 60)
        go_on(limited, calls[-1], Talk(0.5))
        for each in calls:
            go_on(limited, each, hang_up())
        eventually(lambda: counted(limited)["calls"] == 0, 60)

    usual = rush("usual", 4)
    over(usual)
    before = high_water(process)
    process.suspend()
    try:
        burst = rush("burst", 40)
    finally:
        process.resume()
    over(burst)
    after = high_water(process)
    assert counted(limited)["behind"] == 0
    assert after < 150 << 10, (before, after)
    assert after - before < 30 << 10, (before, after)
    with limited.desk("bob") as dsn, closing(Desk(dsn)) as desk:
        assert verdict.settled(limited, desk, usual + burst, 60) == []
        for each in usual + burst:
            whole = desk.call(each.call)
            assert (whole.call.outcome or "").startswith("recorded"), whole.call
            files = limited.ledger.all("opened", uuid=each.call)
            assert len(whole.segments) == len(files)
