"""Makes `fsgov/simulator/headers.json` out of the captures: `python tests/conformance/make_headers.py`.

A channel's variables grow with its life. Each stage is what two neighbouring events of one capture
differ by: names in the switch's order with example values, where what belongs to the captured call
(uuids, numbers, times) is a `{token}`.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tests import wire  # noqa: E402

Pairs = list[tuple[str, str]]
TARGET = ROOT / "fsgov" / "simulator" / "headers.json"


def seen(capture: str) -> list[wire.WireEvent]:
    return [e for e in wire.events(wire.CAPTURES / f"{capture}.jsonl", 1) if e.format == "plain"]


def variables(event: wire.WireEvent) -> dict[str, str]:
    return {n.removeprefix("variable_"): v for n, v in event.headers if n.startswith("variable_")}


class Capture:
    """One captured call: its legs and what to replace by tokens."""

    def __init__(self, name: str, dialled: str, agent: str) -> None:
        self.events = seen(name)
        self.legs = {"a": "", "b": ""}
        for e in self.events:
            if e.uuid and not self.legs["a" if e.get("Call-Direction") == "inbound" else "b"]:
                self.legs["a" if e.get("Call-Direction") == "inbound" else "b"] = e.uuid
        self.dialled, self.agent = dialled, agent

    def token(self, leg: str, name: str, value: str) -> str:
        other = "b" if leg == "a" else "a"
        swaps = [(self.legs[leg], "{uuid}"), ("Alice Example", "{caller_name}"), ("15551230001", "{caller}")]
        if self.legs[other]:
            swaps.append((self.legs[other], "{other}"))
        for old, new in swaps:
            value = value.replace(old, new) if old else value
        value = re.sub(r"\b1795\d{12}\b", "{us}", value)
        value = re.sub(r"2026-11-21 \d\d:\d\d:\d\d", "{stamp}", value)
        value = re.sub(r"\b17952[78]\d{4}\b", "{epoch}", value) if "sdp" not in name else value
        if name != "switch_r_sdp" and "sdp" not in name:
            value = re.sub(rf"(?<![\d.]){self.dialled}(?!\d)", "{dialled}", value) if leg == "a" else value
            value = re.sub(rf"(?<![\d.]){self.agent}(?!\d)(?!b)", "{agent}", value)
        if name == "session_id":
            value = "{number}"
        return value

    def find(self, leg: str, event: str) -> wire.WireEvent:
        return next(e for e in self.events if e.uuid == self.legs[leg] and e.name == event)

    def stage(self, leg: str, after: str | None, at: str) -> dict[str, object]:
        before = variables(self.find(leg, after)) if after else {}
        now = variables(self.find(leg, at))
        new = [(n, self.token(leg, n, v)) for n, v in now.items() if before.get(n) != v]
        return {"set": new, "unset": [n for n in before if n not in now]}


def pick(stage: dict[str, object], names: list[str], keep: bool = True) -> dict[str, object]:
    pairs = [tuple(p) for p in stage["set"]]  # type: ignore[attr-defined]
    return {"set": [p for p in pairs if (p[0] in names) == keep], "unset": []}


def profile(e: wire.WireEvent, c: Capture, leg: str) -> Pairs:
    return [(n.removeprefix("Caller-"), c.token(leg, n, v)) for n, v in e.headers if n.startswith("Caller-")]


def document() -> dict[str, object]:
    """The whole of `headers.json`, made anew from the captures."""
    full = Capture("event-plain-all-one-call", "2000", "1000")
    ringing = Capture("record-a-leg-while-b-rings", "2010", "1010")
    busy = Capture("call-busy", "8000", "1000")
    early = full.stage("a", "CHANNEL_EXECUTE_COMPLETE", "CHANNEL_PROGRESS_MEDIA")
    origin = ["originate_disposition", "DIALSTATUS", "originate_signal_bond", "originated_legs"]
    skip = ["current_application", "current_application_data", "hangup_after_bridge", "ringback"]
    media = pick(early, [*origin, *skip, "switch_m_sdp"], keep=False)
    bridged = full.stage("a", "CHANNEL_BRIDGE", "RECORD_START")
    ack = ["sip_to_tag", "sip_cseq", "sip_full_via", "sip_full_to"]
    progress = ringing.stage("b", "CHANNEL_CREATE", "CHANNEL_PROGRESS")
    answered = full.stage("b", "CHANNEL_CREATE", "CHANNEL_ANSWER")
    known = [p[0] for p in progress["set"]]  # type: ignore[attr-defined]
    complete_a = full.stage("a", "CHANNEL_EXECUTE_COMPLETE", "CHANNEL_HANGUP_COMPLETE")
    times = variables(full.find("a", "CHANNEL_HANGUP_COMPLETE"))
    start = list(times).index("hangup_cause")
    rtp = [n for n in times if n.startswith("rtp_audio_") and n not in ("rtp_audio_recv_pt",)]
    closing = [n for n in list(times)[start:] if n not in rtp and n != "sip_hangup_disposition"]
    no_rtp = variables(busy.find("a", "CHANNEL_HANGUP_COMPLETE"))
    return {
        "stages": {
            "a.create": full.stage("a", None, "CHANNEL_CREATE"),
            "a.originate": pick(early, origin),
            "a.answered_far": pick(early, ["switch_m_sdp"]),
            "a.media": media,
            "a.sdp": full.stage("a", "CHANNEL_PROGRESS_MEDIA", "CHANNEL_ANSWER"),
            "a.bridge": full.stage("a", "CHANNEL_ANSWER", "CHANNEL_BRIDGE"),
            "a.ack": pick(bridged, ack),
            "a.bridged": pick(bridged, ack, keep=False),
            "b.create": full.stage("b", None, "CHANNEL_CREATE"),
            "b.sip": pick(answered, known),
            "b.media": pick(answered, known, keep=False),
            "b.bridged": full.stage("b", "CHANNEL_ANSWER", "CALL_UPDATE"),
            "closing": pick(complete_a, closing),
            "rtp": pick(complete_a, rtp),
        },
        "closing_without_answer": [n for n in no_rtp if n in closing or n == "sip_hangup_disposition"],
        "profiles": {
            "a": profile(full.find("a", "CHANNEL_CREATE"), full, "a"),
            "b": profile(full.find("b", "CHANNEL_CREATE"), full, "b"),
        },
        "origins": origins(),
        "heartbeat": fixed("heartbeat", "HEARTBEAT"),
    }


def text() -> str:
    """The file's content."""
    return json.dumps(document(), indent=1, ensure_ascii=False) + "\n"


def origins() -> dict[str, list[str]]:
    """File, function and line of FreeSWITCH's source that fires each event."""
    found: dict[str, list[str]] = {}
    for name in wire.names():
        for e in seen(name):
            if e.get("Command"):
                continue
            kind = e.name
            if kind == "CUSTOM":
                kind = f"{e.get('Event-Subclass')} {e.get('Action') or e.get('FIFO-Action')}"
            place = [e.get(f"Event-Calling-{x}") for x in ("File", "Function", "Line-Number")]
            found.setdefault(kind, place)
    return dict(sorted(found.items()))


def fixed(capture: str, event: str) -> Pairs:
    e = next(e for e in seen(capture) if e.name == event)
    skip = (
        "Event-Name",
        "Core-UUID",
        "Event-Date",
        "Event-Calling",
        "Event-Sequence",
        "FreeSWITCH-H",
        "FreeSWITCH-S",
        "FreeSWITCH-I",
    )
    return [(n, v) for n, v in e.headers if not n.startswith(skip)]


if __name__ == "__main__":
    TARGET.write_text(text(), encoding="utf-8")
