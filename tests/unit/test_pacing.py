"""Uploads leave at the rate that was set, over all of them together."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from fsgov.config.settings import VaultSettings
from fsgov.shipper.part import opened
from fsgov.vault.pacing import PIECE, Pace, Paced


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def read(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds


def test_as_many_bytes_leave_as_the_rate_allows() -> None:
    clock = Clock()
    pace = Pace(PIECE, clock.read, clock.sleep)
    files = [Paced(io.BytesIO(bytes(5 * PIECE)), pace) for _ in range(2)]
    taken = 0
    while pieces := [file.read(1 << 20) for file in files]:
        assert all(len(piece) <= PIECE for piece in pieces)
        taken += sum(map(len, pieces))
        if not any(pieces):
            break
    assert taken == 10 * PIECE
    assert clock.now - 100 == pytest.approx(9), "the first piece leaves at once"


def test_what_was_not_used_is_not_saved_up() -> None:
    clock = Clock()
    pace = Pace(1000, clock.read, clock.sleep)
    clock.now += 3600
    begun = clock.now
    for _ in range(5):
        pace(1000)
    assert clock.now - begun == pytest.approx(4)


def test_ship_sends_audio_at_the_pace_of_its_configuration(tmp_path: Path) -> None:
    settings = VaultSettings(name="eu", url=f"file:{tmp_path}/a", keys=f"file:{tmp_path}/k")
    pace = Pace(1000)
    vault = opened(settings, pace).vault
    assert vault.audio.pace is pace
    assert vault.keys.pace is None, "a wrapped key is small, and the recording waits for it"
