"""The limits of a host, with the real service: how long a segment may grow.

The oracles are the switch's ledger and the frames in the vault, each of which tells its moment.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise

import pytest

from fsgov.catalog.desk import Desk
from fsgov.demo import site, verdict
from fsgov.demo.scenes import Talk
from fsgov.demo.site import Site
from fsgov.demo.stage import Stage
from fsgov.simulator import timecode
from tests.acceptance.play import HEARTBEAT, begun, go_on, hang_up, judged, plain, policy

LIMITS = """
segment_max = "5 s"
"""


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A stage of its own, whose host has tight limits."""
    where = Site(tmp_path_factory.mktemp("limits"))
    with Stage.open(where) as made:
        site.make(where, policy())
        made.start_switch(*HEARTBEAT)
        text = where.service.read_text()
        assert text.count("[spool]\n") == 1
        where.service.write_text(text.replace("[spool]\n", f"[spool]{LIMITS}"))
        made.start_service()
        made.wait_ready()
        yield made


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
