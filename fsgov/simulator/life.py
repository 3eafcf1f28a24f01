"""A channel's life as FreeSWITCH plays it: create, ring, answer, bridge, park, end — events in order.

Orders and header sets are those of the captures (`event-plain-all-one-call` above all).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fsgov.simulator.channel import CODEC, Channel

if TYPE_CHECKING:
    from fsgov.simulator.switch import Switch

Headers = list[tuple[str, str]]


class Life:
    """What happens to channels, one step a method."""

    def __init__(self, switch: Switch) -> None:
        self.switch = switch

    def fire(self, c: Channel, name: str, extra: Headers | None = None) -> None:
        self.switch.fire_for(c, name, extra)

    def state(self, c: Channel, state: str, number: str | None = None) -> None:
        c.enter(state)
        if number:
            c.state_number = number
        self.fire(c, "CHANNEL_STATE")

    def call_state(self, c: Channel, state: str) -> None:
        before, c.call_state = c.call_state, state
        numbers = {"DOWN": "0", "RINGING": "2", "EARLY": "3", "ACTIVE": "4", "HELD": "5", "HANGUP": "7"}
        self.fire(
            c,
            "CHANNEL_CALLSTATE",
            [("Original-Channel-Call-State", before), ("Channel-Call-State-Number", numbers.get(state, "4"))],
        )

    def create(self, c: Channel) -> None:
        """An inbound channel comes in and enters the dialplan."""
        self.state(c, "CS_NEW")
        self.state(c, "CS_INIT", "1")
        c.state_number = "2"
        self.fire(c, "CHANNEL_CREATE")
        c.state = "CS_ROUTING"
        self.call_state(c, "RINGING")
        self.state(c, "CS_ROUTING")
        self.state(c, "CS_EXECUTE")

    def execute(self, c: Channel, application: str, argument: str, *, quiet: bool = False) -> None:
        """The dialplan runs an application; `set` and the like are over at once, others go on."""
        c.set("current_application", application)
        c.set("current_application_data", argument)
        if quiet:
            return
        c.executing = (application, argument, self.switch.new_uuid())
        marks = [("Application", application), ("Application-Data", argument)]
        marks.append(("Application-UUID", c.executing[2]))
        self.fire(c, "CHANNEL_EXECUTE", marks)
        if application == "set":
            name, _, value = argument.partition("=")
            c.set(name, value)
            marks.insert(2, ("Application-Response", "_none_"))
            self.fire(c, "CHANNEL_EXECUTE_COMPLETE", marks)

    def originate(self, a: Channel, b: Channel) -> None:
        """`a` runs `bridge`: a new leg `b` is called."""
        b.link(a, "originator")
        b.state, b.state_number = "CS_NONE", "1"
        call_uuid, b.call_uuid = b.call_uuid, b.uuid
        self.fire(b, "CHANNEL_OUTGOING")
        b.call_uuid = call_uuid
        self.state(b, "CS_INIT", "1")
        b.state_number = "2"
        self.fire(b, "CHANNEL_CREATE")
        self.fire(b, "CHANNEL_ORIGINATE")
        self.state(b, "CS_ROUTING")
        self.state(b, "CS_CONSUME_MEDIA")
        a.tokens["other"], a.tokens["agent"] = b.uuid, b.tokens["agent"]
        before = {n: a.variables[n] for n in ("originated_legs", "originate_causes") if n in a.variables}
        again = "originate_disposition" in a.variables
        a.stage("a.originate")
        if again:
            a.unset("originate_signal_bond")
            parts = before["originated_legs"].removeprefix("ARRAY::")
            a.set("originated_legs", f"ARRAY::{parts}|:{a.variables['originated_legs']}")

    def progress(self, a: Channel, b: Channel) -> None:
        """180 from `b`: with a ringback the dialplan lets `a` hear, `a` gets early media."""
        now = self.switch.clock.epoch()
        b.stage("b.sip", without=self.switch.lacks(b))
        b.times["progress"] = a.times["progress"] = now
        self.fire(b, "CHANNEL_PROGRESS")
        b.call_state = "RINGING"
        if "ringback" in a.variables and not a.media:
            self.early(a)
        a.profile = _with_callee(a.profile, "Outbound Call", b.tokens["agent"])

    def early(self, a: Channel) -> None:
        """Pre-answer: media flows, the caller gets 183."""
        a.media = True
        a.stage("a.media", without=self.switch.lacks(a))
        self.codecs(a)
        a.answer_state = "early"
        a.times["progress_media"] = self.switch.clock.epoch()
        self.fire(a, "CHANNEL_PROGRESS_MEDIA")
        self.call_state(a, "EARLY")
        a.stage("a.sdp")
        self.switch.world.note("early", leg=a.number)

    def codecs(self, c: Channel) -> None:
        """Two CODEC events; the header names differ as FreeSWITCH writes them."""
        read = [(f"channel-read-codec-{n.lower()}", v) for n, v in CODEC]
        write = [(f"Channel-Write-Codec-{n}", v) for n, v in CODEC[:2]]
        self.fire(c, "CODEC", read)
        self.fire(c, "CODEC", [*write, ("Channel-Write-codec-bit-rate", CODEC[2][1])])

    def answer_far(self, a: Channel | None, b: Channel) -> None:
        """200 from `b`."""
        if "sip_call_id" not in b.variables:
            b.stage("b.sip", without=self.switch.lacks(b))
        b.media = True
        b.stage("b.media", without=self.switch.lacks(b))
        self.codecs(b)
        b.answer_state = "answered"
        b.times["answer"] = self.switch.clock.epoch()
        if a is not None:
            a.profile = _with_callee(a.profile, b.tokens["agent"], b.tokens["agent"])
            a.stage("a.answered_far")
        self.fire(b, "CHANNEL_ANSWER")
        b.profile = _with_callee(b.profile, b.tokens["agent"], b.tokens["agent"])
        self.call_state(b, "ACTIVE")
        self.switch.world.note("answered", leg=b.number)

    def answer_near(self, a: Channel) -> None:
        """`a` is answered: by the dialplan, or because its partner was."""
        if a.answered:
            return
        if a.peer is None and "originate_disposition" not in a.variables:
            a.set("current_application", "answer")
            a.unset("current_application_data")
        if not a.media:
            self.early(a)
        self.switch.catch_up(a)
        a.answer_state = "answered"
        a.times["answer"] = self.switch.clock.epoch()
        self.fire(a, "CHANNEL_ANSWER")
        self.switch.world.note("answered", leg=a.number)
        action = a.variables.get("execute_on_answer", "")
        if action.startswith("record_session"):
            self.switch.start_recording(a, action.partition(" ")[2], 0, {})
        self.call_state(a, "ACTIVE")
        a.set("endpoint_disposition", "ANSWER")

    def bridge(self, a: Channel, b: Channel, *, again: bool = False) -> None:
        """The two hear each other; one CHANNEL_BRIDGE with the originating leg's uuid."""
        self.switch.catch_up(a, b)
        now = self.switch.clock.epoch()
        a.peer, b.peer = b, a
        a.tokens["other"], b.tokens["other"] = b.uuid, a.uuid
        a.tokens["agent"] = b.tokens.get("agent", a.tokens.get("agent", ""))
        causes = a.variables.get("originate_causes")
        if "originate_disposition" in a.variables and not again:
            a.stage("a.bridge")
            if causes:
                a.set("originate_causes", f"ARRAY::{causes.removeprefix('ARRAY::')}|:{b.uuid};NONE")
        else:
            a.set("signal_bond", b.uuid)
        if not a.answered:
            a.set("endpoint_disposition", "EARLY MEDIA")
        a.times["bridge"] = now
        b.times["bridge"] = now
        a.link(b, "originatee")
        self.fire(a, "CHANNEL_BRIDGE", [("Bridge-A-Unique-ID", a.uuid), ("Bridge-B-Unique-ID", b.uuid)])
        self.switch.world.note("bridged", a=a.number, b=b.number)
        self.state(b, "CS_EXCHANGE_MEDIA")

    def bridged(self, a: Channel, b: Channel) -> None:
        """What both legs' variables know a moment after the bridge."""
        if "sip_cseq" not in a.variables:
            a.stage("a.ack")
        a.stage("a.bridged")
        b.stage("b.bridged")
        for c, other in ((a, b), (b, a)):
            c.set("bridge_channel", other.name)
        self.fire(b, "CALL_UPDATE", self._update(b))
        self.fire(a, "CALL_UPDATE", self._update(a))

    def _update(self, c: Channel) -> Headers:
        sent = [
            (f"Sent-Callee-ID-{n}", c.variables.get(f"last_sent_callee_id_{n.lower()}", ""))
            for n in ("Name", "Number")
        ]
        return [("Direction", "SEND"), *sent, ("Bridged-To", c.peer.uuid if c.peer else "")]

    def unbridge(self, a: Channel, b: Channel) -> None:
        """The two no longer hear each other; the event carries the originating leg's uuid."""
        self.part(a, b)
        self.unbridged(a, b)

    def part(self, a: Channel, b: Channel) -> None:
        """The two no longer hear each other, the event comes later."""
        self.switch.catch_up(a, b)
        self.switch.world.note("unbridged", a=a.number, b=b.number)
        a.peer = b.peer = None

    def unbridged(self, a: Channel, b: Channel) -> None:
        self.fire(a, "CHANNEL_UNBRIDGE", [("Bridge-A-Unique-ID", a.uuid), ("Bridge-B-Unique-ID", b.uuid)])

    def park(self, c: Channel) -> None:
        if not c.answered:
            self.answer_near(c)
        c.set("current_application", "park")
        c.unset("current_application_data")
        c.enter("CS_EXECUTE")
        self.fire(c, "CHANNEL_PARK")

    def hangup(
        self, c: Channel, cause: str, extra: dict[str, str], then: dict[str, str] | None = None
    ) -> None:
        """CHANNEL_HANGUP: the channel still executes, but it is over. then: variables set right after it."""
        self.switch.catch_up(c, *([c.peer] if c.peer else []))
        if c.run is not None:
            c.run.stop()
        c.learn(extra)
        c.hangup_cause, c.hangup_epoch = cause, self.switch.clock.epoch()
        c.answer_state, c.state_number = "hangup", "10"
        self.fire(c, "CHANNEL_HANGUP")
        c.learn(then or {})
        if c.playback:
            c.playback.end("done")

    def complete(self, c: Channel, extra: dict[str, str]) -> None:
        """From CS_HANGUP to the end: RECORD_STOP, HANGUP_COMPLETE, DESTROY; then the channel is gone."""
        if c.executing[0] not in ("", "set"):
            self.fire(
                c,
                "CHANNEL_EXECUTE_COMPLETE",
                [
                    ("Application", c.executing[0]),
                    ("Application-Data", c.executing[1]),
                    ("Application-Response", "_none_"),
                    ("Application-UUID", c.executing[2]),
                ],
            )
        self.state(c, "CS_HANGUP")
        for recording in list(c.recordings.values()):
            recording.stop("success-silence")
        c.learn(extra)
        self.call_state(c, "HANGUP")
        self.state(c, "CS_REPORTING")
        c.unset("bridge_to")
        c.close(self.switch.clock.epoch())
        if c.direction == "outbound":
            c.call_uuid = c.uuid
            c.set("call_uuid", c.uuid)
        self.fire(c, "CHANNEL_HANGUP_COMPLETE")
        c.state_number = "12"
        self.fire(c, "CHANNEL_DESTROY")
        c.state = "CS_DESTROY"
        self.fire(c, "CHANNEL_STATE")
        self.switch.gone(c)


def _with_callee(profile: dict[str, str], name: str, number: str) -> dict[str, str]:
    """The profile with who was reached, at its place behind the caller's own names."""
    out: dict[str, str] = {}
    for key, value in profile.items():
        if key.startswith("Callee-ID-"):
            continue
        out[key] = value
        if key == "Orig-Caller-ID-Number":
            out["Callee-ID-Name"], out["Callee-ID-Number"] = name, number
    return out
