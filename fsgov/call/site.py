"""What a switch host knows about itself: its trunks, its tenants, its deadlines."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from fsgov.events import Direction, Instant, LegCreated
from fsgov.policy import Side, Tenant, tenant_of

SECOND: Instant = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """The settings that the core needs; `daemon` makes it from the configuration."""

    host: str
    trunks: tuple[str, ...] = ()
    """Profiles that lead outside: `external`, `sofia/external`."""
    tenants: Mapping[str, Tenant] = field(default_factory=dict)
    audio: str = ""
    """Directory of the recordings as the switch sees it; "" compares file names only."""
    vault: str = ""
    """Where segments go whose rule names no vault: the only one that is configured."""
    lookup: Instant = 300_000
    """How long a decision waits for the CRM, µs."""
    longest: Instant = 0
    """How long one segment may run, µs; 0: as long as the call."""
    salt: Callable[[], str] = lambda: "00" * 16
    """A new one for each call: 16 bytes that nobody can guess, hex. The shell's: the core throws no dice."""

    def path(self, segment: str) -> str:
        """Where the switch writes a segment."""
        return f"{self.audio}/{segment}.wav"

    def segment_at(self, path: str) -> str | None:
        """The segment that a path of the switch belongs to, or None for a file that is not ours."""
        directory, _, name = path.rpartition("/")
        if not name.endswith(".wav") or (self.audio and directory != self.audio.rstrip("/")):
            return None
        segment = name[:-4]
        call, dash, n = segment.rpartition("-")
        return segment if call and dash and len(n) == 2 and n.isascii() and n.isdigit() else None

    def side(self, leg: LegCreated, first: Side | None) -> Side | None:
        """Where the leg's party is; None for a leg that is nobody's (loopback).

        first: the side of the conversation's first party. It helps where no trunks are configured: then a
        registered user is inside, an incoming leg of somebody else outside, and a leg called out by the
        switch leads to the other side.
        """
        if leg.profile.startswith("loopback"):
            return None
        if leg.user:
            return Side.INSIDE
        if self.trunks:
            parts = leg.profile.split("/")
            outside = any(trunk == leg.profile or trunk in parts for trunk in self.trunks)
            return Side.OUTSIDE if outside else Side.INSIDE
        if leg.direction is Direction.INBOUND:
            return Side.OUTSIDE
        return Side.INSIDE if first is Side.OUTSIDE else Side.OUTSIDE

    def tenant(self, leg: LegCreated) -> Tenant:
        """Whose call it is, by the domain or the dialled number of its first leg; else `default`."""
        return tenant_of(self.tenants.values(), leg.domain, leg.dialled)
