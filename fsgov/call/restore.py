"""A conversation read back from its file after a restart of fsgov."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from fsgov.call.announcing import Announcement
from fsgov.call.gates import AtGate
from fsgov.call.segment import Hold, Mask, Segment, Stray
from fsgov.call.site import Site
from fsgov.call.state import (
    Answered,
    Call,
    Capture,
    Consent,
    Leg,
    Method,
    Party,
    Paused,
    Question,
    Stage,
    Tag,
)
from fsgov.call.stops import Halt
from fsgov.call.timeline import unmasked
from fsgov.commands import UnmaskSegment
from fsgov.errors import Damaged
from fsgov.events import Direction
from fsgov.policy import (
    CallDirection,
    ConsentMode,
    Decision,
    Inputs,
    PartyFacts,
    Policy,
    Side,
    areas,
    grounds,
)
from fsgov.policy.grounds import Ground, Grounds

NUMBERS = 1000
"""How many command numbers may have been used since the file was written."""


def restore(text: str, policy: Policy, site: Site) -> Call | None:
    """The conversation as its file has it, adrift until a resync; None when it was over, unless it merged.

    The policy in force now serves only a decision that a new party makes necessary; the one that was taken
    stays. Raises Damaged when the text is not a call file.
    """
    try:
        source = json.loads(text)
        if source["format"] != 1:
            raise Damaged(
                "This call file has a format that this version does not know", str(source["format"])
            )
        over = source["ended"] is not None and source["merged_into"] is None
        return None if over else _call(source, policy, site)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as fault:
        raise Damaged("This call file cannot be read", repr(fault)) from fault


def _call(source: Mapping[str, Any], policy: Policy, site: Site) -> Call:
    state = source["state"]
    consents = tuple(_consent(row) for row in source["consents"])
    segment = None if state["segment"] is None else _segment(state["segment"])
    if segment is not None and state["flight"] == UnmaskSegment.__name__:
        segment = unmasked(segment, int(state["sent"]))  # it may have been carried out, then or later
    call = Call(
        id=str(source["call"]),
        site=site,
        policy=policy,
        opened=int(source["opened"]),
        looks_up=bool(state["looks_up"]),
        core=source["core"],
        tenant=source["tenant"],
        region=state["region"],
        direction=CallDirection(source["direction"]),
        answered=source["answered"],
        revision=int(source["revision"]),
        numbers=int(state["numbers"]) + NUMBERS,
        stage=Stage(state["stage"]),
        legs={row["leg"]: _leg(row, state) for row in source["legs"]},
        parties=tuple(
            _party(row, more) for row, more in zip(source["parties"], state["parties"], strict=True)
        ),
        caller=(state["caller"][0], state["caller"][1]),
        dialled=(state["dialled"][0], state["dialled"][1]),
        variables=dict(state["variables"]),
        inputs=Inputs.from_json(source["inputs"]) if source["inputs"] else None,
        decision=None if source["decision"] is None else Decision.from_json(source["decision"]),
        grounds=_grounds(source),
        salt=str(source.get("inputs_salt", "")),
        consents=consents,
        questions={row["party"]: _question(row) for row in state["questions"]},
        gates={leg: _gate(*at) for leg, at in state["gates"].items()},
        announces=bool(state.get("announces")),
        announced={leg: Announcement() for leg in state.get("announced", ())},
        started=bool(state["started"]),
        stopped=bool(state["stopped"]),
        paused=None if state["paused"] is None else Paused(**state["paused"]),
        halt=Halt(told=tuple(state.get("halted", ())), kept_off=bool(state.get("kept_off"))),
        merged_into=source["merged_into"],
        parted_from=source.get("parted_from"),
        tags=tuple(Tag(**row) for row in source["tags"]),
        anchors={str(event): int(at) for event, at in source.get("anchors", {}).items()},
        segment=segment,
        segments=tuple(source["segments"]),
        segment_numbers=int(state["segment_numbers"]),
        strays={segment: Stray(leg=leg, every=every) for segment, (leg, every) in state["strays"].items()},
        failures=int(state["failures"]),
        flawed=state["flawed"],
        captured=bool(state["captured"]),
        missed=bool(state["missed"]),
        owed_since=state.get("owed_since"),
        foreign=bool(state["foreign"]),
        elsewhere={id_: tuple(parties) for id_, parties in state.get("elsewhere", {}).items()},
        dispose=tuple(source["dispose"]),
        dispose_reason=state["dispose_reason"],
        quarantine=dict(source.get("quarantine", {})),
        ignored=int(source["counters"]["ignored"]),
        adrift=True,
    )
    if segment is not None:
        call.actual = Capture.UNKNOWN
        call.before = _known(state, call)
    return call


def _gate(opened: int, told: str, waits: int | None = None) -> AtGate:
    return AtGate(opened=opened, told=told, waits=waits)


def _grounds(source: Mapping[str, Any]) -> Grounds:
    if source["decision"] is None or not source["inputs"]:
        return ()
    if source.get("grounds") is not None:
        return grounds.read(source["grounds"])
    return (Ground(str(source["decision"]["policy"]), Inputs.from_json(source["inputs"])),)


def _known(state: Mapping[str, Any], call: Call) -> Capture | None:
    """The state of capture that no command can have changed since the file was written, or None.

    The file is written before every command and after every confirmation. A start under way leads to ON or to
    nothing; a mask, an unmask or a stop may have been carried out or not.
    """
    segment = call.segment
    if segment is None or segment.armed or call.paused is not None:
        return None
    if any(mask.ended is None for mask in segment.masks) or state["flight"] is not None:
        return None
    return Capture.ON if state["actual"] == Capture.ON.value or state["before"] == Capture.ON.value else None


def _leg(row: Mapping[str, Any], state: Mapping[str, Any]) -> Leg:
    return Leg(
        uuid=row["leg"],
        name=row["name"],
        direction=Direction(row["direction"]),
        party=int(row["party"]),
        created=int(row["created"]),
        answered=row["answered"],
        ended=row["ended"],
        left=row["ended"],
        gone=row["leg"] in state["gone"],
        cause=row["cause"],
        held=row["leg"] in state["held"],
        beside=state.get("beside", {}).get(row["leg"], ""),
    )


def _party(row: Mapping[str, Any], more: Mapping[str, Any]) -> Party:
    facts = PartyFacts(
        party=int(row["party"]),
        side=Side(row["side"]),
        number=row["number"],
        e164=row["e164"],
        country=row["country"],
        state=areas.state(row["e164"]),
        user=more.get("user", ""),
        known=bool(more["known"]),
        unasked=bool(more.get("unasked", False)),
        facts=dict(row["facts"]),
        consents=dict(more["consents"]),
    )
    return Party(facts=facts, leg=more["leg"], evidence=more["evidence"])


def _consent(row: Mapping[str, Any]) -> Consent:
    return Consent(
        id=row["id"],
        party=int(row["party"]),
        purpose=row["purpose"],
        state=Answered(row["state"]),
        method=Method(row["method"]),
        mode=ConsentMode(row["mode"]),
        at=int(row["at"]),
        evidence=dict(row["evidence"]),
    )


def _question(row: Mapping[str, Any]) -> Question:
    sources = tuple(row.get("sources", ()))
    return Question(**{**row, "mode": ConsentMode(row["mode"]), "sources": sources})


def _segment(row: Mapping[str, Any]) -> Segment:
    return Segment(
        id=row["segment"],
        n=int(row["n"]),
        leg=row["leg"],
        leg_name=row["leg_name"],
        rule=row["rule"],
        policy=row["policy"],
        basis=dict(row["basis"]),
        purposes=tuple(row["purposes"]),
        vault=row["vault"],
        consents=tuple(row["consents"]),
        evidence=dict(row.get("evidence", {})),
        parties=tuple(row.get("parties", ())),
        armed=bool(row["armed"]),
        unbuffered=bool(row.get("unbuffered")),
        opened=row["opened"],
        start_lost_ms=row.get("start_lost_ms"),
        masks=tuple(Mask(**mask) for mask in row["masks"]),
        holds=tuple(Hold(start=hold["from"], end=hold["to"]) for hold in row["holds"]),
        moved=bool(row["moved"]),
    )
