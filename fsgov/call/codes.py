"""Codes that agents press during a call: live acts that a leg asks for, answered to its dialplan.

Only a party inside may: where a code is bound to the wrong leg, or the call was passed on to somebody
outside, pressing it does nothing. What the rule forbids is refused as for any live act. The dialplan is told
`yes` when the switch has confirmed the act, and only then.
"""

from __future__ import annotations

from fsgov.attested import Attested
from fsgov.call import acts
from fsgov.call.site import SECOND
from fsgov.call.turn import Turn
from fsgov.commands import Answer, AnswerDialplan
from fsgov.dialplan import CodePressed
from fsgov.events import Act, ActAsked, Instant
from fsgov.policy import Side

WITHIN: Instant = 3 * SECOND - 200_000
"""How long after its event a code is answered; the dialplan's sleep ends after three seconds."""
REQUEST = "code-"


def pressed(t: Turn, event: CodePressed) -> bool:
    """An act asked for by a leg; nobody is named as its actor, the request names the leg."""
    leg = t.call.legs[event.leg]
    if not leg.speaks:
        return False
    request = f"{REQUEST}{leg.name}-{t.number()}"
    party = next((party for party in t.call.parties if party.facts.party == leg.party), None)
    if party is None or party.facts.side is not Side.INSIDE:
        t.commands.append(Answer(call=t.call.id, request=request, status=403, reason="not a party inside"))
        return True
    return acts.asked(
        t,
        ActAsked(
            now=event.now,
            at=event.at,
            call=t.call.id,
            act=event.act,
            actor=None,
            request=request,
            tag=event.tag,
            consent=Attested(state=event.said, by=leg.party) if event.act is Act.CONSENT else None,
        ),
    )


def answer(t: Turn) -> None:
    """Tell the dialplans what has become of the codes."""
    for command in tuple(t.commands):
        if not (isinstance(command, Answer) and command.request.startswith(REQUEST)):
            continue
        name = command.request.split("-")[1]
        leg = next((leg for leg in t.call.legs.values() if leg.name == name), None)
        if leg is not None and leg.ended is None:
            done = "yes" if command.status == 200 else "no"
            t.commands.append(
                AnswerDialplan(
                    call=t.call.id,
                    number=t.number(),
                    leg=leg.uuid,
                    variables=(("fsgov_done", done),),
                    due=t.now + SECOND,
                )
            )
