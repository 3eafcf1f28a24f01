"""`fsgov report outcomes` against the simulated switch's own ledger: every session is somewhere."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg2

from fsgov.catalog.desk import Desk
from fsgov.demo.scenes import Talk
from fsgov.demo.stage import Said, Stage
from tests.acceptance.play import (
    begun,
    eventually,
    fsgov,
    go_on,
    good,
    hang_up,
    judged,
    of_demo,
    plain,
    together,
)


def test_every_session_of_the_switch_is_a_leg_or_is_named(alone: Stage) -> None:
    since = datetime.now(UTC) - timedelta(minutes=5)
    counts_are(alone, 1)
    played = together(alone, plain("one"), of_demo("declined"), of_demo("never"))
    for each in played[:1]:
        go_on(alone, each, Talk(0.3), hang_up())
    good(*judged(alone, *played))
    beats(alone)
    assert alone.stop_service() == 0
    unseen = [begun(alone, plain(name, steps=())) for name in ("nobody watches", "nor here")]
    for each in unseen:
        go_on(alone, each, Talk(0.2), hang_up())
    alone.start_service()
    alone.wait_ready()
    counts_are(alone, 3)
    late = begun(alone, plain("after"))
    go_on(alone, late, Talk(0.3), hang_up())
    good(*judged(alone, late))
    beats(alone)
    assert alone.stop_service() == 0

    said = asked(alone, since)
    found = json.loads(said.out)
    assert (said.code, found["differences"]) == (0, []), said
    legs = alone.ledger.all("leg")
    away = [leg for leg in legs if leg["call"] in {each.call for each in unseen}]
    assert away
    (host,) = found["sessions"]
    expected = {"sessions": len(legs), "legs": len(legs) - len(away), "away": len(away), "ungoverned": 0}
    assert {name: host[name] for name in expected} == expected
    (ours,) = found["outcomes"]
    assert ours["conversations"] == len({leg["call"] for leg in legs} - {each.call for each in unseen})
    assert sum(ours["outcomes"].values()) == ours["conversations"]

    assert alone.database is not None
    with (
        closing(psycopg2.connect(alone.database.dsn())) as connection,
        connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("DELETE FROM fsgov.legs WHERE leg = %s", (late.call,))
        cursor.execute(
            "UPDATE fsgov.calls SET outcome = NULL, opened_at = opened_at - interval '2 days'"
            " WHERE call = %s",
            (late.call,),
        )
    said = asked(alone, since - timedelta(days=2))
    assert said.code == 8
    assert f"have no outcome: {late.call}" in said.err
    assert "1 are missing" in said.err


def asked(stage: Stage, since: datetime) -> Said:
    return fsgov(stage, "report", "outcomes", "--since", since.isoformat(), "--json", person="bob")


def counts_are(stage: Stage, wanted: int) -> None:
    """So many counts of the switch are in the log."""
    with stage.desk("bob") as dsn, closing(Desk(dsn)) as desk:
        eventually(lambda: len(entered(desk)) >= wanted)


def entered(desk: Desk) -> list[dict[str, Any]]:
    lines = [json.loads(row.line) for row in desk.log.lines(desk.log.state().log_id)]
    return [line for line in lines if line["type"] == "fsgov.sessions.counted.v1"]


def beats(stage: Stage) -> None:
    """The heart beats three times more: the count settles."""
    before = stage.do("time")["epoch"]
    eventually(lambda: stage.do("time")["epoch"] > before + 2.5)
