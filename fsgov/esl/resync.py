"""What the switch knows, asked for and told as the same events that would have told it.

`show channels as json` names the legs (without a row there is no `rows` at all), `uuid_dump` tells each one
with its values percent-encoded, as events do (its format `plain` does not encode: a caller's SDP could add
headers there), `uuid_buglist` which recordings run: the dump does not say (measured). None tells of a mask.

The list lags: it is read from a database that the switch writes behind its own back (up to 0.22 s on an idle
host, measured), while `status` counts sessions at once. So the list is asked for again until it holds as many
living legs as were counted before. Rows come in order: a newer leg does not make up for an older one.
"""

from __future__ import annotations

import html
import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

import gevent
from gevent.pool import Pool as Greenlets

from fsgov.errors import Unreachable
from fsgov.esl.connection import wall_clock
from fsgov.esl.frames import Headers
from fsgov.esl.pool import Pool, Unanswered
from fsgov.esl.translate import Translator
from fsgov.esl.values import Unreadable, is_uuid, segment_or_none
from fsgov.events import (
    Event,
    Instant,
    LegCreated,
    LegInspected,
    LegsBridged,
    RecordingStarted,
    Resynced,
    RoomJoined,
)

DEADLINE = 5.0
"""Seconds for each answer; a switch that needs longer is not in a state to be resynced."""
SETTLE = 3.0
"""Seconds after which the list is taken as it is: a leg that ends meanwhile looks like a missing one."""
_SESSIONS: Final = re.compile(r"^(\d+) session\(s\) - peak", re.MULTILINE)
_OVER: Final = ("CS_REPORTING", "CS_DESTROY")
"""States in or after which CHANNEL_HANGUP_COMPLETE is sent: nothing would tell of the leg's end any more."""
_RECORDING: Final = re.compile(
    r"<media-bug>\s*<function>session_record</function>\s*<target>(.*?)</target>", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Found:
    """One leg as the switch tells it now."""

    leg: LegCreated
    bridged_to: str | None
    room: str | None
    recordings: tuple[str, ...]


class Survey:
    """Asks the switch about its legs. `audio`: the spool's audio directory as the switch sees it."""

    def __init__(
        self,
        pool: Pool,
        translator: Translator,
        audio: PurePosixPath,
        *,
        clock: Callable[[], Instant] = wall_clock,
    ) -> None:
        self._pool = pool
        self._translator = translator
        self._audio = audio
        self._clock = clock

    def everything(self, core: str) -> Iterator[Event]:
        """Each leg, bridge, room and recording there is, then Resynced. Raises Unreachable."""
        found: dict[str, Found] = {}
        looked: set[str] = set()
        end = time.monotonic() + SETTLE
        while True:
            sessions = self._sessions()
            new = [leg for leg in self._legs() if leg not in looked]
            looked.update(new)
            for one in Greenlets(self._pool.size).imap(self._attempt, new, maxsize=self._pool.size * 4):
                if isinstance(one, Unanswered):
                    raise one
                if one is None:
                    continue  # gone meanwhile: its events are on their way
                found[one.leg.leg] = one
                yield one.leg
                if one.room is not None:
                    yield RoomJoined(now=self._clock(), leg=one.leg.leg, room=one.room)
            if len(found) >= sessions or time.monotonic() > end:
                break
            gevent.sleep(0.1)
        for leg, other in pairs(found):
            yield LegsBridged(now=self._clock(), leg=leg, other=other)
        for leg, one in found.items():
            for path in one.recordings:
                yield RecordingStarted(now=self._clock(), leg=leg, path=path, segment=self.segment(path))
        recordings = {leg: one.recordings for leg, one in found.items()}
        yield Resynced(now=self._clock(), core=core, recordings=recordings)

    def look(self, leg: str) -> Found | None:
        """That leg as it is now, None when there is none. Raises Unanswered."""
        dump = self._dump(leg)
        if dump is None or dump.get("Channel-State") in _OVER:
            return None
        recordings = self._recordings(leg)
        if recordings is None:
            return None
        try:
            created = self._translator.leg_found(dump, self._clock())
        except Unreadable:
            return None
        partner = dump.get(
            "variable_bridge_to"
        )  # unset when a bridge ends; bridge_uuid stays (switch_ivr_bridge.c)
        room = dump.get("variable_conference_uuid")
        in_room = dump.get("variable_current_application") == "conference" and is_uuid(room)
        return Found(created, partner if is_uuid(partner) else None, room if in_room else None, recordings)

    def _attempt(self, leg: str) -> Found | Unanswered | None:
        """The same, with its failure as a value: gevent prints what is raised in a greenlet."""
        try:
            return self.look(leg)
        except Unanswered as fault:
            return fault

    def inspect(self, leg: str, dump: bool = False) -> LegInspected:
        """Does the leg exist, and what does it record; with `dump` also what it is. Raises Unanswered."""
        if not dump:
            recordings = self._recordings(leg)
            exists = recordings is not None
            return LegInspected(now=self._clock(), leg=leg, exists=exists, recordings=recordings or ())
        found = self.look(leg)
        if found is None:
            return LegInspected(now=self._clock(), leg=leg, exists=False)
        return LegInspected(
            now=self._clock(), leg=leg, exists=True, recordings=found.recordings, leg_found=found.leg
        )

    def segment(self, path: str) -> str | None:
        """The segment that a path of our audio directory names; None for a foreign recording."""
        name = segment_or_none(PurePosixPath(path).stem)
        return name if name is not None and path == str(self._audio / f"{name}.wav") else None

    def _ask(self, command: str) -> str:
        return self._pool.send(command, DEADLINE).text

    def _sessions(self) -> int:
        """How many sessions the switch has at this moment."""
        counted = _SESSIONS.search(self._ask("status"))
        return int(counted[1]) if counted else 0

    def _legs(self) -> list[str]:
        """The uuids of all channels, oldest first."""
        text = self._ask("show channels as json")
        try:
            rows = json.loads(text, strict=False).get("rows", [])
            return [row["uuid"] for row in rows if is_uuid(row["uuid"])]
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as fault:
            raise Unreachable("The switch does not list its channels", text[:80]) from fault

    def _dump(self, leg: str) -> Headers | None:
        text = self._ask(f"uuid_dump {leg}")
        if text.startswith("-"):
            return None
        raw = b"\n" + text.encode("utf-8", "replace").rstrip(b"\n") + b"\n\n"
        return Headers(raw, len(raw) - 2, encoded=True)

    def _recordings(self, leg: str) -> tuple[str, ...] | None:
        """Paths of the recordings that run on the leg; None where there is no such leg."""
        text = self._ask(f"uuid_buglist {leg}")
        if text.startswith("-"):
            return None
        return tuple(html.unescape(target) for target in _RECORDING.findall(text))


def pairs(found: dict[str, Found]) -> Iterator[tuple[str, str]]:
    """Every two legs that both say they are bridged to each other, once, the older first."""
    told: set[str] = set()
    for leg, one in found.items():
        other = found.get(one.bridged_to or "")
        if other is not None and other.bridged_to == leg and leg not in told:
            told.add(other.leg.leg)
            yield leg, other.leg.leg
