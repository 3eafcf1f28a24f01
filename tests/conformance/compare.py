"""What of two switches' bytes must be the same: replies, events by leg, header sets, telling values."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from tests import wire

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
STAMP = re.compile(r"\d{4}-\d\d-\d\d( |%20)\d\d:?\d\d:?\d\d|\b\d{10}(\d{6})?\b")
COUNTS = re.compile(r"\d+(\.\d+)?")
TELLING = (
    "Channel-State",
    "Channel-Call-State",
    "Channel-State-Number",
    "Unique-ID",
    "Call-Direction",
    "Answer-State",
    "Hangup-Cause",
    "Channel-Call-UUID",
    "Caller-Caller-ID-Name",
    "Caller-Caller-ID-Number",
    "Caller-Destination-Number",
    "Caller-Callee-ID-Number",
    "Other-Type",
    "Other-Leg-Unique-ID",
    "Bridge-A-Unique-ID",
    "Bridge-B-Unique-ID",
    "Record-File-Path",
    "Record-Completion-Cause",
    "Recording-Variable-*",
    "Media-Bug-*",
    "Playback-*",
    "DTMF-*",
    "Application",
    "Application-Data",
    "Application-Response",
    "Job-Command*",
    "Event-Subclass",
    "Event-Info",
    "FIFO-*",
    "Action",
    "Conference-Name",
    "Member-ID",
    "Command",
    "X-*",
    "API-Command*",
    "variable_hangup_cause",
    "variable_bridge_uuid",
    "variable_last_bridge_to",
    "variable_record_completion_cause",
    "variable_RECORD_*",
    "variable_enc_*",
    "variable_sip_hangup_disposition",
    "variable_originating_leg_uuid",
    "variable_sip_h_*",
    "variable_sip_from_display",
    "variable_recording_consent",
    "variable_consent_*",
)


@dataclass(frozen=True)
class Exceptions:
    """Reviewed differences (`not_simulated.toml`): header patterns, by capture and event."""

    rows: tuple[dict[str, Any], ...]

    def allows(self, capture: str, event: str, header: str, kind: str) -> bool:
        """kind: `name` (there or not there) or `value`."""
        return any(
            fnmatchcase(capture, r.get("capture", "*"))
            and fnmatchcase(event, r.get("event", "*"))
            and kind in r.get("differs", ["name", "value"])
            and any(fnmatchcase(header, pattern) for pattern in r["headers"])
            for r in self.rows
        )


@dataclass(frozen=True)
class Shown:
    """An event as it is compared."""

    name: str
    uuid: str
    sequence: int
    names: frozenset[str]
    values: dict[str, str]
    body: str


def shown(frames: list[wire.Frame]) -> list[Shown]:
    """The events of a connection in the order they were fired (the wire sometimes swaps neighbours)."""
    out = []
    for frame in frames:
        e = wire.event(frame)
        if e is None:
            continue
        values = dict(e.headers)
        if e.format == "plain":
            values = dict(wire.pairs(frame.body.partition(b"\n\n")[0]))
        body = normal(e.body.decode("utf-8", "surrogateescape"))
        name = e.name if e.name != "CUSTOM" else f"CUSTOM {e.get('Event-Subclass')} {e.get('Action')}".strip()
        out.append(
            Shown(
                name,
                e.uuid,
                int(e.get("Event-Sequence", "0")),
                frozenset(n for n, _ in e.headers),
                values,
                body,
            )
        )
    return sorted(out, key=lambda s: s.sequence)


def normal(text: str) -> str:
    """A text without uuids, times and the switch's own counters."""
    if text.startswith("Event-Name: CHANNEL_DATA"):
        return "\n".join(sorted(n for n, _ in wire.pairs(text.encode())))
    if text.startswith('{"Event-Name"'):
        return "\n".join(sorted(json.loads(text)))
    text = STAMP.sub("<time>", UUID.sub("<uuid>", text))
    if text.startswith("UP ") or "systemStatus" in text:
        text = COUNTS.sub("<n>", text).replace("minutes", "minute").replace("seconds", "second")
    return text


def _bare(value: str) -> str:
    return STAMP.sub("", UUID.sub("", value))


def replies(frames: list[wire.Frame]) -> list[str]:
    """All frames that are no events, as text."""
    out = []
    for frame in frames:
        kind = frame.get("Content-Type")
        if kind.startswith("text/event-"):
            continue
        head = [f"{n}: {normal(v)}" for n, v in frame.headers if n != "Content-Length"]
        out.append("\n".join([*head, normal(frame.body.decode("utf-8", "surrogateescape"))]))
    return out


def differences(capture: str, number: int, real: bytes, ours: bytes, exceptions: Exceptions) -> list[str]:
    """Everything in which the simulator's bytes are not the real switch's."""
    found: list[str] = []
    a, b = wire.frames(real), wire.frames(ours)
    want, got = replies(a), replies(b)
    for i in range(max(len(want), len(got))):
        x, y = (want[i] if i < len(want) else None), (got[i] if i < len(got) else None)
        if x != y and not exceptions.allows(capture, "reply", (x or y or "").replace("\n", " "), "value"):
            found.append(f"c{number} reply {i}: want {x!r}, got {y!r}")
            if len(want) != len(got):
                break
    real_events, got_events = shown(a), shown(b)
    for leg in sorted({e.uuid for e in [*real_events, *got_events]}):
        mine = [e for e in real_events if e.uuid == leg], [e for e in got_events if e.uuid == leg]
        names = [e.name for e in mine[0]], [e.name for e in mine[1]]
        if names[0] != names[1]:
            found.append(f"c{number} leg {leg}: want {names[0]}, got {names[1]}")
            continue
        for e, f in zip(*mine, strict=True):
            found += _event(capture, number, e, f, exceptions)
    return found


def _event(capture: str, number: int, e: Shown, f: Shown, exceptions: Exceptions) -> list[str]:
    at = f"c{number} {e.name} {e.uuid[:8]}"
    lacks = [n for n in sorted(e.names - f.names) if not exceptions.allows(capture, e.name, n, "name")]
    extra = [n for n in sorted(f.names - e.names) if not exceptions.allows(capture, e.name, n, "name")]
    found = [f"{at}: lacks {lacks}"] if lacks else []
    found += [f"{at}: extra {extra}"] if extra else []
    for name in sorted(e.names & f.names):
        if not any(fnmatchcase(name, p) for p in TELLING):
            continue
        x, y = e.values[name], f.values[name]
        same = x == y if name.endswith("-Unique-ID") else _bare(x) == _bare(y)
        if not same and not exceptions.allows(capture, e.name, name, "value"):
            found.append(f"{at}: {name} want {x!r}, got {y!r}")
    if e.body != f.body:
        found.append(f"{at}: body want {e.body!r}, got {f.body!r}")
    return found
