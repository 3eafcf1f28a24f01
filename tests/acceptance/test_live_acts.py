"""Live acts by people of this computer, through `fsgov calls`: who may, on what, and what comes of it."""

from __future__ import annotations

from contextlib import closing

import psycopg2
import pytest

from fsgov.catalog import people
from fsgov.catalog.desk import Desk
from fsgov.catalog.rows import PersonRow
from fsgov.cli import live
from fsgov.demo.scenes import END, Act, Between, Do, Scene, Talk
from fsgov.demo.stage import Stage
from fsgov.errors import BadUsage, Conflict, NotFound, NotPermitted
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
    started,
)


def administer(stage: Stage, statement: str) -> None:
    assert stage.database is not None
    with (
        closing(psycopg2.connect(stage.database.dsn())) as connection,
        connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)


def person(stage: Stage) -> PersonRow:
    """Who this computer's user is."""
    assert stage.database is not None
    (found,) = [row for row in people.everybody(stage.database.dsn()) if row.os_user]
    return found


def on_demand(name: str) -> Scene:
    return plain(
        name,
        dialled="+4722000200",
        rule="on demand",
        steps=(Do("bridge", {"agent": "1000"}),),
        silent=(Between("answered", "start asked"), Between("stopped", END)),
        heard=(Between("started", "stop asked"),),
    )


def test_started_tagged_and_stopped_by_alice(stage: Stage) -> None:
    call = begun(stage, on_demand("on demand"))
    go_on(stage, call, Do("time", mark="answered", of_call=False), Talk(0.5))
    assert fsgov(stage, "calls", "pause", call.call).code == Conflict.exit_code
    go_on(stage, call, Act("start", asked="start asked", done="started"), Talk(0.5))
    assert fsgov(stage, "calls", "tag", call.call, "complaint").code == 0
    go_on(stage, call, Act("stop", asked="stop asked", done="stopped"), Talk(0.5), hang_up())
    good(*judged(stage, call))
    with stage.desk("bob") as dsn, closing(Desk(dsn)) as desk:
        whole = desk.call(call.call)
        (tag,) = whole.tags
        assert (tag.tag, tag.actor) == ("complaint", person(stage).id)
        lines = b"\n".join(row.line for row in desk.log.lines(desk.log.state().log_id))
    assert f'"actor":"{tag.actor}"'.encode() in lines
    assert b"alice" not in lines


def test_what_a_call_does_not_allow_is_refused(stage: Stage) -> None:
    never = begun(stage, of_demo("never", steps=of_demo("never").steps[:1]))
    said_no = begun(stage, of_demo("declined", steps=of_demo("declined").steps[:3]))
    goes_on = begun(stage, plain("goes on"))
    control = stage.site.control
    for call, act, fault in (
        (never, "start", Conflict),
        (said_no, "start", Conflict),
        (said_no, "pause", Conflict),
        (goes_on, "resume", Conflict),
        (goes_on, "erase", NotFound),
        (goes_on, "tag", BadUsage),
    ):
        with pytest.raises(fault):
            live.ask(control, "POST", f"/v1/calls/{call.call}/{act}")
    with pytest.raises(NotFound):
        live.ask(control, "POST", "/v1/calls/no-such-call/pause")
    assert fsgov(stage, "calls", "pause", "no-such-call").code == NotFound.exit_code
    assert fsgov(stage, "calls", "pause", "../../etc").code == BadUsage.exit_code
    for each in (never, said_no, goes_on):
        go_on(stage, each, hang_up())
    good(*judged(stage, never, said_no, goes_on))


def roster(stage: Stage) -> str:
    """Whom govern knows, as it remembers them on disk."""
    return (stage.site.spool / "people.json").read_text()


def test_who_may_not_is_refused(stage: Stage) -> None:
    goes_on = begun(stage, plain("goes on"))
    me = person(stage)
    assert stage.stop_service() == 0
    try:
        for owner, role in (("bob", "privacy"), ("nobody", "{}")):
            administer(stage, "UPDATE fsgov.people SET os_user = NULL")
            administer(stage, f"UPDATE fsgov.people SET os_user = '{me.os_user}' WHERE login = '{owner}'")
            part = stage.start_service(part="govern")
            eventually(stage.connected)
            eventually(lambda role=role: role in roster(stage) and "supervisor" not in roster(stage))
            eventually(lambda: [each for each in stage.live() if each["call"] == goes_on.call])
            for act in ("pause", "stop", "tag", "start"):
                with pytest.raises(NotPermitted):
                    live.ask(stage.site.control, "POST", f"/v1/calls/{goes_on.call}/{act}", {"tag": "x"})
            part.terminate()
            assert part.wait(30) == 0
    finally:
        administer(stage, "UPDATE fsgov.people SET os_user = NULL")
        administer(stage, f"UPDATE fsgov.people SET os_user = '{me.os_user}' WHERE login = 'alice'")
    started(stage)
    go_on(stage, goes_on, hang_up())
    good(*judged(stage, goes_on))


def test_a_forged_yes_is_on_the_wire_and_does_nothing(stage: Stage) -> None:
    forged = of_demo("forged")
    call = begun(stage, of_demo("forged", steps=forged.steps[:-1]))
    dump = stage.do("api", text=f"uuid_dump {call.call}")["reply"]
    assert f"Bob%0AUnique-ID%3A%20{call.call}%0Avariable_fsgov_consent_training%3A%20given" in dump
    go_on(stage, call, hang_up())
    good(*judged(stage, call))
