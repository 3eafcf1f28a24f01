"""What SIP phones do: one call from the side of its people.

`switch.call(...)` is a caller's INVITE; everything else is a method of the `Call` it returns. Legs
are named in order of joining: "a" the caller, "b" the first agent, "c" …
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fsgov.simulator import ending, transfer
from fsgov.simulator.channel import Channel

if TYPE_CHECKING:
    from fsgov.simulator.switch import Switch

NAMES = "abcdefghijklmnopqrstuvwxyz"


class Call:
    """One call. Methods return the call, so that steps can be chained; they happen at once."""

    def __init__(self, switch: Switch, a: Channel) -> None:
        self.switch, self.life = switch, switch.life
        self.legs: list[Channel] = [a]

    @property
    def a(self) -> Channel:
        return self.legs[0]

    @property
    def b(self) -> Channel:
        return self.legs[1]

    def leg(self, name: str) -> Channel:
        """A leg by its letter or its uuid."""
        for letter, c in zip(NAMES, self.legs, strict=False):
            if name in (letter, c.uuid):
                return c
        raise KeyError(name)

    def dial(
        self, agent: str = "1000", uuid: str | None = None, variables: dict[str, str] | None = None
    ) -> Call:
        """The dialplan bridges the caller to an agent, whose phone has not answered yet."""
        a = self.a
        self.life.execute(a, "bridge", f"sofia/internal/{agent}@127.0.0.1:5070")
        b = self.switch.new_channel(
            "outbound",
            uuid,
            {
                "other": a.uuid,
                "caller": a.tokens["caller"],
                "caller_name": self._name_sent_on(),
                "agent": agent,
                "without": " ".join({"sip_cid_type", "sip_reason"} & set(self.switch.lacks(a))),
            },
            self,
        )
        b.profile["Orig-Caller-ID-Name"] = a.profile["Orig-Caller-ID-Name"]
        if "RDNIS" in a.profile:
            b.profile["RDNIS"] = a.profile["RDNIS"]
        exported = a.variables.get("export_vars", "")
        for name in filter(None, exported.split(",")):
            if name in a.variables:
                b.set(name, a.variables[name])
        b.set("export_vars", exported)
        for name, value in {n: v for n, v in a.variables.items() if n.startswith("sip_h_")}.items():
            b.set(name, value)
        b.bring(variables or {})
        self.legs.append(b)
        self.life.originate(a, b)
        return self

    def _name_sent_on(self) -> str:
        """The caller's name on the outbound leg; with a newline in it, what is behind its last colon."""
        name = self.a.profile["Caller-ID-Name"]
        return name.rpartition(":")[2] if "\n" in name else name

    def ring(self, agent: str | None = None, uuid: str | None = None) -> Call:
        """The agent's phone rings (180). Dials first when nobody was dialled."""
        if agent is not None or self._ringing() is None:
            self.dial(agent or "1000", uuid)
        b = self._ringing()
        if b is not None:
            self.life.progress(self.a, b)
        return self

    def answer(self, by: str | None = None) -> Call:
        """The ringing agent answers, both are bridged; with nobody ringing the dialplan answers.

        by: which one, where several ring (default the last); the others ring no more (LOSE_RACE).
        """
        b = self.leg(by) if by else self._ringing()
        if b is None:
            if not self.a.answered:
                self.life.answer_near(self.a)
                self.a.stage("a.ack")
            return self
        for other in [c for c in self.legs[1:] if c is not b and c.up and not c.answered]:
            ending.cancel(self.switch, other, "LOSE_RACE")
        self.life.answer_far(self.a, b)
        self.life.answer_near(self.a)
        self.life.bridge(self.a, b)
        self.switch.clock.call_later(0.002, lambda: self._settled(self.a, b))
        return self

    def _settled(self, a: Channel, b: Channel) -> None:
        if a.peer is b and a.up and b.up:
            self.life.bridged(a, b)

    def bridge(
        self, agent: str = "1000", uuid: str | None = None, variables: dict[str, str] | None = None
    ) -> Call:
        """Dial and be answered at once."""
        return self.dial(agent, uuid, variables).answer()

    def _ringing(self) -> Channel | None:
        return next((c for c in reversed(self.legs[1:]) if c.up and not c.answered), None)

    def press(self, digits: str, by: str = "a", every: float = 0.28, source: str = "RTP") -> Call:
        """Press keys, the first now, each for 260 ms."""
        c = self.leg(by)
        for i, digit in enumerate(digits):
            self.switch.clock.call_later(i * every, lambda d=digit: self.switch.dtmf(c, d, source))  # type: ignore[misc]
        return self

    def hold(self, by: str = "a") -> Call:
        """A phone puts the other side on hold (re-INVITE sendonly)."""
        self.switch.hold(self.leg(by), True)
        return self

    def unhold(self, by: str = "a") -> Call:
        self.switch.hold(self.leg(by), False)
        return self

    def park(self) -> Call:
        """The dialplan answers and parks the caller."""
        self.life.park(self.a)
        self.a.stage("a.ack")
        return self

    def conference(self, room: str = "room1", by: str = "a") -> Call:
        """The dialplan answers a leg and puts it into a conference."""
        self.switch.rooms.join(self.leg(by), room)
        return self

    def queue(self, name: str = "cool_fifo") -> Call:
        """The dialplan answers the caller and lets it wait in a fifo without music: no audio flows."""
        self.switch.rooms.wait(self.a, name)
        return self

    def busy(self, cause: str = "USER_BUSY", text: str = "486 Busy Here") -> Call:
        """The dialplan turns the caller away."""
        a = self.a
        self.life.execute(a, "respond", text)
        self.life.hangup(a, cause, {})
        self.life.complete(a, {"sip_hangup_disposition": "send_refuse"})
        return self

    def blind_transfer(self, to: str, by: str = "b", uuid: str | None = None, answer: bool = True) -> Call:
        """REFER: the leg `by` sends its partner to another extension and is gone."""
        transfer.refer(self, self.leg(by), to, uuid, answer)
        return self

    def attended_transfer(
        self, to: str, by: str = "b", uuid: str | None = None, consult_uuid: str | None = None
    ) -> Call:
        """REFER with Replaces: the agent's consultation call takes its place."""
        transfer.attended(self, self.leg(by), to, uuid, consult_uuid)
        return self

    def hang_up(self, by: str = "a", cause: str = "NORMAL_CLEARING", crossing: bool = False) -> Call:
        """A phone ends the call (BYE), or the caller gives up while it rings (CANCEL).

        crossing: the other phone says bye at the same time.
        """
        c = self.leg(by)
        if not c.up:
            return self
        if c.answered:
            self.switch.end(c, cause, "bye", crossing)
        else:
            self.switch.end(c, "ORIGINATOR_CANCEL" if c is self.a else "USER_BUSY", "cancel")
        return self

    def kill(self, by: str = "a", cause: str = "MANAGER_REQUEST", each: bool = False) -> Call:
        """The switch ends a leg by itself (uuid_kill), or this one first and the other as well (hupall)."""
        self.switch.end(self.leg(by), cause, "all" if each else "kill")
        return self

    def reject(self, cause: str = "USER_BUSY") -> Call:
        """The ringing agent declines; the dialplan has no other and ends the call."""
        b = self._ringing()
        if b is not None:
            ending.cancel(self.switch, b, cause)
        self.switch.end(self.a, cause, "kill")
        return self
