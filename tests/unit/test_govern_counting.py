"""Legs whose end was never told are found by counting, and nothing else makes a connection anew."""

from __future__ import annotations

import pytest

from fsgov.events import Heartbeat, SwitchLost
from fsgov.govern.counting import Counting


def beat(live: int) -> Heartbeat:
    return Heartbeat(now=0, core="core", since_startup=9, live=live)


@pytest.mark.parametrize(
    ("lives", "behind", "times"),
    [
        ((2, 2), 0, 1),
        ((2, 2, 2), 0, 1),
        ((2, 2, 2, 2), 0, 2),
        ((2,), 0, 0),
        ((2, 3, 2), 0, 0),
        ((3, 3), 0, 0),
        ((4, 4), 0, 0),
        ((2, 2, 2), 5, 0),
    ],
)
def test_two_heartbeats_with_fewer_sessions_than_legs(
    lives: tuple[int, ...], behind: int, times: int
) -> None:
    said: list[str] = []
    counting = Counting(lambda: 3, lambda: behind, said.append)
    for live in lives:
        counting.heard(beat(live))
        counting.heard(SwitchLost(now=0, reason=""))
    assert len(said) == times
