"""PostgreSQL away: calls are decided, recorded and paused all the same, and everything arrives later."""

from __future__ import annotations

from contextlib import closing

import pytest

from fsgov import embedded
from fsgov.catalog.desk import Desk
from fsgov.demo import aftermath
from fsgov.demo.stage import Stage
from fsgov.errors import Unreachable
from tests.acceptance.play import (
    begun,
    eventually,
    go_on,
    good,
    hang_up,
    judged,
    of_demo,
    plain,
    refused,
    together,
)


def test_without_a_database_govern_starts_decides_records_and_pauses(stage: Stage) -> None:
    eventually((stage.site.spool / "people.json").exists)
    assert stage.stop_service() == 0
    embedded.stop(stage.site.database)
    part = stage.start_service(part="govern")
    try:
        eventually(stage.connected)
        paused, *others = together(
            stage, of_demo("paused"), of_demo("recorded"), of_demo("never"), of_demo("declined")
        )
        assert not paused.trouble
        with pytest.raises(Unreachable):
            embedded.resolve(f"embedded:{stage.site.database}")
        goes_on = begun(stage, plain("goes on"))
    finally:
        part.terminate()
        assert part.wait(30) == 0
    assert list((stage.site.spool / "entries").glob("*.govern.*.jsonl"))
    assert len(list((stage.site.spool / "segments").glob(f"{paused.call}-*"))) == 1
    assert stage.database is not None
    stage.database.revive()
    stage.start_service()
    stage.wait_ready()
    go_on(stage, goes_on, hang_up())
    good(*judged(stage, paused, *others, goes_on))


def test_a_database_that_goes_while_everything_runs_is_waited_for(stage: Stage) -> None:
    before = begun(stage, plain("before"))
    embedded.stop(stage.site.database)
    go_on(stage, before, hang_up())
    meanwhile, declined = together(stage, of_demo("hold"), refused("meanwhile"))
    go_on(stage, declined, hang_up())
    assert stage.database is not None
    stage.database.revive()
    good(*judged(stage, before, meanwhile, declined))
    stage.stop_service()
    with stage.desk("bob") as dsn, closing(Desk(dsn)) as desk:
        assert aftermath.faults(stage.site, desk) == []
        report, faults = aftermath.log(stage.site, desk)
    assert faults == []
    assert report is not None
    assert report.uncovered == 0
