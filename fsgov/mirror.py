"""Holds in the object stores: while one is in force, a legal hold is on every version of what it is on.

A thread of keep. The catalog says which segments to look at: at once where a hold has reached them or is
over, or another object of theirs is stored; a week later where all is as it should be, as somebody may have
lifted a legal hold by hand. Where a bucket can hold nothing (a directory, no object lock), that is kept
beside the segment and no fault: the hold binds purge all the same.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta

import structlog

from fsgov import entries
from fsgov.catalog.mirroring import Mirrored, Mirroring, Object
from fsgov.errors import (
    BadConfiguration,
    Damaged,
    FsgovError,
    NotFound,
    NotPermitted,
    Unreachable,
)
from fsgov.events import Instant
from fsgov.vault import Bucket, Vault

log = structlog.get_logger()

IDLE = 5.0
"""Seconds between two looks at what is due, where nothing was."""
BATCH = 200
THREADS = 8
"""Segments that the vaults are asked about at the same time."""
EVERY = timedelta(days=7)
"""How often what is held is looked at again."""
SHORTEST, LONGEST = timedelta(seconds=5), timedelta(minutes=10)
"""Between two tries of what did not work: twice as long each time."""
PATIENCE = 6
"""Tries in a row before that is an alarm: about five minutes."""


@dataclass(slots=True)
class Found:
    """What came of one segment: versions that show what is wanted, buckets that can hold nothing, a fault."""

    objects: int = 0
    unable: set[str] = field(default_factory=set)
    fault: FsgovError | None = None


class Mirror:
    """Sets and lifts legal holds until it is stopped. `troubles` may be read by any thread.

    vaults: those that this keep knows. leading: whether this keep is the one.
    """

    def __init__(
        self,
        catalog: Mirroring,
        vaults: Mapping[str, Vault],
        host: str,
        now: Callable[[], Instant],
        idle: float = IDLE,
    ) -> None:
        self.troubles: Mapping[str, FsgovError] = {}
        """Alarm -> why, for keep to follow."""
        self.leading = False
        self._catalog = catalog
        self._vaults = vaults
        self._host = host
        self._now = now
        self._idle = idle
        self._origin = f"{host}.keep.{now() // 1000 + 4}"  # others of this keep have those before
        self._pool = ThreadPoolExecutor(THREADS, "mirror")
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mirror", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Stop after the segments that are under way."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        self._pool.shutdown()
        self._catalog.close()

    def _run(self) -> None:
        while not self._stop.is_set():
            looked = 0
            if self.leading:
                try:
                    looked = self.run_once()
                except FsgovError as fault:  # PostgreSQL: keep's own alarm tells of that
                    log.warning("mirror.failed", why=fault.message, detail=fault.detail)
                except Exception:
                    log.exception("mirror.broken")
                    self.troubles = {"mirror": Damaged("fsgov itself is wrong here", "mirror", "Report it.")}
            if not looked:
                self._stop.wait(self._idle)

    def run_once(self) -> int:
        """Look at some of what is due; how many that were. Raises what the catalog raises."""
        due = self._catalog.due(BATCH)
        for first in range(0, len(due), THREADS):
            if self._stop.is_set():
                break
            some = due[first : first + THREADS]
            objects = [self._catalog.objects(about.segment) for about in some]
            for about, found in zip(some, self._pool.map(self._found, some, objects), strict=True):
                self._note(about, found)
        self._follow()
        return len(due)

    def _found(self, about: Mirrored, objects: Sequence[Object]) -> Found:
        """Asks the vaults, in any thread."""
        found = Found()
        for name, bucket, key in self._places(about.segment, objects, found):
            try:
                self._mirror(name, bucket, key, about.wanted, found)
            except FsgovError as error:
                found.fault = error
        return found

    def _note(self, about: Mirrored, found: Found) -> None:
        held, again = about.wanted and found.objects > 0, EVERY if about.wanted else None
        if found.fault:
            held, again = about.held, min(SHORTEST * 2 ** min(about.tries, 10), LONGEST)
        why, unable = str(found.fault or ""), sorted(found.unable)
        line = (lambda n: self._line(n, about, found)) if held != about.held else None
        self._catalog.looked(about, held, found.objects, unable, why, again, self._origin, line)
        if found.fault:
            log.warning("mirror.failing", segment=about.segment, why=why, hint=found.fault.hint)
        elif line:
            log.info("mirror.held" if held else "mirror.lifted", segment=about.segment, objects=found.objects)

    def _places(
        self, segment: str, objects: Sequence[Object], found: Found
    ) -> Iterator[tuple[str, Bucket, str]]:
        """Name of the bucket, bucket and key of each object, then of its key in each of those vaults."""
        names = []
        for each in objects:
            vault = self._vaults.get(each.vault)
            if vault is None:
                hint = "add it where keep runs: what is in it has no legal hold before"
                found.fault = BadConfiguration(
                    "The vault of a recording is not configured", f"vault.{each.vault}", hint
                )
                continue
            yield f"{each.vault}.audio", vault.audio, each.object_key
            if each.vault not in names:
                names.append(each.vault)
        for name in names:
            yield f"{name}.keys", self._vaults[name].keys, f"keys/{segment}"

    def _mirror(self, name: str, bucket: Bucket, key: str, on: bool, found: Found) -> None:
        """The legal hold of every version under this key. Raises what the bucket raises."""
        for version in [v.version_id for v in bucket.list(key) if v.key == key and not v.marker]:
            try:
                bucket.hold(key, version, on)
                found.objects += 1
            except NotFound:  # gone meanwhile: destroyed, or moved
                continue
            except BadConfiguration:
                found.unable.add(name)
            except NotPermitted:
                # keep lists and removes keys, and may be let do no more with them
                if not name.endswith(".keys"):
                    raise
                found.unable.add(name)

    def _line(self, n: int, about: Mirrored, found: Found) -> bytes:
        return entries.line(
            origin=self._origin, n=n, host=self._host, type_="segment.held", subject=about.segment,
            time=self._now(), facts={"call": about.call, "on": about.wanted, "objects": found.objects},
        )  # fmt: skip

    def _follow(self) -> None:
        """What keep is to raise, as of now."""
        failing = self._catalog.failing()
        if not failing.segments:
            self.troubles = {}
        elif failing.tries >= PATIENCE:
            hint = "see keep's mirror.failing: its login must list, hold and look at versions in that bucket"
            self.troubles = {
                "mirror": Unreachable("Legal holds cannot be set, or lifted, in a vault", failing.why, hint)
            }
