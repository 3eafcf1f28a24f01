"""How legs end together: who learns what in which order, by who said goodbye first.

how   bye       the leg's own phone hung up
      kill      the switch ended this leg (uuid_kill)
      all       the switch ends every leg by itself (hupall, shutdown)
      transfer  the leg has nowhere to go after its partner was moved
      cancel    the caller gave up before the answer
      error     a failed recording with RECORD_HANGUP_ON_ERROR
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fsgov.simulator.channel import Channel
from fsgov.simulator.encoding import percent

if TYPE_CHECKING:
    from fsgov.simulator.switch import Switch

Values = dict[str, str]
SENT, RECEIVED = {"sip_hangup_disposition": "send_bye"}, {"sip_hangup_disposition": "recv_bye"}


def end(switch: Switch, c: Channel, cause: str, how: str, crossing: bool = False) -> None:
    """End a leg, and with it its partner; crossing: both phones said bye at the same time."""
    if not c.up:
        return
    peer, life = c.peer, switch.life
    switch.world.note("hangup", leg=c.number, uuid=c.uuid, cause=cause, by=how)
    own = bye(c, cause) if how == "bye" else role(c) if how in ("kill", "all") else {}
    gone = RECEIVED if how == "bye" else SENT
    if "answer" not in c.times:
        gone = {"sip_hangup_disposition": "recv_cancel"} if how == "cancel" else {}
    life.hangup(c, cause, own, gone if how == "bye" else None)
    switch.rooms.leave(c)
    _cancel_ringing(switch, c)
    if peer is None:
        life.complete(c, gone)
        return
    if how == "error":
        cause = "NORMAL_CLEARING"
    heard = _heard(cause, how)
    switch.world.note("hangup", leg=peer.number, uuid=peer.uuid, cause=cause, by="peer")
    if how == "all":
        _end_all(switch, c, peer, cause, heard | role(peer), gone)
        return
    last = SENT | (bye(peer, cause, first=False) | RECEIVED if crossing else {})
    if c.direction == "inbound":
        _originator_first(switch, c, peer, cause, gone, heard, last)
    else:
        _originatee_first(switch, c, peer, cause, gone, heard, last)


def _heard(cause: str, how: str) -> Values:
    """What the partner's variables learn of it."""
    heard = {"last_bridge_hangup_cause": cause}
    if how == "bye":
        heard["sip_reason"] = reason(cause)
        heard["sip_hangup_phrase"] = "OK"
        heard["last_bridge_proto_specific_hangup_cause"] = "sip:200"
    return heard


def _end_all(switch: Switch, c: Channel, peer: Channel, cause: str, heard: Values, gone: Values) -> None:
    life = switch.life
    life.hangup(peer, cause, heard)
    first, second = (c, peer) if c.direction == "inbound" else (peer, c)
    first.unset("bridge_to")
    first.set("bridge_hangup_cause", cause)
    life.unbridge(first, second)
    for leg in (first, second):
        life.complete(leg, gone)


def _originator_first(
    switch: Switch, c: Channel, peer: Channel, cause: str, gone: Values, heard: Values, last: Values
) -> None:
    life, after = switch.life, {"bridge_hangup_cause": cause}
    peer.unset("bridge_to")
    life.hangup(peer, cause, heard)
    c.learn(gone | after)
    c.unset("bridge_to")
    life.unbridge(c, peer)
    life.complete(peer, last | after)
    life.complete(c, {})


def _originatee_first(
    switch: Switch, c: Channel, peer: Channel, cause: str, gone: Values, heard: Values, last: Values
) -> None:
    life = switch.life
    life.part(peer, c)
    life.complete(c, gone)
    peer.learn(heard | {"bridge_hangup_cause": cause})
    peer.unset("bridge_to")
    life.unbridged(peer, c)
    life.hangup(peer, cause, {})
    life.complete(peer, last)


def _cancel_ringing(switch: Switch, c: Channel) -> None:
    """A leg that this one is calling rings no more."""
    for b in [
        x for x in switch.channels.values() if x.up and not x.answered and x.tokens.get("other") == c.uuid
    ]:
        if b.direction == "outbound":
            cancel(switch, b, c.hangup_cause)


def cancel(switch: Switch, b: Channel, cause: str) -> None:
    """End a leg that nobody answered."""
    switch.world.note("hangup", leg=b.number, uuid=b.uuid, cause=cause, by="cancel")
    switch.life.hangup(b, cause, {})
    switch.life.complete(b, {"sip_hangup_disposition": "send_cancel"})


def bye(c: Channel, cause: str, *, first: bool = True) -> Values:
    """What a leg's variables learn from the BYE of its own phone."""
    known = {
        "sip_reason": reason(cause),
        "sip_term_status": "200",
        "proto_specific_hangup_cause": "sip:200",
        "sip_term_cause": "16",
    }
    return known | role(c) if first else known


def role(c: Channel) -> Values:
    """Which side of its last bridge a leg was."""
    if "last_bridge_to" not in c.variables:
        return {}
    return {"last_bridge_role": "originator" if c.direction == "inbound" else "originatee"}


def reason(cause: str) -> str:
    """The SIP Reason header for a cause."""
    return f'Q.850;cause=16;text="{percent(cause)}"'
