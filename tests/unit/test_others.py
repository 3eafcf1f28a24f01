"""Whether ship and keep live, judged by what they leave behind; the clock is the test's."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fsgov import daemon
from fsgov.catalog.inforce import Look
from fsgov.govern.others import LATELY, SILENT, Others
from fsgov.spool import Spool
from fsgov.spool.layout import ENDS

NOW = 1_795_280_000_000_000
HEARD = datetime(2026, 11, 21, tzinfo=UTC)


class Host:
    """A spool with a ship, a database that tells of keep, and what govern makes of both."""

    def __init__(self, root: Path) -> None:
        self.spool = Spool(root / "spool", "ship")
        self.reader = Spool(root / "spool", "reader")
        self.seen: Look | None = Look(None, None, (), HEARD)
        self.clock, self.now = 0.0, NOW
        self.others = Others(
            root / "spool", lambda: self.reader.heard("ship"), lambda: self.seen, self.wall, self.time
        )

    def wall(self) -> int:
        return self.now

    def time(self) -> float:
        return self.clock

    def after(self, seconds: float, ship: bool = True, keep: bool = True) -> dict[str, str]:
        """What troubles when so much time has passed, with a sign of life of these at its end."""
        self.clock += seconds
        self.now += int(seconds * 1_000_000)
        if ship:
            os.utime(self.spool._lock or 0, ns=(self.now, self.now))
        if keep and self.seen is not None:
            self.seen = Look(None, None, (), datetime.fromtimestamp(self.now / 1e6, UTC))
        self.others.look()
        return {name: fault.message for name, fault in self.others.troubles().items()}

    def ended(self, **ends: list[int]) -> None:
        children = [daemon.Child(part, [], ends=times) for part, times in ends.items()]
        daemon.write_down(children, self.spool.directory / ENDS)

    def close(self) -> None:
        self.spool.close()
        self.reader.close()


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_who_is_heard_troubles_nobody(host: Host) -> None:
    for _ in range(5):
        assert host.after(SILENT / 2) == {}


def test_who_is_silent_for_a_minute_is_told_until_it_is_heard_again(host: Host) -> None:
    assert host.after(1) == {}
    assert host.after(SILENT - 1, ship=False, keep=False) == {}
    assert list(host.after(2, ship=False, keep=False)) == ["part.ship", "part.keep"]
    assert list(host.after(1, keep=False)) == ["part.keep"]
    assert host.after(1) == {}


def test_a_part_that_never_came_is_told_as_well(tmp_path: Path) -> None:
    bare = Spool(tmp_path / "spool", "reader")
    clock = [0.0]
    others = Others(
        tmp_path / "spool",
        lambda: bare.heard("ship"),
        lambda: Look(None, None, ()),
        lambda: NOW,
        lambda: clock[0],
    )
    others.look()
    assert others.troubles() == {}
    clock[0] = SILENT + 1
    others.look()
    assert set(others.troubles()) == {"part.ship", "part.keep"}
    bare.close()


def test_of_keep_nothing_is_said_while_the_database_does_not_answer(host: Host) -> None:
    host.after(1)
    host.seen = None
    for _ in range(5):
        assert host.after(SILENT) == {}
    host.seen = Look(None, None, (), HEARD)
    assert host.after(1, keep=False) == {}
    assert host.after(SILENT - 2, keep=False) == {}
    assert list(host.after(3, keep=False)) == ["part.keep"]


def test_who_has_ended_is_told_for_ten_minutes(host: Host) -> None:
    host.ended(govern=[], ship=[NOW - LATELY - 1, NOW], keep=[])
    assert host.after(1) == {"part.ship": "ship has ended once without being told to"}
    host.ended(govern=[], ship=[NOW, NOW + 1], keep=[NOW])
    assert host.after(1) == {
        "part.ship": "ship has ended 2 times without being told to",
        "part.keep": "keep has ended once without being told to",
    }
    assert len(host.after(SILENT / 2)) == 2
    for _ in range(19):
        host.after(SILENT / 2)
    assert host.after(SILENT / 2) == {}


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"ship": 1}', '{"ship": ["x"]}', '{"moon": [9e18]}', "null"]
)
def test_what_cannot_be_read_is_no_alarm(host: Host, text: str) -> None:
    (host.spool.directory / ENDS).write_text(text)
    assert host.after(1) == {}


def test_only_the_last_ends_are_written_down(tmp_path: Path) -> None:
    child = daemon.Child("ship", [])
    for _ in range(daemon.REMEMBERED + 5):
        child.back_off(1)
    daemon.write_down([child], tmp_path / ENDS)
    assert len(json.loads((tmp_path / ENDS).read_text())["ship"]) == daemon.REMEMBERED
    daemon.write_down([child], tmp_path / "gone" / ENDS)


def test_a_sign_of_life_is_written_every_few_seconds(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", "ship")
    assert spool.heard("ship") is not None
    os.utime(spool._lock or 0, ns=(1, 1))
    spool.alive()
    first = spool.heard("ship")
    assert first is not None
    assert first > 1
    os.utime(spool._lock or 0, ns=(1, 1))
    spool.alive()
    assert spool.heard("ship") == 1
    assert spool.heard("govern") is None
    spool.close()
