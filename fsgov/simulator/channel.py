"""One channel (leg) of the switch: its state, profile and variables, and the headers they make.

Variables grow in stages taken from the captures (`headers.json`), so an event carries the header
set that the real switch sends at that point of a channel's life.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from fsgov.simulator.event import stamp, templates

if TYPE_CHECKING:
    from fsgov.simulator.playback import Playback
    from fsgov.simulator.recording import Recording
    from fsgov.simulator.run import Run

NO_VARIABLES = frozenset({"CHANNEL_STATE", "CHANNEL_CALLSTATE", "CODEC", "DTMF", "CHANNEL_OUTGOING"})
STATES = {
    "CS_NEW": "0",
    "CS_INIT": "2",
    "CS_ROUTING": "2",
    "CS_EXECUTE": "4",
    "CS_SOFT_EXECUTE": "6",
    "CS_EXCHANGE_MEDIA": "5",
    "CS_CONSUME_MEDIA": "7",
    "CS_HANGUP": "10",
    "CS_REPORTING": "11",
}
CODEC = (("Name", "PCMU"), ("Rate", "8000"), ("Bit-Rate", "64000"))
CAUSES = {
    "NORMAL_CLEARING": "16",
    "USER_BUSY": "17",
    "NO_ANSWER": "19",
    "ORIGINATOR_CANCEL": "487",
    "CALL_REJECTED": "21",
    "DESTINATION_OUT_OF_ORDER": "27",
    "INCOMPATIBLE_DESTINATION": "88",
    "SYSTEM_SHUTDOWN": "0",
    "MANAGER_REQUEST": "0",
    "NO_USER_RESPONSE": "18",
    "LOSE_RACE": "502",
}
_TOKEN = re.compile(r"\{(\w+)\}")


class Channel:
    """A leg. `number` is its number in the world: time-coded audio names it."""

    def __init__(self, uuid: str, number: int, direction: str, tokens: dict[str, str], epoch: float) -> None:
        self.uuid, self.number, self.direction = uuid, number, direction
        self.side = "a" if direction == "inbound" else "b"
        self.tokens = {"uuid": uuid, "number": str(number), **tokens}
        self.created = epoch
        self.state, self.state_number = "CS_INIT", "2"
        self.call_state, self.answer_state = "DOWN", "ringing"
        self.call_uuid = tokens.get("other", uuid) if direction == "outbound" else uuid
        self.hangup_cause = ""
        self.hangup_epoch = 0.0
        self.media = False
        self.hold = False
        self.holds: list[tuple[float, float]] = []
        self.times: dict[str, float] = {}
        self.executing = ("", "", "")
        self.variables: dict[str, str] = {}
        self.other_type = ""
        self.other: list[tuple[str, str]] = []
        self.profile = self._profile()
        self.initial = dict(self.profile)
        self.peer: Channel | None = None
        self.recordings: dict[str, Recording] = {}
        self.playback: Playback | None = None
        self.run: Run | None = None
        self.context = ""
        self.bindings: dict[tuple[str, str], tuple[str, str]] = {}
        self.meta = False
        self.conference = ""
        self.queue = ""
        self.stage(f"{self.side}.create", without=tokens.get("without", "").split())
        self.name = self.variables.get("channel_name", "")

    def _profile(self) -> dict[str, str]:
        made = {n: self.fill(v) for n, v in templates()["profiles"][self.side]}
        if self.side == "a":  # captured: the name in the profile is url-decoded, the SIP variables are not
            for name in ("Caller-ID-Name", "Orig-Caller-ID-Name"):
                made[name] = unquote(made[name], errors="surrogateescape")
        return made

    def fill(self, template: str) -> str:
        """A template's text for this channel; what the caller says is put in once, never looked at again."""
        if "{" not in template:
            return template
        known = {
            "us": str(int(self.created * 1e6)),
            "stamp": stamp(self.created),
            "epoch": str(int(self.created)),
        }
        return _TOKEN.sub(lambda m: str(self.tokens.get(m[1], known.get(m[1], ""))), template)

    def stage(self, name: str, without: list[str] | None = None) -> None:
        """Let the variables grow by one stage of the templates."""
        step: dict[str, Any] = templates()["stages"][name]
        for key, value in step["set"]:
            if not without or key not in without:
                self.set(key, self.fill(value))
        for key in step["unset"]:
            self.variables.pop(key, None)

    def set(self, name: str, value: str) -> None:
        """Set a variable; an empty value removes it."""
        if value.strip():
            self.variables[name] = value
        else:
            self.variables.pop(name, None)

    def bring(self, variables: dict[str, str]) -> None:
        """Variables that are there from the start; `channel_name` names the channel (a gateway, say)."""
        for name, value in variables.items():
            self.set(name, value)
        self.name = self.variables.get("channel_name", self.name)
        self.profile["Channel-Name"] = self.name

    def learn(self, values: dict[str, str]) -> None:
        """Set variables that come from this leg's SIP, without those that its phone does not give."""
        lacks = self.tokens.get("without", "").split()
        for name, value in values.items():
            if name not in lacks:
                self.set(name, value)

    def unset(self, *names: str) -> None:
        for name in names:
            self.variables.pop(name, None)

    def enter(self, state: str) -> None:
        self.state, self.state_number = state, STATES[state]

    @property
    def answered(self) -> bool:
        return self.answer_state == "answered"

    @property
    def up(self) -> bool:
        return self.answer_state != "hangup"

    def link(self, other: Channel, kind: str) -> None:
        """Take a snapshot of the other leg's profile for the Other-Leg-* headers."""
        self.other_type = kind
        early = kind == "originator" and not other.answered
        times = ("-Time", "-Last-Hold", "-Hold-Accum")
        self.other = [
            (f"Other-Leg-{n}", "0" if early and n.endswith(times) else v)
            for n, v in other._caller()
            if n not in ("Profile-Index", "Transfer-Source")
        ]
        self.tokens["other"] = other.uuid

    def unlink(self) -> None:
        self.other_type, self.other = "", []

    def _caller(self) -> list[tuple[str, str]]:
        marks = {
            "Channel-Created-Time": self.created,
            "Channel-Answered-Time": self.times.get("answer", 0.0),
            "Channel-Progress-Time": self.times.get("progress", 0.0),
            "Channel-Progress-Media-Time": self.times.get("progress_media", 0.0),
            "Channel-Hangup-Time": self.hangup_epoch,
            "Channel-Transfer-Time": self.times.get("transfer", 0.0),
            "Channel-Bridged-Time": self.times.get("bridge", 0.0),
        }
        if self.holds:
            marks["Channel-Last-Hold"] = self.holds[0][0]
            marks["Channel-Hold-Accum"] = sum(b - a for a, b in self.holds if b)
        return [(n, str(int(marks[n] * 1e6)) if n in marks else v) for n, v in self.profile.items()]

    def headers(self, event: str) -> list[tuple[str, str]]:
        """What an event of this channel carries beside its own headers."""
        out = [
            ("Channel-State", self.state),
            ("Channel-Call-State", self.call_state),
            ("Channel-State-Number", self.state_number),
            ("Channel-Name", self.name),
            ("Unique-ID", self.uuid),
            ("Call-Direction", self.direction),
            ("Presence-Call-Direction", self.direction),
            ("Channel-HIT-Dialplan", "true" if self.direction == "inbound" else "false"),
            ("Channel-Call-UUID", self.call_uuid),
            ("Answer-State", self.answer_state),
        ]
        if self.hangup_cause:
            out.append(("Hangup-Cause", self.hangup_cause))
        if self.media:
            out += [(f"Channel-{way}-Codec-{n}", v) for way in ("Read", "Write") for n, v in CODEC]
        if self.state == "CS_NEW":
            return out
        out += [(f"Caller-{n}", v) for n, v in self._caller()]
        if self.other_type:
            out.append(("Other-Type", self.other_type))
            out += self.other
        if event not in NO_VARIABLES:
            out += [(f"variable_{n}", v) for n, v in self.variables.items()]
        return out

    def held(self, epoch: float, on: bool) -> None:
        """Remember when a hold began or ended, for CHANNEL_HANGUP_COMPLETE."""
        if on:
            self.holds.insert(0, (epoch, 0.0))
        elif self.holds:
            self.holds[0] = (self.holds[0][0], epoch)

    def close(self, epoch: float) -> None:
        """Set what CHANNEL_HANGUP_COMPLETE adds: cause, stamps, durations, RTP counters."""
        marks = {
            "start": self.created,
            "profile_start": self.created,
            "answer": self.times.get("answer", 0.0),
            "bridge": self.times.get("bridge", 0.0),
            "progress": self.times.get("progress", 0.0),
            "progress_media": self.times.get("progress_media", 0.0),
            "end": epoch,
        }
        took = epoch - self.created
        spoke = epoch - marks["answer"] if marks["answer"] else 0.0
        lengths = {
            "duration": took,
            "billsec": spoke,
            "flow_billsec": took if self.answered or marks["answer"] else 0.0,
            "waitsec": max(0.0, marks["bridge"] - self.created),
            "answersec": max(0.0, marks["answer"] - self.created),
            "progresssec": max(0.0, marks["progress"] - self.created),
            "progress_mediasec": max(0.0, marks["progress_media"] - self.created),
        }
        values: dict[str, str] = {
            "hangup_cause": self.hangup_cause,
            "hangup_cause_q850": CAUSES.get(self.hangup_cause, "16"),
            "last_app": self.variables.get("current_application", ""),
            "last_arg": self.variables.get("current_application_data", ""),
        }
        for name, at in marks.items():
            values[f"{name}_stamp"] = stamp(at) if at else ""
            values[f"{name}_epoch"] = str(int(at))
            values[f"{name}_uepoch"] = str(int(at * 1e6))
        for name, seconds in lengths.items():
            stem = name.removesuffix("sec") if name.endswith("sec") else ""
            values[name] = str(int(seconds))
            values[f"{stem}msec" if stem else "mduration"] = str(int(seconds * 1e3))
            values[f"{stem}usec" if stem else "uduration"] = str(int(seconds * 1e6))
        for name, value in templates()["stages"]["closing"]["set"]:
            self.set(name, values.get(name, self.fill(value)))
        self.set("progress_stamp", values["progress_stamp"])
        if self.holds:
            self.set("hold_stamp", stamp(self.holds[0][0]))
            spans = ",".join(f"{{{int(a * 1e6)},{int((b or epoch) * 1e6)}}}" for a, b in self.holds)
            self.set("hold_events", f"{{{spans}}}")
        if self.media:
            packets = str(int(spoke * 50))
            for name, value in templates()["stages"]["rtp"]["set"]:
                self.set(name, packets if name.endswith("_packet_count") and value != "0" else value)
