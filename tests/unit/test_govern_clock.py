"""The clock of govern: even while calls are up, the host's own when none is."""

from __future__ import annotations

import pytest

from fsgov.govern.clock import Clock

HOUR = 3600 * 10**9


class Host:
    """A host's two clocks, in nanoseconds."""

    def __init__(self) -> None:
        self.wall, self.even = 1_795_279_045 * 10**9, 77 * 10**9

    def passes(self, seconds: float) -> None:
        self.wall += int(seconds * 10**9)
        self.even += int(seconds * 10**9)


@pytest.mark.parametrize("step", [HOUR, -HOUR], ids=["forward", "back"])
def test_a_jump_is_not_followed_while_a_call_is_up_and_taken_up_afterwards(step: int) -> None:
    host = Host()
    clock = Clock(lambda: host.wall, lambda: host.even)
    assert clock() == host.wall // 1000
    before = clock()
    host.wall += step
    host.passes(2)
    clock.compare(idle=False)
    assert clock() == before + 2_000_000
    assert [fault.detail for fault in clock.troubles().values()] == [f"{step // 10**9:+} s"]
    clock.compare(idle=True)
    assert clock() == host.wall // 1000
    assert not clock.troubles()


def test_what_is_slewed_is_left_alone() -> None:
    host = Host()
    clock = Clock(lambda: host.wall, lambda: host.even)
    host.wall += 400_000_000
    host.passes(1)
    before = clock()
    clock.compare(idle=True)
    assert clock() == before
