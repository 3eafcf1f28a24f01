"""Two daemons on one host, two hosts on one catalog and one vault, two keeps: all of them real processes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from fsgov.catalog.desk import Desk
from fsgov.demo import aftermath
from fsgov.demo.scenes import Talk
from fsgov.demo.stage import Stage
from fsgov.verify import verify_directory
from tests.acceptance.hosts import Host, two
from tests.acceptance.play import begun, eventually, go_on, good, hang_up, judged, plain, refused, together

LEADING = "log.leading"


@pytest.fixture
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Host, Host]]:
    with two(tmp_path_factory.mktemp("hosts")) as made:
        yield made


def test_a_second_daemon_on_one_spool_is_refused_and_harms_nothing(stage: Stage) -> None:
    """Each part alone, and all three as `fsgov run`."""
    running = begun(stage, plain("goes on"))
    parts = [stage.start_service(part=part) for part in ("ship", "govern")]
    command = [sys.executable, "-m", "fsgov", "--config", str(stage.site.service), "run"]
    whole = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
    for part, refused_one in zip(("ship", "govern"), parts, strict=True):
        assert refused_one.wait(60) == 7
        log = (stage.site.host / f"{part}.log").read_text()
        assert f"another {part} is at work on this spool" in log
        assert "Traceback" not in log
    _, said = whole.communicate(timeout=90)
    assert whole.returncode == 7, said.decode()[-500:]
    assert b"another govern is at work on this spool" in said
    go_on(stage, running, Talk(0.5), hang_up())
    good(*judged(stage, running))


def test_two_hosts_on_one_catalog_and_one_vault_and_the_keep_of_each_in_turn(
    hosts: tuple[Host, Host],
) -> None:
    first, second = hosts
    leads = first.start("keep")
    eventually(lambda: LEADING in first.said("keep"))
    waits = second.start("keep")
    eventually(lambda: "log.standby" in second.said("keep"))
    said = [together(host, plain("one"), refused("no"), plain("two")) for host in hosts]
    for host, (one, no, two_) in zip(hosts, said, strict=True):
        for each in (one, no, two_):
            go_on(host, each, Talk(0.3), hang_up())
    for host, played in zip(hosts, said, strict=True):
        good(*judged(host, *played))
    assert LEADING not in second.said("keep")

    first.kill(leads)
    eventually(lambda: LEADING in second.said("keep"))
    third = begun(first, plain("after the kill"))
    go_on(first, third, Talk(0.3), hang_up())
    good(*judged(first, third))

    frozen, again = waits, first.start("keep")
    before = first.said("keep").count(LEADING)
    eventually(lambda: "log.standby" in first.said("keep"))
    frozen.send_signal(signal.SIGSTOP)
    fourth = begun(second, plain("while one is frozen"))
    go_on(second, fourth, Talk(0.3), hang_up())
    eventually(lambda: first.said("keep").count(LEADING) > before, within=60)
    good(*judged(second, fourth))
    standbys = second.said("keep").count("log.standby")
    frozen.send_signal(signal.SIGCONT)
    eventually(lambda: second.said("keep").count("log.standby") > standbys)
    fifth = begun(second, plain("after it woke"))
    go_on(second, fifth, Talk(0.3), hang_up())
    good(*judged(second, fifth))

    for host in hosts:
        for part in [part for part in host.parts if part not in (frozen, again)]:
            assert host.stop(part) == 0
    nothing_waits(first)
    assert second.stop(frozen) == 0
    assert first.stop(again) == 0
    accounted(hosts, [[*said[0], third], [*said[1], fourth, fifth]])


def nothing_waits(host: Host) -> None:
    with host.desk("bob") as dsn, closing(Desk(dsn)) as desk:
        eventually(lambda: desk.log.state().waiting == 0)


def accounted(hosts: tuple[Host, Host], played: list[list]) -> None:  # type: ignore[type-arg]
    """By each switch's own account: its calls and files are in catalog and vault, under its host's name."""
    with hosts[0].desk("bob") as dsn, closing(Desk(dsn)) as desk:
        calls = {row.call: row.host for row in desk.calls(limit=1000)}
        rows = {row.segment: row for row in desk.segments(limit=1000)}
        for host in hosts:
            assert {leg["call"] for leg in host.ledger.all("leg")} == {
                c for c, name in calls.items() if name == host.name
            }
            files = {Path(each["file"]).stem for each in host.ledger.all("closed") if each["frames"]}
            assert files == {segment for segment, row in rows.items() if calls[row.call] == host.name}
            assert not list((host.site.spool / "audio").iterdir())
        assert [len(each) for each in played] == [
            len([c for c in calls.values() if c == h.name]) for h in hosts
        ]

        state = desk.log.state()
        lines = [json.loads(row.line) for row in desk.log.lines(state.log_id, 0, state.size)]
        twice = [id_ for id_, count in Counter(line["id"] for line in lines).items() if count > 1]
        assert twice == []
        over = Counter(line["subject"] for line in lines if line["type"] == "fsgov.call.over.v1")
        assert over == dict.fromkeys(calls, 1)
        for line in lines:
            if line["subject"] in calls:
                assert line["source"] in (f"/fsgov/{calls[line['subject']]}", "/fsgov/desk")
        report, faults = aftermath.log(hosts[0].site, desk)
    assert report is not None
    assert report.uncovered == 0
    assert faults == []
    copy = verify_directory(hosts[1].site.host / "log" / report.log_id, hosts[0].site.log_key())
    assert copy.lines <= report.lines
