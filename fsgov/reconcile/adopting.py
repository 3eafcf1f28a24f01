"""A file that nobody accounts for goes the usual way of a recording: ship checks, seals, stores it.

All that is done is a sidecar in state `captured`; ship finds it. What was paused in such a file nobody knows,
so ship quarantines it. The file itself is at most renamed, never written, never removed. The sidecar belongs
to whoever owns its directory, so that root may do this for the user that ship runs as.
"""

from __future__ import annotations

import json
import os
import re
import stat
import uuid
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from fsgov.errors import Conflict, NotFound
from fsgov.reconcile.worlds import Instant
from fsgov.spool.shelf import Shelf

SEGMENT = re.compile(r"([0-9A-Za-z-]{1,64})-([0-9]{2,4})")
FIRST_ADOPTED = 901
"""Numbers of segments from here on are not govern's: for audio whose own number has a row already."""


class Adopting:
    """Hands files of one spool over to ship. place_of: tenant and vault of a call's recordings, "" unknown.

    has_row: whether the catalog has a segment already.
    """

    def __init__(
        self, spool: Path, place_of: Callable[[str], tuple[str, str]], has_row: Callable[[str], bool]
    ) -> None:
        self._audio = spool / "audio"
        self._segments = spool / "segments"
        self._place_of = place_of
        self._has_row = has_row

    def file(self, name: str) -> str:
        """Adopt a file of spool/audio; the segment that it is now. Raises NotFound, Conflict."""
        path = self._audio / name
        try:
            told = path.lstat()
        except FileNotFoundError:
            raise NotFound("The file is gone", name, "compare again") from None
        if not stat.S_ISREG(told.st_mode):
            raise Conflict("This is no ordinary file", name, "see who made it; it is left as it is")
        segment = self._named(name)
        if name != f"{segment}.wav":
            path.rename(self._audio / f"{segment}.wav")  # the name is fresh: nothing is there
        modified = told.st_mtime_ns // 1000
        call, _, n = segment.rpartition("-")
        tenant, vault = self._place_of(call)
        document = _sidecar(segment, call, int(n), tenant, vault, modified)
        if told.st_size == 0:  # else ship takes it for a start that was refused, and enters no row
            document["opened"] = modified
        self._take(segment, document)
        return segment

    def forgotten(self, segment: str) -> str:
        """Hand over a segment that govern will not; the same segment. Raises NotFound, Conflict."""
        with closing(Shelf(self._segments, ".json", "reconcile")) as shelf:
            text = shelf.read(segment)
            if text is None:
                raise NotFound("The sidecar is gone", segment, "compare again")
            document = json.loads(text)
            if document.get("state") not in ("planned", "open"):
                raise Conflict("The segment is on its way", f"{segment}: {document.get('state')}")
            audio = self._audio / f"{segment}.wav"
            closed = audio.stat().st_mtime_ns // 1000 if audio.exists() else None
            changed = {"state": "captured", "closed": closed, "cause": "lost", "adopted": "forgotten"}
            shelf.replace(segment, json.dumps(document | changed).encode(), durable=True)
        self._give(segment)
        return segment

    def _named(self, name: str) -> str:
        """The segment that the name says, a free number of its call, or one of a call of its own."""
        found = SEGMENT.fullmatch(name.removesuffix(".wav")) if name.endswith(".wav") else None
        if found is None:
            return f"{uuid.uuid4()}-01"
        if not self._has_row(found[0]):
            return found[0]
        for n in range(FIRST_ADOPTED, 10_000):
            segment = f"{found[1]}-{n}"
            taken = (self._audio / f"{segment}.wav").exists() or (self._segments / f"{segment}.json").exists()
            if not taken and not self._has_row(segment):
                return segment
        raise Conflict("The call has no free number for it", name)

    def _take(self, segment: str, document: dict[str, Any]) -> None:
        with closing(Shelf(self._segments, ".json", "reconcile")) as shelf:
            if not shelf.take(segment, json.dumps(document).encode()):
                raise Conflict("The file has a sidecar now", segment, "compare again")
            self._give(segment)
            shelf.settle(segment)

    def _give(self, segment: str) -> None:
        if os.geteuid() == 0:
            owner = self._segments.stat()
            os.chown(self._segments / f"{segment}.json", owner.st_uid, owner.st_gid)


def _sidecar(segment: str, call: str, n: int, tenant: str, vault: str, modified: Instant) -> dict[str, Any]:
    """What govern would have written, as far as anybody knows."""
    return {
        "format": 1,
        "segment": segment,
        "call": call,
        "tenant": tenant,
        "leg": "",
        "leg_name": "",
        "n": n,
        "file": f"{segment}.wav",
        "state": "captured",
        "rule": None,
        "policy": None,
        "basis": {},
        "purposes": [],
        "vault": vault,
        "consents": [],
        "opened": None,
        "closed": modified,
        "cause": "adopted",
        "reported_ms": None,
        "reported_size": None,
        "discarded": False,
        "masks": [],
        "holds": [],
        "dispose": False,
        "dispose_reason": "",
        "adopted": "spool",
    }
