"""Some of a conversation's people go on apart from the others: what they take along.

That is all that was known of them: who they are, what they have said (a yes as well as a no), the rule that
governs them, a pause, a stop. The leg that records stays where it is, and so does what was captured.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace

from fsgov.call import asking, deciding
from fsgov.call.connected import Circle, circles, recorder_leg, talks
from fsgov.call.merging import carry
from fsgov.call.state import PARTED, Call, Stage
from fsgov.call.stops import Halt
from fsgov.call.turn import Turn, leg_name
from fsgov.events import Instant


def leaving(call: Call) -> Circle:
    """Legs that talk apart from those who are recorded; none where all are together, or it is not sure."""
    if call.strays or call.merged_into:
        return ()
    groups = [circle for circle in circles(call) if talks(call, circle)]
    stays = recorder_leg(call) if call.segment is None else call.legs.get(call.segment.leg)
    others = [circle for circle in groups if stays not in circle]
    if len(groups) < 2 or not others:
        return ()
    return others[0] if len(others) < len(groups) else others[1]


def begun(t: Turn, legs: Circle) -> Call:
    """The conversation of those who leave, before it has learned that it is one."""
    call = t.call
    name = hashlib.sha256(f"{call.id}/{t.number()}".encode()).hexdigest()
    return Call(
        id="-".join((name[:8], name[8:12], name[12:16], name[16:20], name[20:32])),
        site=call.site,
        policy=call.policy,
        opened=t.time,
        looks_up=call.looks_up,
        core=call.core,
        tenant=call.tenant,
        region=call.region,
        direction=call.direction,
        answered=min(leg.answered for leg in legs if leg.answered is not None),
        stage=Stage.DECIDING,
        caller=call.caller,
        dialled=call.dialled,
        variables=call.variables,
        decision=call.decision,
        grounds=call.grounds,
        started=call.started,
        stopped=call.stopped,
        paused=call.paused,
        halt=Halt(stops=call.halt.stops),
        limits=call.limits,
        stopping=call.stopping,
        tags=call.tags,
        anchors=call.anchors,
        adrift=call.adrift,
        parted_from=call.id,
    )


def move(old: Turn, new: Turn, legs: Circle) -> None:
    """Take these legs, and their parties, from the one conversation to the other."""
    old.enter("call.parted", into=new.call.id)
    new.enter("call.opened", tenant=new.call.tenant, leg_direction=legs[0].direction.value)
    for leg in legs:
        _leg(old, new, leg.uuid)
    old.durable = new.durable = True
    deciding.consider(new)


def _leg(old: Turn, new: Turn, uuid: str) -> None:
    leg, call = old.call.legs[uuid], new.call
    party = next((p for p in old.call.parties if p.facts.party == leg.party), None)
    n = 0 if party is None else len(call.parties) + 1
    new.change_leg(replace(leg, name=leg_name(call, uuid), party=n))
    new.enter("leg.joined", leg=call.legs[uuid].name, party=n, direction=leg.direction.value, side="")
    gone(old, uuid, old.time)
    if uuid in old.call.gates:
        call.gates = {**call.gates, uuid: old.call.gates[uuid]}
    if party is None:
        return
    moved = replace(party, facts=replace(party.facts, party=n), lookup=0)
    call.parties = (*call.parties, moved)
    if party.lookup:
        deciding.look_up(new, moved)
    before = (id_ for id_, parties in old.call.elsewhere.items() if leg.party in parties)
    for id_ in (*old.call.segments, *before):
        call.elsewhere = {**call.elsewhere, id_: (*call.elsewhere.get(id_, ()), n)}
    for row in old.call.consents:
        if row.party == leg.party:
            carry(new, replace(row, party=n, evidence={**row.evidence, "from": row.id}))
    question = old.call.questions.get(leg.party)
    if question is not None:
        asking.put(new, replace(question, party=n, number=0))
        old.call.questions = {of: q for of, q in old.call.questions.items() if of != leg.party}


def gone(t: Turn, uuid: str, when: Instant) -> None:
    """For the conversation that it leaves, the leg has ended."""
    leg = t.call.legs[uuid]
    t.change_leg(replace(leg, ended=when, left=t.now, gone=True, cause=PARTED))
    t.enter("leg.left", leg=leg.name, party=leg.party, cause=PARTED)
