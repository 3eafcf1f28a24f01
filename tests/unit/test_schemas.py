"""One schema for each entry type: what is produced fits it, and no field has room for a person."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from fsgov import entries
from fsgov import events as ev
from fsgov.attested import Attested
from fsgov.commands import Enter
from fsgov.events import Act
from tests.parts.schemas import faults, schema, types
from tests.unit.conversation import ALWAYS, NOTICE, OPT_IN, Talk

PACKAGE = Path(__file__).parents[2] / "fsgov"
HASH = "ab" * 32
PERSONAL = [
    "number",
    "caller",
    "dialled",
    "e164",
    "name",
    "login",
    "user",
    "facts",
    "ani",
    "reason_text",
    "ip",
]
NUMBERS = ["+493012345", "03012345678", "alice@example.com", "4930123456"]


def line(type_: str, subject: str, **facts: entries.Fact) -> bytes:
    return entries.line(
        origin="fs1.govern.1", n=1, host="fs1", type_=type_, subject=subject, time=0, facts=facts
    )


MASKED: dict[str, Any] = {
    "call": "0f6c",
    "leg": "a",
    "by": "mask",
    "phase": "acknowledged",
    "actor": None,
    "file_ms": 1,
}


def entered(*talks: Talk) -> list[bytes]:
    """The lines of everything those conversations entered."""
    return [
        line(command.type, command.subject, **command.facts)
        for talk in talks
        for command in talk.sent
        if isinstance(command, Enter)
    ]


def recorded() -> Talk:
    """Two legs, recorded, paused and resumed by a person, transferred away from, hung up."""
    talk = Talk(ALWAYS)
    talk.push(ev.SwitchConnected, core="core-1")
    talk.push(ev.Resynced, core="core-1", recordings={})
    talk.inbound()
    talk.opens()
    for act in (Act.PAUSE, Act.RESUME, Act.TAG):
        talk.push(ev.ActAsked, call="a", act=act, actor="p-abcdefghijkl", request=f"r-{act.value}", tag="t")
        if act is not Act.TAG:
            talk.accept()
        talk.now += 1_000_000
    talk.push(ev.Heartbeat, core="core-1", since_startup=9, live=2)
    talk.stops("a-01")
    talk.hangs_up("a", "b")
    talk.push(ev.SwitchLost, reason="eof")
    return talk


def asked(rule: str, key: str) -> Talk:
    talk = Talk(rule)
    talk.inbound()
    talk.plays()
    if key:
        talk.presses(key)
    talk.wait(20)
    talk.hangs_up("a", "b")
    return talk


def refused() -> Talk:
    talk = Talk(ALWAYS)
    talk.inbound()
    talk.refuse("-ERR Cannot record")
    talk.wait(60)
    talk.hangs_up("a", "b")
    return talk


def attested() -> Talk:
    """Somebody's word, given and taken back."""
    talk = Talk(OPT_IN)
    talk.inbound()
    for purpose, said in (("analytics", "given"), ("", "refused")):
        consent = Attested(state=said, purpose=purpose)
        talk.push(
            ev.ActAsked, call="a", act=Act.CONSENT, actor="p-abcdefghijkl", request="r-1", consent=consent
        )
    talk.hangs_up("a", "b")
    return talk


# -- the files -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("type_", types())
def test_a_schema_is_one_and_closed(type_: str) -> None:
    found = schema(type_)
    Draft202012Validator.check_schema(found)
    assert found["title"] == f"fsgov.{type_}.v1"
    assert found["description"]
    for closed in (found, found["properties"]["data"]):
        assert closed["additionalProperties"] is False
        assert set(closed["required"]) == set(closed["properties"])


def strings(of: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every string of a schema's subject and data."""
    fields = {"subject": of["properties"]["subject"], **of["properties"]["data"]["properties"]}
    for name, field in fields.items():
        inner = field.get("items", field)
        if "string" in inner.get("type", ()):
            yield name, inner


@pytest.mark.parametrize("type_", types())
def test_no_field_has_room_for_a_person(type_: str) -> None:
    data = schema(type_)["properties"]["data"]["properties"]
    assert not set(PERSONAL) & set(data)
    for name, field in strings(schema(type_)):
        bounded = (
            "enum" in field or "pattern" in field or "not" in field or field.get("format") == "date-time"
        )
        assert bounded, f"{name} takes any text"
        if name in ("call", "into", "subject", "segments", "core", "request"):
            continue  # uuids of the switch and random hex: checked before use, made by no caller
        for number in NUMBERS:
            if "format" not in field:
                assert not Draft202012Validator(field).is_valid(number), f"{name} takes {number}"


def test_every_type_that_is_entered_has_a_schema() -> None:
    """Names in the source: t.enter("segment.opened", ...), Enter(type="...")."""
    shape = re.compile(rf"^({'|'.join(sorted({t.split('.')[0] for t in types()}))})\.[a-z.]+$")
    named = set()
    for path in [*PACKAGE.rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and re.search("enter", ast.unparse(node.func), re.IGNORECASE):
                for part in [*node.args, *(k.value for k in node.keywords if k.arg == "type")]:
                    if (
                        isinstance(part, ast.Constant)
                        and isinstance(part.value, str)
                        and shape.match(part.value)
                    ):
                        named.add(part.value)
    assert len(named) > 20
    assert named <= set(types())


def test_every_type_is_in_the_page_about_the_log() -> None:
    page = (PACKAGE.parent / "docs" / "event-log.md").read_text()
    fields = ["id", "type", "subject", "time", "data"]
    assert sorted(re.findall(r"^\| `([a-z.]+)` \|", page, re.MULTILINE)) == sorted([*types(), *fields])


def test_the_desk_enters_what_has_a_schema() -> None:
    named = set(re.findall(r"enter_from_desk\(\w+, '([a-z.]+)'", (PACKAGE / "schema.sql").read_text()))
    assert named == {
        "access.requested", "access.released", "access.refused",
        "people.added", "people.disabled", "log.opened",
        "policy.proposed", "policy.activated", "stop.placed", "stop.lifted", "difference.resolved",
        "subject.opened", "subject.approved", "subject.exported", "subject.answered",
        "segment.copy.asked", "segment.copy.dropped",
        "anchor.set", "retention.proposed", "retention.applied",
        "plan.proposed", "plan.approved", "plan.stopped",
        "schedule.proposed", "schedule.approved", "schedule.ended",
        "artefact.attached", "artefact.requested", "evidence.exported",
        "artefact.removal.asked", "artefact.removal.approved",
        "rotation.asked", "rotation.approved", "rotation.requested", "rotation.wrapped", "rotation.confirmed",
        "rotation.ended",
        "hold.placed", "hold.extended", "hold.release.asked", "hold.release.refused", "hold.released",
        "hold.lost",
        "case.opened", "quarantine.set", "quarantine.released",
        "lost.settled", "purge.resume.asked", "purge.resumed",
    }  # fmt: skip
    assert named <= set(types())


# -- what is produced ------------------------------------------------------------------------------------


def test_every_line_of_the_core_fits_its_schema() -> None:
    lines = entered(
        recorded(),
        asked(OPT_IN, "1"),
        asked(OPT_IN, "2"),
        asked(OPT_IN, ""),
        asked(OPT_IN, "1*9"),
        asked(NOTICE, ""),
        asked(OPT_IN + 'on_withdrawal = "quarantine"\n', "1*9"),
        attested(),
        refused(),
    )
    assert [fault for found in lines for fault in faults(found)] == []
    seen = {json.loads(found)["type"].removeprefix("fsgov.").removesuffix(".v1") for found in lines}
    assert {
        "segment.masked",
        "segment.unmasked",
        "consent.given",
        "consent.refused",
        "consent.unanswered",
        "consent.withdrawn",
        "segment.quarantined",
    } <= seen
    assert {"notice.played", "call.over", "live.answered", "switch.lost", "segment.refused"} <= seen


@pytest.mark.parametrize(
    "changed",
    [
        {"caller": "+493012345"},
        {"actor": "alice"},
        {"leg": "+493012345"},
        {"by": "pause"},
        {"file_ms": "1"},
        {"call": "0f6c/../x"},
    ],
)
def test_what_does_not_belong_is_seen(changed: dict[str, Any]) -> None:
    assert faults(line("segment.masked", "0f6c-01", **MASKED)) == []
    assert faults(line("segment.masked", "0f6c-01", **{**MASKED, **changed}))


def test_what_is_missing_or_unknown_is_seen() -> None:
    without = {name: value for name, value in MASKED.items() if name != "phase"}
    assert faults(line("segment.masked", "0f6c-01", **without))
    assert faults(line("segment.invented", "0f6c-01", **MASKED)) == [
        "no schema for fsgov.segment.invented.v1"
    ]
    assert faults(line("alarm.raised", "fs1", alarm="vault.eu", reason="call +493012345 failed"))
    assert faults(line("alarm.raised", "fs1", alarm="vault.eu", reason="The vault does not answer")) == []
