"""Moves of legs: uuid_transfer, uuid_bridge, REFER blind and attended, as captured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fsgov.simulator.channel import Channel
from fsgov.simulator.ending import role

if TYPE_CHECKING:
    from fsgov.simulator.call import Call
    from fsgov.simulator.switch import Switch

CAUSE = "NORMAL_CLEARING"


def source(switch: Switch, c: Channel, kind: str, to: str) -> str:
    """Note a transfer in the leg's history; the mark that its profile carries from now on."""
    mark = f"{int(switch.clock.epoch())}:{switch.new_uuid()}:{kind}:{to}"
    c.set("transfer_history", mark)
    c.set("transfer_source", mark)
    c.profile["Transfer-Source"] = mark
    return mark


def leave(switch: Switch, c: Channel, to: str) -> None:
    """`c` is about to run another extension: its profile and history change."""
    source(switch, c, "bl_xfer", f"{to}/default/XML")
    c.unset("bridge_to", "signal_bond")
    c.set("max_forwards", "69")
    c.profile["RDNIS"] = c.profile.get("Destination-Number", "")
    c.profile["Destination-Number"] = to
    c.state_number = "2"
    c.times.pop("bridge", None)


def flip(switch: Switch, c: Channel, to: str) -> None:
    """An outbound leg that goes on alone: who was called is now the caller."""
    leave(switch, c, to)
    c.unset("max_forwards")
    c.set("max_forwards", "68")
    c.set("channel_cid_flipped", "yes")
    for part in ("Name", "Number"):
        was, reached = c.profile[f"Caller-ID-{part}"], c.profile.get(f"Callee-ID-{part}", "")
        c.set(f"pre_transfer_caller_id_{part.lower()}", was)
        c.profile[f"Caller-ID-{part}"], c.profile[f"Callee-ID-{part}"] = reached, was
    c.unlink()
    c.call_uuid = c.uuid
    c.set("call_uuid", c.uuid)


def extension(
    switch: Switch, call: Call, c: Channel, to: str, uuid: str | None = None, answer: bool = True
) -> None:
    """Let a leg run an extension of `switch.dialplan`; a number that is not in it is called."""
    action, _, argument = switch.dialplan.get(to, f"bridge:{to}").partition(":")
    c.enter("CS_EXECUTE")
    if c.run is not None:
        c.run.stop()
    if c.context:
        switch.route(c, to, c.context)
        return
    match action:
        case "conference":
            switch.rooms.join(c, argument)
        case "hangup":
            switch.end(c, argument or CAUSE, "kill")
        case "bridge" if c.direction == "inbound":
            call.dial(argument, uuid)
            _ = call.answer() if answer else call.ring()
        case _:
            switch.life.park(c)


def uuid_transfer(switch: Switch, c: Channel, which: str, to: str) -> None:
    """`uuid_transfer <uuid> [-bleg|-both] <extension>`."""
    peer, call, life = c.peer, switch.call_of(c), switch.life
    if peer is None or not which:
        _transfer_one(switch, call, c, to)
        return
    life.part(c, peer)
    flip(switch, peer, to)
    life.park(peer)
    if which == "-both":
        leave(switch, c, to)
        c.unlink()
        life.unbridged(c, peer)
        c.enter("CS_EXECUTE")
        life.park(c)
        return
    c.unset("bridge_to", "signal_bond")
    life.unbridged(c, peer)
    switch.end(c, CAUSE, "transfer")


def _transfer_one(switch: Switch, call: Call, c: Channel, to: str) -> None:
    peer, life = c.peer, switch.life
    leave(switch, c, to)
    if peer is not None:
        c.unlink()
        c.set("bridge_hangup_cause", CAUSE)
        peer.unset("signal_bond")
        life.unbridge(c, peer)
        life.hangup(peer, CAUSE, {})
        life.complete(peer, {"sip_hangup_disposition": "send_bye"})
    extension(switch, call, c, to)


def refer(call: Call, by: Channel, to: str, uuid: str | None, answer: bool) -> None:
    """Blind transfer: the partner of `by` runs extension `to`; `by` is hung up."""
    switch, stays = call.switch, by.peer
    if stays is None:
        return
    life = switch.life
    leave(switch, stays, to)
    stays.learn({"sip_h_Referred-By": "<sip:127.0.0.1:5070>", "sip_refer_to": f"<sip:{to}@127.0.0.1:5060>"})
    by.unset("signal_bond")
    by.learn(
        {
            "transfer_disposition": "recv_replace",
            "transfer_to": f"blind:{stays.uuid}",
            "transfer_destination": f"blind:{to}",
            "transfer_fallback_extension": by.tokens.get("agent", ""),
        }
    )
    life.part(stays, by)
    life.hangup(by, CAUSE, {})
    stays.unlink()
    life.complete(by, {"sip_hangup_disposition": "send_bye"})
    stays.set("bridge_hangup_cause", CAUSE)
    life.unbridged(stays, by)
    extension(switch, call, stays, to, uuid, answer)


def attended(call: Call, by: Channel, to: str, uuid: str | None, consult_uuid: str | None) -> None:
    """The agent holds, calls `to` (a call of its own), then joins its partner with whom it reached."""
    switch, stays = call.switch, by.peer
    if stays is None:
        return
    switch.hold(by, True)
    action = switch.dialplan.get(to, f"bridge:{to}").partition(":")
    consult = switch.call(
        caller=by.tokens.get("agent", "1000"),
        dialled=to,
        caller_name="Agent consult",
        uuid=consult_uuid,
        dialplan={"hangup_after_bridge": "true"},
    )
    consult.bridge(action[2] or to, uuid)
    switch.clock.call_later(switch.consultation, lambda: join(call, by, consult))


def join(call: Call, by: Channel, consult: Call) -> None:
    """REFER with Replaces: `by` and the consulting leg go, their partners are bridged."""
    switch, stays, third = call.switch, by.peer, consult.a.peer
    if stays is None or third is None or not (stays.up and third.up):
        return
    life, c = switch.life, consult.a
    switch.hold(by, False)
    by.call_state = "UNHELD"
    c.learn({"transfer_disposition": "replaced", "park_timeout": "2:attended_transfer"})
    c.set("endpoint_disposition", "ATTENDED_TRANSFER")
    c.state_number = "6"
    c.unset("bridge_to")
    life.unbridge(c, third)
    life.hangup(c, CAUSE, {})
    life.complete(c, {"sip_hangup_disposition": "send_bye"})
    _replace(switch, stays, third)
    by.learn(
        {
            "transfer_disposition": "recv_replace",
            "_sofia_replaces_": switch.new_uuid(),
            "refer_uuid": c.uuid,
            "transfer_to": f"att:{third.uuid}",
        }
    )
    life.part(stays, by)
    done = {"sip_term_status": "200", "proto_specific_hangup_cause": "sip:200", "sip_term_cause": "16"}
    life.hangup(by, CAUSE, done | role(by), {"sip_hangup_disposition": "recv_bye"})
    stays.learn(
        {
            "sip_hangup_phrase": "OK",
            "last_bridge_hangup_cause": CAUSE,
            "bridge_hangup_cause": CAUSE,
            "last_bridge_proto_specific_hangup_cause": "sip:200",
        }
    )
    life.unbridged(stays, by)
    if by.variables.get("recording_follow_transfer") == "true":
        for recording in list(by.recordings.values()):
            recording.move(stays)
    by.unset("bridge_to")
    life.complete(by, {})
    _take_over(switch, call, stays, third)


def _replace(switch: Switch, stays: Channel, third: Channel) -> None:
    """What the leg that stays knows of its next partner before the old one is gone."""
    stays.unset("bridge_to")
    stays.link(third, "originatee")
    stays.state_number = "8"
    for part in ("Name", "Number"):
        stays.profile[f"Callee-ID-{part}"] = third.profile.get(f"Callee-ID-{part}", "")
        third.profile[f"Caller-ID-{part}"] = stays.profile[f"Caller-ID-{part}"]
    source(switch, stays, "uuid_br", third.uuid)
    names = {
        "caller_id_name": "Caller-ID-Name",
        "caller_id_number": "Caller-ID-Number",
        "destination_number": "Destination-Number",
    }
    for c in (stays, third):
        c.learn({f"original_{n}": c.profile.get(p, "") for n, p in names.items()})
    source(switch, third, "uuid_br", stays.uuid)
    third.learn({"transfer_disposition": "bridge"})
    stays.learn({"uuid_bridge": third.uuid, "bridge_uuid": third.uuid, "signal_bond": third.uuid})
    stays.learn({"current_application_response": "FILE NOT FOUND"})


def _take_over(switch: Switch, call: Call, stays: Channel, third: Channel) -> None:
    call.legs.append(third)
    switch.adopt(third, call)
    stays.unset("uuid_bridge")
    stays.executing = ("", "", "")
    switch.life.execute(stays, "uuid_bridge", third.uuid, quiet=True)
    stays.enter("CS_SOFT_EXECUTE")
    stays.state_number = "3"
    switch.life.bridge(stays, third, again=True)
    third.link(stays, "originator")
    third.set("signal_bond", stays.uuid)
    third.call_uuid = stays.call_uuid
    third.tokens |= {"caller": stays.tokens["caller"], "caller_name": stays.tokens["caller_name"]}
    switch.life.execute(third, "uuid_bridge", stays.uuid, quiet=True)
    switch.clock.call_later(0.02, lambda: switch.life.bridged(stays, third) if stays.peer is third else None)


def uuid_bridge(switch: Switch, a: Channel, b: Channel) -> None:
    """`uuid_bridge a b`: old partners are hung up, recordings go on."""
    for c in (a, b):
        peer = c.peer
        if peer is not None:
            c.unset("bridge_to")
            switch.life.unbridge(c, peer)
            switch.life.hangup(peer, CAUSE, {})
            switch.life.complete(peer, {"sip_hangup_disposition": "send_bye"})
    switch.life.bridge(a, b, again=True)
    b.link(a, "originator")
