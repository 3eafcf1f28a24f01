"""What a wire event means to the core: one value of fsgov.events, or None for what we do not govern by.

Rooms come from mod_conference alone. Callers who wait in a queue or a lot do not hear each other, and
mod_callcenter, mod_fifo and mod_valet_parking join two legs by switch_ivr_uuid_bridge or
switch_ivr_multi_threaded_bridge (mod_callcenter.c:1980, mod_fifo.c:3435, mod_valet_parking.c:590 of 1.10.12),
which send CHANNEL_BRIDGE; their own `info` events come before it and do not say that it succeeded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Final

from fsgov.dialplan import VariablesTold
from fsgov.esl import dialplan
from fsgov.esl.frames import Headers
from fsgov.esl.values import Unreadable, is_uuid, number_or_none, segment_or_none, source_of, spoken
from fsgov.events import (
    Direction,
    Event,
    Heartbeat,
    Instant,
    KeyPressed,
    LegAnswered,
    LegCreated,
    LegGone,
    LegHeld,
    LegHungUp,
    LegsBridged,
    LegsUnbridged,
    LegUnheld,
    PromptMissing,
    PromptStarted,
    PromptStopped,
    RecordingSeen,
    RecordingStarted,
    RecordingStopped,
    RoomJoined,
    RoomLeft,
)

SUBSCRIPTION: Final = (
    "event plain HEARTBEAT CHANNEL_CREATE CHANNEL_ANSWER CHANNEL_BRIDGE CHANNEL_UNBRIDGE CHANNEL_HOLD "
    "CHANNEL_UNHOLD CHANNEL_HANGUP CHANNEL_HANGUP_COMPLETE CHANNEL_EXECUTE_COMPLETE DTMF "
    "PLAYBACK_START PLAYBACK_STOP "
    "RECORD_START RECORD_STOP MEDIA_BUG_START CUSTOM conference::maintenance callcenter::info "
    "fsgov::gate fsgov::code"
)
"""What the link listens to. CUSTOM is last: every name after it would be taken for a subclass."""

_MADE_FOR: Final = [f"variable_{n}_uuid" for n in ("other_loopback_leg", "cc_member_session", "fifo_bridge")]
"""Of a leg without Other-Leg: the other half of a loopback; for whom a queue calls an agent."""
_KEYS: Final = frozenset("0123456789*#ABCD")


class Translator:
    """Wire events into the core's, with the channel variables that the policy wants to see.

    counts: `forged` (some client's sendevent), `unreadable`, `injected` (a key that a program pressed),
    `repeated` (a new leg with two Unique-IDs: the first counts).
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        self.counts: Counter[str] = Counter()
        self._names: tuple[str, ...] = ()
        self.want(names)

    def want(self, names: Iterable[str]) -> None:
        """From now on carry these channel variables, and every `fsgov_*`."""
        self._names = tuple(sorted({n for n in names if not n.startswith("fsgov_")}))

    def translate(self, event: Headers, now: Instant) -> Event | None:
        """What this event tells the core; `now` is when it came in. Never raises."""
        verb = _VERBS.get(event.get("Event-Name"))
        if verb is None:
            return None
        # mod_event_socket puts this header, and nothing else does, on what a client's sendevent made
        if "Command" in event:
            self.counts["forged"] += 1
            return None
        try:
            return verb(self, event, now)
        except Unreadable:
            self.counts["unreadable"] += 1
            return None

    def leg_found(self, dump: Headers, now: Instant) -> LegCreated:
        """A leg as uuid_dump tells it. Raises Unreadable."""
        return _created(self, dump, now, found=True)

    def variables(self, event: Headers) -> dict[str, str]:
        found = {f"fsgov_{n}": v for n, v in event.starting("variable_fsgov_").items()}
        for name in self._names:
            value = event.find(f"variable_{name}")
            if value is not None:
                found[name] = value
        return found


def _created(to: Translator, event: Headers, now: Instant, *, found: bool = False) -> LegCreated:
    leg = _leg(event)
    other = next(filter(None, map(event.get, ("Other-Leg-Unique-ID", *_MADE_FOR))), "")
    if event.repeated("Unique-ID"):
        to.counts["repeated"] += 1
    caller = event.get("Caller-Caller-ID-Number")
    if found:  # a bridge or transfer turns the numbers of a called leg round; this one stays
        caller = event.get("Caller-Orig-Caller-ID-Number", caller)
    domain = event.get("variable_domain_name") or event.get("variable_dialed_domain")
    user = event.get("variable_user_name") or event.get("variable_dialed_user")
    variables = to.variables(event)
    return LegCreated(
        now=now,
        at=None if found else _at(event),
        leg=leg,
        source="" if found else spoken(event, variables),
        direction=Direction.OUTBOUND if event.get("Call-Direction") == "outbound" else Direction.INBOUND,
        caller=caller,
        dialled=event.get("Caller-Destination-Number"),
        profile=event.get("Channel-Name").rpartition("/")[0],
        domain=domain or event.get("variable_sip_req_host"),
        user=f"{user}@{domain}" if user and domain else "",
        other=other if is_uuid(other) else None,
        variables=variables,
        core=event.get("Core-UUID"),
        found=found,
        answered=found and event.get("Answer-State") == "answered",
    )


def _answered(to: Translator, event: Headers, now: Instant) -> Event:
    own = to.variables(event)
    return LegAnswered(now=now, at=_at(event), leg=_leg(event), source=spoken(event, own), variables=own)


def _bridged(to: Translator, event: Headers, now: Instant) -> Event:
    leg, other = _pair(event)
    # the variables are those of the event's own leg, which is Bridge-A in every capture
    own = to.variables(event) if event.get("Unique-ID") == leg else {}
    source = spoken(event, own)
    return LegsBridged(now=now, at=_at(event), leg=leg, source=source, other=other, variables=own)


def _unbridged(to: Translator, event: Headers, now: Instant) -> Event:
    leg, other = _pair(event)
    return LegsUnbridged(now=now, at=_at(event), leg=leg, other=other)


def _pair(event: Headers) -> tuple[str, str]:
    return _leg(event, "Bridge-A-Unique-ID"), _leg(event, "Bridge-B-Unique-ID")


def _held(to: Translator, event: Headers, now: Instant) -> Event:
    return LegHeld(now=now, at=_at(event), leg=_leg(event))


def _unheld(to: Translator, event: Headers, now: Instant) -> Event:
    return LegUnheld(now=now, at=_at(event), leg=_leg(event))


def _hung_up(to: Translator, event: Headers, now: Instant) -> Event:
    return LegHungUp(now=now, at=_at(event), leg=_leg(event), cause=event.get("Hangup-Cause"))


def _gone(to: Translator, event: Headers, now: Instant) -> Event:
    return LegGone(now=now, at=_at(event), leg=_leg(event), cause=event.get("Hangup-Cause"))


def _key(to: Translator, event: Headers, now: Instant) -> Event | None:
    if event.get("DTMF-Source") == "APP":
        to.counts["injected"] += 1
        return None
    digit = event.get("DTMF-Digit").upper()
    if digit not in _KEYS:
        raise Unreadable("A key that no telephone has")
    return KeyPressed(now=now, at=_at(event), leg=_leg(event), source=source_of(event), digit=digit)


def _prompt_started(to: Translator, event: Headers, now: Instant) -> Event:
    file = event.get("Playback-File-Path")
    return PromptStarted(now=now, at=_at(event), leg=_leg(event), source=source_of(event), file=file)


def _prompt_stopped(to: Translator, event: Headers, now: Instant) -> Event:
    return PromptStopped(
        now=now,
        at=_at(event),
        leg=_leg(event),
        source=source_of(event),
        file=event.get("Playback-File-Path"),
        status=event.get("Playback-Status"),
        samples=number_or_none(event.find("variable_playback_last_offset_pos")),
    )


def _executed(to: Translator, event: Headers, now: Instant) -> Event | None:
    if event.get("Application-Response") != "FILE NOT FOUND":
        return None
    return PromptMissing(now=now, at=_at(event), leg=_leg(event), file=event.get("Application-Data"))


def _recording_started(to: Translator, event: Headers, now: Instant) -> Event:
    return RecordingStarted(
        now=now,
        at=_at(event),
        leg=_leg(event),
        path=_path(event, "Record-File-Path"),
        segment=segment_or_none(event.find("Recording-Variable-fsgov_segment")),
    )


def _recording_stopped(to: Translator, event: Headers, now: Instant) -> Event:
    return RecordingStopped(
        now=now,
        at=_at(event),
        leg=_leg(event),
        path=_path(event, "Record-File-Path"),
        segment=segment_or_none(event.find("Recording-Variable-fsgov_segment")),
        cause=event.get("Record-Completion-Cause"),
        ms=number_or_none(event.find("variable_record_ms")),
        size=number_or_none(event.find("variable_record_file_size")),
        discarded=event.get("variable_RECORD_DISCARDED") == "true",
    )


def _recording_seen(to: Translator, event: Headers, now: Instant) -> Event | None:
    if event.get("Media-Bug-Function") != "session_record":
        return None
    path = _path(event, "Media-Bug-Target")
    return RecordingSeen(now=now, at=_at(event), leg=_leg(event), path=path)


def _beat(to: Translator, event: Headers, now: Instant) -> Event:
    since, live = (number_or_none(event.find(n)) for n in ("Session-Since-Startup", "Session-Count"))
    core = _leg(event, "Core-UUID")
    if since is None or live is None:
        raise Unreadable("A heartbeat without its counts")
    return Heartbeat(now=now, at=_at(event), core=core, since_startup=since, live=live)


def _custom(to: Translator, event: Headers, now: Instant) -> Event | None:
    subclass = event.get("Event-Subclass")
    if subclass in (dialplan.GATE, dialplan.CODE):
        return dialplan.told(event, to.variables(event), now)
    if subclass == "callcenter::info":  # of the caller's leg where he joins a queue (mod_callcenter.c:3112)
        if event.get("CC-Action") not in ("member-queue-start", "member-queue-resume"):
            return None
        return VariablesTold(now=now, at=_at(event), leg=_leg(event), variables=to.variables(event))
    if subclass != "conference::maintenance":
        return None
    action = event.get("Action")
    if action not in ("add-member", "del-member") or "Unique-ID" not in event:
        return None  # a member without a leg is the conference's own, to play or record something
    room = event.get("Conference-Unique-ID")
    if not is_uuid(room):
        raise Unreadable("A conference without a uuid")
    leg = _leg(event)
    if action == "add-member":
        return RoomJoined(now=now, at=_at(event), leg=leg, room=room)
    return RoomLeft(now=now, at=_at(event), leg=leg, room=room)


def _leg(event: Headers, name: str = "Unique-ID") -> str:
    leg = event.get(name)
    if not is_uuid(leg):
        raise Unreadable("An event without a uuid", name)
    return leg


def _at(event: Headers) -> Instant | None:
    return number_or_none(event.find("Event-Date-Timestamp"))


def _path(event: Headers, name: str) -> str:
    path = event.get(name)
    if not path:
        raise Unreadable("A recording without a path", name)
    return path


_VERBS: Final[dict[str, Callable[[Translator, Headers, Instant], Event | None]]] = {
    "CHANNEL_CREATE": _created,
    "CHANNEL_ANSWER": _answered,
    "CHANNEL_BRIDGE": _bridged,
    "CHANNEL_UNBRIDGE": _unbridged,
    "CHANNEL_HOLD": _held,
    "CHANNEL_UNHOLD": _unheld,
    "CHANNEL_HANGUP": _hung_up,
    "CHANNEL_HANGUP_COMPLETE": _gone,
    "CHANNEL_DESTROY": _gone,
    "CHANNEL_EXECUTE_COMPLETE": _executed,
    "DTMF": _key,
    "PLAYBACK_START": _prompt_started,
    "PLAYBACK_STOP": _prompt_stopped,
    "RECORD_START": _recording_started,
    "RECORD_STOP": _recording_stopped,
    "MEDIA_BUG_START": _recording_seen,
    "HEARTBEAT": _beat,
    "CUSTOM": _custom,
}
