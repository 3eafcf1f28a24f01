"""The scribe as a process: what it answers for is on disk, its lock is the spool's, its end is noticed."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import gevent
import psutil
import pytest
from gevent.event import Event as Signal

from fsgov.commands import Enter
from fsgov.errors import Conflict, Unreachable
from fsgov.govern import writing
from fsgov.govern.writing import Writing
from fsgov.spool import Spool

AT = 1_795_000_000_000_000


@pytest.fixture
def lost() -> Signal:
    return Signal()


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    return tmp_path / "spool"


@pytest.fixture
def scribe(spool: Path, lost: Signal) -> Iterator[Writing]:
    made = Writing(spool, "fs1", lost.set)
    yield made
    if not lost.is_set():
        made.close()


def entry(n: int) -> Enter:
    return Enter(call="", type="host.started", subject="fs1", time=AT + n, facts={"restarts": n})


def lines(spool: Path) -> list[str]:
    return [line for path in (spool / "entries").glob("*.jsonl") for line in path.read_text().splitlines()]


def test_an_answer_means_that_it_is_in_the_spool(scribe: Writing, spool: Path) -> None:
    with gevent.Timeout(5):
        assert scribe.ask([("remember", "c", '{"a":1}', True), ("plan", "c-01", "{}")]) == ["", ""]
    assert (spool / "calls/c.json").read_text() == '{"a":1}'
    assert (spool / "segments/c-01.json").read_text() == "{}"


def test_a_segment_number_is_taken_once_for_ever(scribe: Writing, spool: Path) -> None:
    with gevent.Timeout(5):
        assert scribe.ask([("plan", "c-01", "{}")]) == [""]
        assert scribe.ask([("plan", "c-01", "{2}")]) == ["taken"]
        (spool / "audio/c-02.wav").touch()
        assert scribe.ask([("plan", "c-02", "{}")]) == ["taken"]


def test_a_segment_is_not_planned_when_its_call_cannot_be_remembered(scribe: Writing, spool: Path) -> None:
    with gevent.Timeout(5):
        faults = scribe.ask([("remember", "../c", "{}", False), ("plan", "c-01", "{}")])
    assert all(faults)
    assert not (spool / "segments/c-01.json").exists()


@pytest.mark.parametrize("state", ["captured", "sealed", "entered"])
def test_a_segment_that_ship_has_is_not_taken_back(scribe: Writing, spool: Path, state: str) -> None:
    """Killed between the hand-over and the call file, govern hands it over again after its restart."""
    with gevent.Timeout(5):
        scribe.ask([("plan", "c-01", '{"state":"planned"}'), ("replace", "c-01", f'{{"state":"{state}"}}')])
        assert scribe.ask([("replace", "c-01", '{"state":"captured","cause":"lost"}')]) == [""]
    assert (spool / "segments/c-01.json").read_text() == f'{{"state":"{state}"}}'


def test_many_conversations_are_answered_each_with_its_own(scribe: Writing) -> None:
    with gevent.Timeout(10):
        asked = [gevent.spawn(scribe.ask, [("plan", f"c{n % 50}-01", "{}")]) for n in range(100)]
        gevent.joinall(asked)
    assert sorted(job.value[0] for job in asked) == [""] * 50 + ["taken"] * 50


def test_entries_keep_their_order(scribe: Writing, spool: Path) -> None:
    for n in range(500):
        scribe.enter(entry(n))
    with gevent.Timeout(5):
        while len(lines(spool)) < 500:
            gevent.sleep(0.01)
    assert [f'"restarts":{n}}}' in line for n, line in enumerate(lines(spool))] == [True] * 500


def test_what_was_said_is_written_when_govern_is_gone(spool: Path, lost: Signal) -> None:
    """kill -9 of govern: the kernel closes its end, the scribe finishes."""
    scribe = Writing(spool, "fs1", lost.set)
    scribe.enter(entry(1))
    gevent.sleep(0.05)
    os.close(os.dup(scribe._sock.fileno()))
    scribe._sock.close()
    with gevent.Timeout(5):
        while scribe._process.poll() is None:
            gevent.sleep(0.01)
    assert len(lines(spool)) == 1


def test_the_end_of_the_scribe_is_noticed_at_once(scribe: Writing, lost: Signal) -> None:
    scribe._process.send_signal(signal.SIGKILL)
    assert lost.wait(timeout=2)
    scribe._process.wait()


def test_who_asks_a_scribe_that_ended_while_govern_starts_is_told(scribe: Writing, lost: Signal) -> None:
    """Nothing else runs then that could end govern; no timer of a test either."""
    scribe._process.send_signal(signal.SIGKILL)
    with pytest.raises(Unreachable, match="scribe"):
        scribe.ask([("policy", "version")])
    assert lost.is_set()
    scribe._process.wait()
    scribe._sock.close()


def test_signals_for_the_whole_group_do_not_end_it(scribe: Writing) -> None:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        scribe._process.send_signal(number)
    with gevent.Timeout(5):
        assert scribe.ask([("plan", "c-01", "{}")]) == [""]


def test_a_second_govern_is_refused(scribe: Writing, spool: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "START_WITHIN", 0.6)
    with pytest.raises(Conflict, match="another govern"):
        Writing(spool, "fs1", lambda: None)
    scribes = [c.pid for c in psutil.Process().children() if "fsgov.spool.scribe" in c.cmdline()]
    assert scribes == [scribe._process.pid]


def test_a_spool_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Unreachable, match="spool"):
        Writing(tmp_path / "file/spool", "fs1", lambda: None)


def test_a_full_disk_keeps_entries_until_it_takes_them(spool: Path, tmp_path: Path) -> None:
    """A file size limit of the process is a disk that is full; SIGXFSZ is ignored as Python does."""
    import resource

    made = Writing(spool, "fs1", lambda: None)
    pid = made._process.pid
    soft, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (100, hard))
    made.enter(entry(1))
    with gevent.Timeout(5):
        assert "spool" in made.ask([("remember", "c", "x" * 200, False)])[0]
    assert lines(spool) == []
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (soft, hard))
    with gevent.Timeout(5):
        while not lines(spool):
            gevent.sleep(0.05)
    assert len(lines(spool)) == 1
    assert Spool(spool, "reader").call("c") is None
    made.close()
