"""The pure parts of ship: which step is next, when to try again, what the audio says of an outcome."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsgov.errors import BadConfiguration, Damaged, NotPermitted, Unreachable
from fsgov.media import Mask
from fsgov.shipper.outcome import Revision, revise
from fsgov.shipper.pauses import Pauses
from fsgov.shipper.retry import LASTING, LONGEST, PATIENCE, PERMANENT, decide
from fsgov.shipper.sealing import object_key
from fsgov.shipper.sidecar import Checked, SealedFile, Sidecar, Step, StoredObject, back_to, parse

WRITTEN = {
    "segment": "abc-01",
    "call": "abc",
    "tenant": "default",
    "vault": "eu",
    "state": "captured",
    "opened": 1_795_279_045_000_000,
    "closed": None,
    "reported_ms": 5000,
    "reported_size": None,
    "masks": [{"by": "mask", "from_ms": 1, "to_ms": None, "asked": 1, "acknowledged": 2, "ended": None}],
    "purposes": ["evidence"],
}
CHECKED = Checked(40_000, 5000, 80_044, "ab" * 32, False, "proven", ("a finding",))
SEALED = SealedFile("cd" * 32, 81_000, "default/2026/11/abc-01.age", b"\0wrapped\xff", ("0123456789abcdef",))
STORED = StoredObject("eu", SEALED.key, "v1", 81_000, SEALED.sha256, "k1")


def captured(**changes: object) -> Sidecar:
    return parse("abc-01", json.dumps(WRITTEN | changes))


@pytest.mark.parametrize(
    ("state", "step"),
    [
        ("planned", Step.WAIT),
        ("open", Step.WAIT),
        ("captured", Step.CHECK),
        ("ready", Step.SEAL),
        ("quarantined", Step.SEAL),
        ("sealed", Step.STORE),
        ("stored", Step.ENTER),
        ("entered", Step.KEEP),
    ],
)
def test_each_state_has_one_next_step(state: str, step: Step) -> None:
    assert captured(state=state).step is step


def test_what_govern_wrote_stays_and_what_ship_wrote_comes_back() -> None:
    whole = replace(
        captured(),
        state="stored",
        checked=CHECKED,
        quarantine="mask-not-proven",
        review_by=7,
        sealed=SEALED,
        stored=STORED,
        stored_at=9,
    )
    again = parse("abc-01", whole.to_text())
    assert replace(again, written={}) == replace(whole, written={})
    document = json.loads(whole.to_text())
    assert {name: document[name] for name in WRITTEN if name != "state"} == {
        name: value for name, value in WRITTEN.items() if name != "state"
    }
    assert again.masks == (Mask("mask", 1, None, acknowledged=True),)


def test_a_missing_file_skips_sealing_and_has_no_stored_in_its_document() -> None:
    missing = Checked(0, 0, 0, "", False, "none", ("there is no file",), missing=True)
    sidecar = replace(captured(), state="ready", checked=missing)
    assert sidecar.step is Step.ENTER
    assert "stored" not in json.loads(sidecar.to_text())
    assert not sidecar.never_opened
    assert replace(sidecar, opened=None, reported_ms=None).never_opened


def test_going_back_forgets_what_was_made() -> None:
    sealed = replace(captured(), state="sealed", checked=CHECKED, sealed=SEALED)
    assert back_to(sealed, "ready").sealed is None
    assert back_to(sealed, "ready").checked == CHECKED
    assert back_to(replace(sealed, quarantine="empty"), "ready").state == "quarantined"
    assert back_to(sealed, "captured") == captured()


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"segment":"abc-02"}', json.dumps(WRITTEN | {"state": "lost"})]
)
def test_a_text_that_is_no_sidecar_is_damage(text: str) -> None:
    with pytest.raises(Damaged):
        parse("abc-01", text)


def test_objects_lie_by_tenant_and_month() -> None:
    assert object_key(captured(), now=0) == "default/2026/11/abc-01.age"
    assert object_key(captured(opened=None), now=0) == "default/1970/01/abc-01.age"


# -- retries ----------------------------------------------------------------------------------------------


@given(st.integers(1, 10_000), st.floats(0, 100), st.floats(0, 1, exclude_max=True))
def test_pauses_grow_to_a_limit_and_never_end(failures: int, lasting: float, jitter: float) -> None:
    again = decide(Unreachable("away"), failures, lasting, jitter)
    assert 0 < again.pause <= LONGEST
    assert again.alarm == (failures >= PATIENCE or lasting >= LASTING)
    assert decide(Unreachable("away"), failures + 1, lasting, jitter).pause >= again.pause


@pytest.mark.parametrize("fault", [NotPermitted("no"), BadConfiguration("no"), Damaged("no")])
def test_what_no_retry_mends_is_an_alarm_at_once(fault: NotPermitted) -> None:
    again = decide(fault, 1, 0.0, 0.999)
    assert again.alarm
    assert PERMANENT / 2 <= again.pause <= PERMANENT


class Clock:
    def __init__(self) -> None:
        self.at = 100.0

    def __call__(self) -> float:
        return self.at


def test_a_failed_part_lets_one_through_when_its_pause_is_over() -> None:
    clock = Clock()
    pauses = Pauses(clock, lambda: 0.0)
    assert pauses.open("vault.eu")
    pauses.probe("vault.eu")
    assert pauses.open("vault.eu"), "nothing has failed: several at once"
    pause = pauses.failed("vault.eu", Unreachable("away")).pause
    assert not pauses.open("vault.eu")
    assert pauses.open("vault.uk")
    clock.at += pause
    assert pauses.open("vault.eu")
    pauses.probe("vault.eu")
    assert not pauses.open("vault.eu"), "one probe at a time"
    pauses.withdraw("vault.eu")
    assert pauses.open("vault.eu")
    pauses.succeeded("vault.eu")
    pauses.probe("vault.eu")
    assert pauses.open("vault.eu")


def test_failures_that_were_under_way_together_count_once() -> None:
    pauses = Pauses(Clock(), lambda: 0.0)
    for _ in range(PATIENCE + 1):
        assert not pauses.failed("vault.eu", Unreachable("away")).alarm


def test_a_part_that_is_slow_to_fail_is_an_alarm_at_its_second_failure() -> None:
    clock = Clock()
    pauses = Pauses(clock, lambda: 0.0)
    assert not pauses.failed("database", Unreachable("mute")).alarm
    clock.at += 40
    assert pauses.failed("database", Unreachable("mute")).alarm
    pauses.succeeded("database")
    assert not pauses.failed("database", Unreachable("mute")).alarm, "it has answered in between"


# -- outcomes ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "frames", "revision"),
    [
        ("recorded", [100], None),
        ("recorded", [], Revision("failed", "media")),
        ("recorded", [0], Revision("failed", "media")),
        ("recorded", [0, 0], Revision("failed", "media")),
        ("recorded", [0, 100], Revision("recorded-in-part", "media")),
        ("recorded-in-part", [0, 100], None),
        ("recorded-in-part", [0], Revision("failed", "media")),
        ("withdrawn", [0], None),
        ("refused", [0], None),
        ("merged", [0], None),
        (None, [0], None),
        ("failed", [], None),
        ("failed", [0], None),
        ("failed", [0, 100], Revision("recorded-in-part", "unconfirmed")),
        ("refused", [100], None),
    ],
)
def test_audio_that_is_not_there_revises_only_what_rests_on_it(
    outcome: str | None, frames: list[int], revision: Revision | None
) -> None:
    assert revise(outcome, frames) == revision
