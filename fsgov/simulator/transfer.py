"""Moves of legs: uuid_transfer, uuid_bridge, REFER blind and attended, as captured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fsgov.simulator.channel import Channel

if TYPE_CHECKING:
    from fsgov.simulator.call import Call
    from fsgov.simulator.switch import Switch


def leave(switch: Switch, c: Channel, to: str, kind: str) -> None:
    """`c` is about to run another extension: its profile and history change."""
    before = c.profile.get("Destination-Number", "")
    stamp = f"{int(switch.clock.epoch())}:{switch.new_uuid()}:{kind}:{to}/default/XML"
    c.set("transfer_history", stamp)
    c.set("transfer_source", stamp)
    c.unset("bridge_to", "signal_bond")
    c.set("max_forwards", "69")
    profile: dict[str, str] = {}
    for name, value in c.profile.items():
        if name == "Network-Addr":
            profile["RDNIS"] = before
        profile[name] = value
        if name == "Source":
            profile["Transfer-Source"] = stamp
    profile["Destination-Number"] = to
    c.profile = profile
    c.times["transfer"] = switch.clock.epoch()


def extension(
    switch: Switch, call: Call, c: Channel, to: str, uuid: str | None = None, answer: bool = True
) -> None:
    """Let a leg run an extension of the dialplan (`switch.dialplan`; a number not in it is called)."""
    action, _, argument = switch.dialplan.get(to, f"bridge:{to}").partition(":")
    if c.direction == "outbound" and action != "park":
        action = "park"
    match action:
        case "park":
            switch.life.park(c)
        case "conference":
            switch.rooms.join(c, argument)
        case "hangup":
            switch.end(c, argument or "NORMAL_CLEARING", "kill")
        case _:
            call.dial(argument, uuid)
            if answer:
                call.answer()
            else:
                call.ring()


def uuid_transfer(switch: Switch, c: Channel, which: str, to: str) -> None:
    """`uuid_transfer <uuid> [-bleg|-both] <extension>`."""
    peer, call = c.peer, switch.call_of(c)
    if which == "-bleg" and peer is not None:
        flip(peer)
        switch.life.part(c, peer)
        switch.life.park(peer)
        c.unset("bridge_to", "signal_bond")
        switch.life.unbridged(c, peer)
        switch.end(c, "NORMAL_CLEARING", "transfer")
        return
    if which == "-both" and peer is not None:
        flip(peer)
        switch.life.part(c, peer)
        switch.life.park(peer)
        leave(switch, c, to, "bl_xfer")
        c.unlink()
        switch.life.unbridged(c, peer)
        switch.life.park(c)
        return
    leave(switch, c, to, "bl_xfer")
    if peer is not None:
        c.unlink()
        c.set("bridge_hangup_cause", "NORMAL_CLEARING")
        switch.life.unbridge(c, peer)
        switch.life.hangup(peer, "NORMAL_CLEARING", {})
        switch.life.complete(peer, {"sip_hangup_disposition": "send_bye"})
    extension(switch, call, c, to)


def flip(c: Channel) -> None:
    """An outbound leg that goes on alone: its caller id is turned round."""
    c.set("channel_cid_flipped", "true")
    c.unlink()
    c.call_uuid = c.uuid
    c.set("call_uuid", c.uuid)
    c.unset("bridge_to", "signal_bond", "originating_leg_uuid")


def refer(call: Call, by: Channel, to: str, uuid: str | None, answer: bool) -> None:
    """Blind transfer: the partner of `by` runs extension `to`; `by` is hung up."""
    switch, stays = call.switch, by.peer
    if stays is None:
        return
    leave(switch, stays, to, "bl_xfer")
    stays.set("sip_h_Referred-By", "<sip:127.0.0.1:5070>")
    stays.set("sip_refer_to", f"<sip:{to}@127.0.0.1:5060>")
    switch.catch_up(stays, by)
    switch.life.hangup(by, "NORMAL_CLEARING", {"last_bridge_role": "originatee"})
    stays.unlink()
    switch.life.part(stays, by)
    switch.life.complete(by, {"sip_hangup_disposition": "recv_bye"})
    stays.set("bridge_hangup_cause", "NORMAL_CLEARING")
    switch.life.unbridged(stays, by)
    if stays.direction == "outbound":
        switch.life.park(stays)
        return
    extension(switch, call, stays, to, uuid, answer)


def attended(call: Call, by: Channel, to: str, uuid: str | None) -> None:
    """The agent calls `to` (a call of its own), then joins its partner with whom it reached."""
    switch, stays = call.switch, by.peer
    if stays is None:
        return
    switch.hold(by, True)
    consult = switch.call(caller=by.tokens.get("agent", "1000"), dialled=to, caller_name="agent")
    action = switch.dialplan.get(to, f"bridge:{to}").partition(":")
    consult.bridge(action[2] or to, uuid)
    switch.clock.call_later(switch.consultation, lambda: join(call, by, consult))


def join(call: Call, by: Channel, consult: Call) -> None:
    """REFER with Replaces: `by` and the consulting leg go, their partners are bridged."""
    switch, stays, third = call.switch, by.peer, consult.a.peer
    if stays is None or third is None or not (stays.up and third.up):
        return
    life, c = switch.life, consult.a
    switch.hold(by, False)
    life.unbridge(c, third)
    life.hangup(c, "NORMAL_CLEARING", {})
    life.complete(c, {"sip_hangup_disposition": "send_bye"})
    switch.catch_up(stays, by)
    life.hangup(by, "NORMAL_CLEARING", {"last_bridge_role": "originatee"})
    stays.unset("bridge_to")
    stays.link(third, "originatee")
    life.part(stays, by)
    life.unbridged(stays, by)
    if by.variables.get("recording_follow_transfer") == "true":
        for recording in list(by.recordings.values()):
            recording.move(stays)
    life.complete(by, {"sip_hangup_disposition": "send_bye"})
    call.legs.append(third)
    switch.adopt(third, call)
    stays.state, stays.state_number = "CS_SOFT_EXECUTE", "6"
    life.bridge(stays, third)
    third.link(stays, "originator")
    switch.clock.call_later(0.02, lambda: life.bridged(stays, third) if stays.peer is third else None)


def uuid_bridge(switch: Switch, a: Channel, b: Channel) -> None:
    """`uuid_bridge a b`: old partners are hung up, recordings go on."""
    for c in (a, b):
        peer = c.peer
        if peer is not None:
            switch.life.unbridge(c, peer)
            switch.life.hangup(peer, "NORMAL_CLEARING", {})
            switch.life.complete(peer, {"sip_hangup_disposition": "send_bye"})
    switch.life.bridge(a, b)
    b.link(a, "originator")
