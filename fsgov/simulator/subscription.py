"""What one connection listens to: event names, CUSTOM subclasses, filters — with FreeSWITCH's pitfalls."""

from __future__ import annotations

import re

from fsgov.simulator.event import Event

NAMES = frozenset(
    """
    CUSTOM CLONE CHANNEL_CREATE CHANNEL_DESTROY CHANNEL_STATE CHANNEL_CALLSTATE CHANNEL_ANSWER
    CHANNEL_HANGUP CHANNEL_HANGUP_COMPLETE CHANNEL_EXECUTE CHANNEL_EXECUTE_COMPLETE CHANNEL_HOLD
    CHANNEL_UNHOLD CHANNEL_BRIDGE CHANNEL_UNBRIDGE CHANNEL_PROGRESS CHANNEL_PROGRESS_MEDIA
    CHANNEL_OUTGOING CHANNEL_PARK CHANNEL_UNPARK CHANNEL_APPLICATION CHANNEL_ORIGINATE CHANNEL_UUID API
    LOG INBOUND_CHAN OUTBOUND_CHAN STARTUP SHUTDOWN PUBLISH UNPUBLISH TALK NOTALK SESSION_CRASH
    MODULE_LOAD MODULE_UNLOAD DTMF MESSAGE PRESENCE_IN NOTIFY_IN PRESENCE_OUT PRESENCE_PROBE
    MESSAGE_WAITING MESSAGE_QUERY ROSTER CODEC BACKGROUND_JOB DETECTED_SPEECH DETECTED_TONE
    PRIVATE_COMMAND HEARTBEAT TRAP ADD_SCHEDULE DEL_SCHEDULE EXE_SCHEDULE RE_SCHEDULE RELOADXML NOTIFY
    PHONE_FEATURE PHONE_FEATURE_SUBSCRIBE SEND_MESSAGE RECV_MESSAGE REQUEST_PARAMS CHANNEL_DATA GENERAL
    COMMAND SESSION_HEARTBEAT CLIENT_DISCONNECTED SERVER_DISCONNECTED SEND_INFO RECV_INFO
    RECV_RTCP_MESSAGE SEND_RTCP_MESSAGE CALL_SECURE NAT RECORD_START RECORD_STOP PLAYBACK_START
    PLAYBACK_STOP CALL_UPDATE FAILURE SOCKET_DATA MEDIA_BUG_START MEDIA_BUG_STOP CONFERENCE_DATA_QUERY
    CONFERENCE_DATA CALL_SETUP_REQ CALL_SETUP_RESULT CALL_DETAIL DEVICE_STATE TEXT SHUTDOWN_REQUESTED
    ALL
    """.split()  # noqa: SIM905  (a list of names to read)
)


class Subscription:
    """The events of one connection, and whether one of them passes its filters."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.subclasses: set[str] = set()
        self.filters: list[tuple[str, str]] = []
        self.format = "plain"
        self.active = False
        self.only_uuid = ""

    def add(self, words: list[str]) -> bool:
        """`event` words: names, then after CUSTOM subclasses only. False when no word was known."""
        known = custom = False
        for word in words:
            if custom:
                self.subclasses.add(word)
            elif word.upper() in NAMES:
                known = True
                self.names.add(word.upper())
                custom = word.upper() == "CUSTOM"
        if known:
            self.active = True
        return known

    def nix(self, words: list[str]) -> bool:
        known = custom = False
        for word in words:
            if custom:
                self.subclasses.discard(word)
                continue
            name = word.upper()
            if name not in NAMES:
                continue
            known = True
            custom = name == "CUSTOM"
            if name == "ALL":
                self.names.clear()
            else:
                self.names.discard(name)
        return known

    def nothing(self) -> bool:
        """`noevents`: False when nothing was listened to."""
        was, self.active = self.active, False
        self.names.clear()
        self.subclasses.clear()
        return was

    def wants(self, name: str, subclass: str) -> bool:
        """Is this kind of event subscribed?"""
        if not self.active:
            return False
        if "ALL" in self.names:
            return True
        if name != "CUSTOM" or not subclass:
            return name in self.names
        return "CUSTOM" in self.names and subclass in self.subclasses

    def passes(self, event: Event) -> bool:
        """Subscribed, and let through: positive filters are OR-ed, a negative one alone lets nothing pass."""
        if not self.wants(event.name, event.subclass):
            return False
        if self.only_uuid and event.value("Unique-ID") != self.only_uuid:
            return False
        if not self.filters:
            return True
        sent = False
        for header, wanted in self.filters:
            value = event.value(header)
            if value is None:
                continue
            positive = not wanted.startswith("-")
            if _matches(wanted.removeprefix("-"), value):
                if not positive:
                    return False
                sent = True
        return sent

    def delete(self, header: str, value: str) -> None:
        """`filter delete`."""
        if header == "all":
            self.filters.clear()
        else:
            self.filters = [f for f in self.filters if f[0] != header or (value and f[1] != value)]


def _matches(wanted: str, value: str) -> bool:
    if wanted.startswith("/"):
        return re.search(wanted.strip("/"), value) is not None
    return wanted.lower() == value.lower()
