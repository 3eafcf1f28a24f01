"""The stored inputs of a decision, and the log's digest of them: changed, erased, and seen by whom."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fsgov.catalog import log
from fsgov.cli.replaying import Explained, explained
from fsgov.errors import Conflict, Damaged
from fsgov.policy import decide, describe, parse
from fsgov.policy.grounds import Ground, digest, to_json
from tests.parts.catalog import World, call_file, line

SALT = "5a" * 16
POLICY = 'version = "1"\ntimezone = "UTC"\n[[rule]]\nname = "none"\nrecord = "never"\n'
ORIGIN = "fs1.govern.1"
RULES = parse(POLICY)
INPUTS = describe(caller="+493012345", dialled="+4930901820", call="0f6c")
DIGEST = digest(SALT, to_json((Ground(RULES.sha256, INPUTS),)))


def entered(world: World, *told: str, **changes: Any) -> None:
    """A call as ship enters it, and what the log tells of its inputs, decision by decision."""
    facts = {
        "policy": {"version": "1", "sha256": RULES.sha256},
        "inputs": INPUTS.to_json(),
        "inputs_salt": SALT,
        "decision": decide(RULES, INPUTS).to_json(),
    }
    lines = [line(ORIGIN, n, "call.decided", inputs=each) for n, each in enumerate(told, 1)]
    with world.ship.entering() as entering:
        entering.policy("1", POLICY)
        entering.call(json.dumps(call_file(**{**facts, **changes})))
        entering.lines(ORIGIN, 1, lines)
    world.person("alice", "supervisor")


def replayed(world: World) -> Explained:
    return explained(world.desk("alice"), "0f6c")


def test_the_stored_inputs_are_those_that_the_log_tells(world: World) -> None:
    entered(world, "00" * 32, DIGEST)
    assert replayed(world).in_log is True
    replayed(world).compare()


@pytest.mark.parametrize(
    "change",
    [
        "inputs = jsonb_set(inputs, '{caller}', '\"+493012346\"')",
        "inputs = jsonb_set(inputs, '{at}', '1')",
        "inputs_salt = repeat('00', 16)",
        "inputs_salt = NULL",
    ],
)
def test_inputs_that_were_changed_afterwards_are_found(world: World, change: str) -> None:
    """Also where they still give the same decision."""
    entered(world, DIGEST)
    world.sql("admin", "ALTER TABLE fsgov.calls DISABLE TRIGGER USER", f"UPDATE fsgov.calls SET {change}")
    told = replayed(world)
    assert told.identical
    with pytest.raises(Damaged, match="not those that the log tells"):
        told.compare()


def test_a_restored_database_that_lacks_the_line_says_so(world: World) -> None:
    entered(world)
    assert replayed(world).in_log is None


def test_an_erasure_leaves_a_digest_that_nobody_can_link(world: World) -> None:
    """The numbers could all be tried against it: the salt, which is in no line, cannot."""
    entered(world, DIGEST)
    world.sql("admin", "UPDATE fsgov.calls SET inputs = NULL, inputs_salt = NULL")
    with pytest.raises(Conflict, match="erased"):
        replayed(world)
    (told,) = world.desk("alice").log.decided("0f6c")
    assert json.loads(told)["data"]["inputs"] == DIGEST
    ((row,),) = world.sql("admin", "SELECT to_jsonb(c)::text FROM fsgov.calls c")
    assert SALT not in row
    assert SALT not in told.decode()


def test_who_may_not_see_numbers_sees_no_salt(world: World) -> None:
    entered(world, DIGEST)
    world.person("carol", "agent")
    assert world.desk("carol").call("0f6c").inputs_salt is None
    assert world.desk("alice").call("0f6c").inputs_salt == SALT


def test_the_lines_of_one_call_are_found_by_their_index(world: World) -> None:
    """A log has many millions of lines; the query must have the words of the index."""
    plan = "\n".join(
        str(row)
        for row in world.sql(
            "admin",
            "SET LOCAL enable_seqscan = off",
            f"EXPLAIN SELECT * FROM {log._DECIDED.replace('%(call)s', repr('0f6c'))}",
        )
    )
    assert "event_log_decided" in plan
