"""Alarms: told once when raised and once when cleared, known by the table, kept as each part needs it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from fsgov.alarms import TABLE, Alarms, family
from fsgov.catalog.keep import Keep
from fsgov.errors import Damaged, Unreachable
from fsgov.events import Instant
from fsgov.journal.alarms import Alarms as OfKeep
from fsgov.shipper.alarms import Alarms as OfShip
from fsgov.spool import Spool

AWAY = Unreachable("It does not answer", "port 1")


class Told:
    """What was entered."""

    def __init__(self) -> None:
        self.entries: list[tuple[str, Instant, Mapping[str, str]]] = []
        self.clock = 0

    def enter(self, type_: str, time: Instant, facts: Mapping[str, str]) -> None:
        self.entries.append((type_, time, facts))

    def now(self) -> Instant:
        self.clock += 1
        return self.clock

    def alarms(self, part: str = "ship") -> Alarms:
        return Alarms(part, self.enter, self.now)


def test_it_is_told_once_when_raised_and_once_when_cleared() -> None:
    told = Told()
    alarms = told.alarms()
    for _ in range(3):
        alarms.raise_("vault.eu", AWAY)
    assert alarms.up == {"vault.eu": "It does not answer"}
    for _ in range(3):
        alarms.clear("vault.eu")
    facts = {"alarm": "vault.eu", "reason": "It does not answer"}
    assert told.entries == [("alarm.raised", 1, facts), ("alarm.cleared", 2, facts)]
    assert alarms.up == {}


def test_an_entry_has_the_message_and_never_the_detail() -> None:
    told = Told()
    told.alarms().raise_("database", Unreachable("PostgreSQL is away", "user alice"))
    assert "alice" not in json.dumps(told.entries)


def test_what_troubles_is_up_and_nothing_else() -> None:
    told = Told()
    alarms = told.alarms()
    alarms.follow({"vault.eu": AWAY, "database": AWAY})
    alarms.follow({"database": AWAY})
    assert list(alarms.up) == ["database"]
    assert [type_ for type_, _, _ in told.entries] == ["alarm.raised", "alarm.raised", "alarm.cleared"]


def test_the_gauge_counts_by_row_and_knows_the_rows_of_its_part() -> None:
    alarms = Told().alarms("ship")
    assert set(alarms.counted()) == {row.name for row in TABLE.values() if "ship" in row.parts}
    assert set(alarms.counted().values()) == {0}
    alarms.follow({"vault.eu": AWAY, "vault.uk": AWAY, "segment.0f6c-01": AWAY})
    counted = alarms.counted()
    assert (counted["vault"], counted["segment"], counted["database"]) == (2, 1, 0)


def test_a_name_belongs_to_its_row() -> None:
    assert family("sink.vault.eu") is TABLE["sink"]
    assert family("switch") is TABLE["switch"]
    with pytest.raises(KeyError):
        family("unheard.of")


def test_every_row_says_what_to_do() -> None:
    for row in TABLE.values():
        assert row.meaning.endswith(".")
        assert row.remedy.endswith(".")
        assert set(row.parts) <= {"govern", "ship", "keep"}
        assert row.parts
        assert "." not in row.name


def test_those_of_ship_outlive_it(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", "ship")
    writer = spool.entry_writer("fs1", "ship", 1)
    place = tmp_path / "ship.alarms.json"
    OfShip(place, "fs1", writer, lambda: 1).raise_("vault.eu", AWAY)
    again = OfShip(place, "fs1", writer, lambda: 2)
    assert again.up == {"vault.eu": "It does not answer"}
    again.raise_("vault.eu", AWAY)
    again.clear("vault.eu")
    assert OfShip(place, "fs1", writer, lambda: 3).up == {}
    writer.close()
    spool.close()
    lines = [
        json.loads(line)
        for path in (tmp_path / "spool/entries").glob("*.jsonl")
        for line in path.read_text().splitlines()
    ]
    assert [line["type"] for line in lines] == ["fsgov.alarm.raised.v1", "fsgov.alarm.cleared.v1"]


class Outbox:
    """A catalog that may be away; what got through is in `lines`."""

    def __init__(self) -> None:
        self.away = True
        self.lines: list[dict[str, Any]] = []
        self.said: list[tuple[str, dict[str, str]]] = []

    def say(self, host: str, alarms: Mapping[str, str]) -> None:
        if self.away:
            raise Unreachable("PostgreSQL is away")
        self.said.append((host, dict(alarms)))

    def enter(self, origin: str, first: int, lines: Sequence[bytes]) -> int:
        if self.away:
            raise Unreachable("PostgreSQL is away")
        assert first == len(self.lines) + 1
        assert origin.startswith("fs1.keep.")
        self.lines += [json.loads(line) for line in lines]
        return len(self.lines)


def test_those_of_keep_wait_for_the_database_in_their_order() -> None:
    outbox = Outbox()
    clock = iter(range(1_000_000, 9_000_000, 1_000_000))
    alarms = OfKeep(cast(Keep, outbox), "fs1", lambda: next(clock))
    alarms.stuck(AWAY)
    alarms.stuck(AWAY)
    assert alarms.up == {"log": "It does not answer"}
    with pytest.raises(Unreachable):
        alarms.follow({"vault:eu": AWAY})
    outbox.away = False
    alarms.follow({"vault:eu": AWAY})
    assert [(line["type"].split(".")[2], line["data"]["alarm"]) for line in outbox.lines] == [
        ("raised", "log"),
        ("raised", "sink.vault.eu"),
        ("cleared", "log"),
    ]
    assert outbox.lines[0]["time"] == "1970-01-01T00:00:02.000Z", (
        "when it was raised, not when it was entered"
    )


def test_a_refused_line_of_keep_is_not_entered_twice() -> None:
    outbox = Outbox()
    outbox.away = False
    alarms = OfKeep(cast(Keep, outbox), "fs1", lambda: 1)
    alarms.follow({"file": Damaged("broken")})
    alarms.follow({"file": Damaged("broken")})
    alarms.follow({})
    assert [line["id"].rpartition(".")[2] for line in outbox.lines] == ["1", "2"]


def test_keep_says_which_are_up_and_that_it_lives() -> None:
    outbox, clock = Outbox(), [0.0]
    outbox.away = False
    alarms = OfKeep(cast(Keep, outbox), "fs1", lambda: 1, lambda: clock[0])
    alarms.follow({})
    alarms.follow({})
    alarms.follow({"file": AWAY})
    assert outbox.said == [("fs1", {}), ("fs1", {"sink.file": "It does not answer"})]
    clock[0] += 10
    alarms.follow({"file": AWAY})
    assert outbox.said[2:] == outbox.said[1:2]
    alarms.stuck(Damaged("The log is not what was signed"))
    assert outbox.said[-1][1] == {
        "sink.file": "It does not answer", "log": "The log is not what was signed",
    }  # fmt: skip
    told = len(outbox.said)
    alarms.clear("log")
    outbox.away = True
    alarms.stuck(Unreachable("PostgreSQL is away"))
    alarms.stuck(Damaged("The log is not what was signed"))
    assert len(outbox.said) == told
