"""What a segment is bound to. Where any of it changes while it runs, it ends and the next one begins.

That is its leg, the rule and the policy that want it, the vault, its purposes with their bases, and the
consents it rests on; and so the people whose consent counts, for each of them has a row there. Who else could
be heard is noted in it as well, but cuts nothing.
"""

from __future__ import annotations

from dataclasses import replace

from fsgov.call.connected import recorder_leg
from fsgov.call.consent import counting, covered, in_force, speaking
from fsgov.call.segment import Segment
from fsgov.call.state import Answered, Call, Leg
from fsgov.call.turn import Turn
from fsgov.evidence import digest
from fsgov.policy import Basis, ConsentMode, Decision

BONDS = ("leg", "rule", "policy", "vault", "basis", "purposes", "consents")


def planned(call: Call, decision: Decision, leg: Leg, n: int, *, armed: bool = False) -> Segment:
    """The segment that would be opened now, as the `n`th of its call."""
    purposes = covered(call, decision)
    return Segment(
        id=f"{call.id}-{n:02}",
        n=n,
        leg=leg.uuid,
        leg_name=leg.name,
        rule=decision.rule,
        policy=decision.policy,
        basis={purpose: decision.basis[purpose].value for purpose in purposes},
        purposes=purposes,
        vault=decision.vault or call.site.vault,
        consents=_rests_on(call, decision, purposes),
        parties=_heard(call),
        armed=armed,
        unbuffered=decision.unbuffered,
        unsure=leg.unseen,
    )


def digests(call: Call, segment: Segment) -> dict[str, str]:
    """Of each consent the segment rests on, the digest by its id."""
    return {
        row.id: digest(
            call=call.id, consent=row.id, party=row.party, purpose=row.purpose, state=row.state.value,
            method=row.method.value, mode=row.mode.value, at=row.at, evidence=row.evidence,
        )
        for row in call.consents
        if row.id in segment.consents
    }  # fmt: skip


def outgrown(call: Call, segment: Segment, leg: Leg) -> bool:
    """What the running segment was opened on is not what would be opened now, on `leg`."""
    decision = call.decision
    if decision is None:
        return False
    fresh = planned(call, decision, leg, segment.n)
    return any(getattr(fresh, bond) != getattr(segment, bond) for bond in BONDS)


def note_heard(t: Turn) -> None:
    """Whoever can be heard on the leg of the running segment belongs to it."""
    segment, leg = t.call.segment, recorder_leg(t.call)
    if segment is None or leg is None or leg.uuid != segment.leg:
        return
    new = [party for party in _heard(t.call) if party not in segment.parties]
    if new:
        t.call.segment = replace(segment, parties=(*segment.parties, *new))
        t.rests = True


def _heard(call: Call) -> tuple[int, ...]:
    return tuple(party.facts.party for party, _ in speaking(call))


def _rests_on(call: Call, decision: Decision, purposes: tuple[str, ...]) -> tuple[str, ...]:
    """Ids of the rows that let it be recorded, and of those that cover a purpose by consent."""
    needed = {purpose for purpose in purposes if decision.basis[purpose] is Basis.CONSENT}
    if decision.consent not in (ConsentMode.NONE, ConsentMode.STATUTORY):
        needed.add(decision.asks_for)
    if not needed:
        return ()
    rows = (
        in_force(call, party.facts.party, purpose)
        for party, _ in counting(call, decision)
        for purpose in needed
    )
    return tuple(sorted(row.id for row in rows if row is not None and row.state is Answered.GIVEN))
