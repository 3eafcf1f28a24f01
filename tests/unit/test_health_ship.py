"""What ship and keep tell of themselves: faults by part, when to ask for a sign of life, who is behind."""

from __future__ import annotations

from typing import Any, cast

import pytest

from fsgov.alarms import Alarms
from fsgov.catalog.keep import Keep
from fsgov.catalog.ship import Ship
from fsgov.errors import Damaged, NotFound, NotPermitted, Unreachable
from fsgov.health.keep import KeepVitals
from fsgov.health.metrics import TABLE
from fsgov.health.ship import ShipVitals
from fsgov.journal.sequencer import Round, Sequencer
from fsgov.merkle import generate_signing_key
from fsgov.shipper.pauses import Pauses
from fsgov.shipper.probing import PROBE_EVERY, Probing
from fsgov.shipper.storing import Destination
from fsgov.shipper.telling import NAMES, Telling
from fsgov.spool import Spool

COMMON = {"fsgov_build_info", "fsgov_alarms", "fsgov_ready", "fsgov_loop_age_seconds"}
AWAY = Unreachable("It does not answer")


class Clock:
    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


class Bucket:
    """A bucket that answers a listing as the test says."""

    def __init__(self, url: str, fault: Exception | None = None) -> None:
        self.url = url
        self.fault = fault

    def list(self, prefix: str) -> Any:
        assert prefix == "probe/"
        if self.fault:
            raise self.fault
        return iter(())


class Vault:
    def __init__(self, audio: Bucket, keys: Bucket) -> None:
        self.audio, self.keys = audio, keys


@pytest.fixture
def clock() -> Clock:
    return Clock()


def probing(clock: Clock, telling: Telling, pauses: Pauses, **vaults: Vault) -> Probing:
    destinations = {name: Destination(cast(Any, vault), ()) for name, vault in vaults.items()}
    return Probing(cast(Ship, None), "fs1.ship.1", destinations, pauses, telling, clock)


def gates(found: Probing) -> list[str]:
    return [gate for gate, _, _ in found.due()]


def test_a_part_is_asked_when_it_has_said_nothing_for_ten_seconds(clock: Clock) -> None:
    telling, pauses = Telling(clock), Pauses(clock, lambda: 1.0)
    asked = probing(clock, telling, pauses, eu=Vault(Bucket("file:a"), Bucket("file:k")))
    assert gates(asked) == ["database", "vault.eu"]
    assert gates(asked) == [], "it is being asked"
    for gate in ("database", "vault.eu"):
        asked.over(gate)
        telling.answered(gate)
    assert gates(asked) == []
    clock.seconds += PROBE_EVERY - 1
    telling.answered("database")
    clock.seconds += 1
    assert gates(asked) == ["vault.eu"]


def test_a_part_that_fails_is_asked_as_soon_as_its_pause_is_over(clock: Clock) -> None:
    telling, pauses = Telling(clock), Pauses(clock, lambda: 1.0)
    asked = probing(clock, telling, pauses)
    assert gates(asked) == ["database"]
    telling.failed("probe", "database", AWAY)
    pauses.failed("database", AWAY)
    asked.over("database")
    assert gates(asked) == []
    clock.seconds += 0.5
    assert gates(asked) == ["database"]


@pytest.mark.parametrize(
    ("url", "fault", "reached"),
    [
        ("s3://s3.example.net/a", None, True),
        ("s3://s3.example.net/a", NotPermitted("may not list"), True),
        ("file:/srv/a", NotPermitted("may not read"), False),
        ("file:/srv/a", NotFound("no such bucket"), False),
        ("s3://s3.example.net/a", AWAY, False),
    ],
)
@pytest.mark.parametrize("which", ["audio", "keys"])
def test_both_buckets_of_a_vault_are_asked(
    clock: Clock, url: str, fault: Exception | None, reached: bool, which: str
) -> None:
    buckets = {"audio": Bucket("file:x"), "keys": Bucket("file:y"), which: Bucket(url, fault)}
    asked = probing(clock, Telling(clock), Pauses(clock), eu=Vault(**buckets))
    ((_, pool, ask),) = [found for found in asked.due() if found[0] == "vault.eu"]
    assert pool == "uploads"
    if reached or fault is None:
        ask()
        return
    with pytest.raises(type(fault)):
        ask()


def test_a_fault_is_of_the_part_until_the_part_answers(clock: Clock) -> None:
    telling = Telling(clock)
    telling.failed("store", "vault.eu", AWAY)
    telling.failed("check", "", Damaged("the segment's own"))
    assert telling.faults == {"vault.eu": "It does not answer"}
    assert telling.failures == {"store": 1, "check": 1}
    telling.answered("vault.eu")
    assert telling.faults == {}


def test_only_what_succeeds_is_timed(clock: Clock) -> None:
    telling = Telling(clock)

    def fail() -> None:
        raise AWAY

    assert telling.timed("seal", lambda: 5)() == 5
    with pytest.raises(Unreachable):
        telling.timed("seal", fail)()
    assert sum(telling.steps["seal"].counts) == 1


class Shipping:
    """ship as its vitals see it."""

    def __init__(self, clock: Clock) -> None:
        self.telling = Telling(clock)
        self.raised = Alarms("ship", lambda *_: None, lambda: 1)
        self.items: list[Any] = []


def test_ship_is_ready_when_everything_has_answered(clock: Clock, spool: Spool) -> None:
    shipping = Shipping(clock)
    vitals = ShipVitals(cast(Any, shipping), spool, {"eu": None})
    assert vitals.checks() == {"spool": "", "database": "not asked yet", "vault.eu": "not asked yet"}
    shipping.telling.answered("database")
    shipping.telling.answered("vault.eu")
    assert vitals.checks() == {"spool": "", "database": "", "vault.eu": ""}
    shipping.telling.failed("seal", "sealing.eu", Unreachable("no recipient"))
    assert vitals.checks()["sealing.eu"] == "no recipient"
    vitals.close()


def test_the_readings_of_ship_are_its_rows(clock: Clock, spool: Spool) -> None:
    vitals = ShipVitals(cast(Any, Shipping(clock)), spool, {})
    readings = vitals.readings()
    assert set(readings) | COMMON == {row.name for row in TABLE if "ship" in row.parts}
    assert {step for (step,) in readings["fsgov_ship_step_seconds"]} == set(NAMES.values())
    assert set(NAMES.values()) == {"check", "seal", "store", "lock", "enter", "discard"}
    vitals.close()


def test_what_is_not_entered_is_counted_in_bytes(clock: Clock, spool: Spool) -> None:
    vitals = ShipVitals(cast(Any, Shipping(clock)), spool, {})
    writer = spool.entry_writer("fs1", "govern", 1)
    writer.enter("host.stopping", "fs1", 1, {})
    size = (spool.entries_directory / f"{writer.origin}.jsonl").stat().st_size
    assert vitals.readings()["fsgov_spool_unentered_bytes"][()] == size > 100
    files = spool.entry_files()
    files.entered(writer.origin, files.unentered(writer.origin, files.mark(writer.origin)).after)
    assert vitals.readings()["fsgov_spool_unentered_bytes"][()] == 0
    files.close()
    writer.close()
    vitals.close()


@pytest.fixture
def spool(tmp_path: Any) -> Any:
    found = Spool(tmp_path / "spool", "ship")
    yield found
    found.close()


class Copy:
    """A sink or anchor by name."""

    def __init__(self, name: str) -> None:
        self.name = name


def test_keep_tells_how_its_rounds_go_and_who_is_behind() -> None:
    sequencer = Sequencer(
        cast(Keep, None),
        generate_signing_key(bytes),
        lambda: 1,
        [cast(Any, Copy("file"))],
        [cast(Any, Copy("vault:eu"))],
    )
    vitals = KeepVitals(sequencer, Alarms("keep", lambda *_: None, lambda: 1), lambda: 1)
    assert vitals.checks() == {"database": "not asked yet", "sink.file": "", "sink.vault.eu": ""}
    vitals.succeeded(Round(leading=True, moved=3, size=3))
    sequencer._frontier.append(bytes(32))
    sequencer._signed = 1
    sequencer.troubles["vault:eu"] = AWAY
    readings = vitals.readings()
    assert vitals.checks() == {"database": "", "sink.file": "", "sink.vault.eu": "It does not answer"}
    assert readings["fsgov_log_leading"][()] == 1
    assert readings["fsgov_log_moved_lines_total"][()] == 3
    assert readings["fsgov_sink_behind_lines"] == {("file",): 1.0, ("vault.eu",): 1.0}
    assert set(readings) | COMMON == {row.name for row in TABLE if "keep" in row.parts}
    vitals.failed(AWAY)
    assert vitals.checks()["database"] == "It does not answer"
    assert vitals.readings()["fsgov_log_leading"][()] == 0
    vitals.succeeded(Round(leading=False))
    assert vitals.checks()["database"] == ""
