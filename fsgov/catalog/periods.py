"""The periods of stored policies, and whose count for what was captured under which."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from fsgov.catalog.connection import Cursor
from fsgov.errors import BadConfiguration
from fsgov.policy import Basis, Policy, Purpose, parse
from fsgov.policy.document import Anchor
from fsgov.policy.spans import Span

_PERIODS = """
    SELECT purpose, basis, timezone, anchor, fallback_plus IS NOT NULL,
        (extract(year FROM retain_min) * 12 + extract(month FROM retain_min))::int,
        extract(day FROM retain_min)::int,
        (extract(year FROM retain_max) * 12 + extract(month FROM retain_max))::int,
        extract(day FROM retain_max)::int,
        (extract(year FROM anchor_plus) * 12 + extract(month FROM anchor_plus))::int,
        extract(day FROM anchor_plus)::int,
        (extract(year FROM fallback_plus) * 12 + extract(month FROM fallback_plus))::int,
        extract(day FROM fallback_plus)::int
    FROM fsgov.periods WHERE policy = %s"""


@dataclass(slots=True)
class Policies:
    """Policies by digest, with nothing in them but what retention looks at. Each is read once."""

    cursor: Cursor
    moved: Mapping[str, str]
    """Captured under -> whose periods count, where that is another one."""
    _known: dict[str, Policy | None] = field(default_factory=dict)

    def counting_for(self, captured: str) -> Policy | None:
        """The policy that judges what was captured under this one; None: not known, or not to be read."""
        return self.named(self.moved.get(captured, captured))

    def named(self, sha256: str) -> Policy | None:
        if sha256 not in self._known:
            self._known[sha256] = _policy(self.cursor, sha256)
        return self._known[sha256]


def moved(cursor: Cursor) -> dict[str, str]:
    """Captured under -> whose periods count, by the newest move that was applied to each."""
    cursor.execute(
        "SELECT from_sha256, to_sha256 FROM fsgov.retention_moves WHERE applied_at IS NOT NULL ORDER BY n"
    )
    return {captured: to for from_, to in cursor.fetchall() for captured in from_}


def _policy(cursor: Cursor, sha256: str) -> Policy | None:
    """From its periods; from its text, where keep has not entered them yet."""
    cursor.execute(_PERIODS, (sha256,))
    rows = cursor.fetchall()
    if rows:
        return _slim(sha256, rows[0][2], {row[0]: _purpose(*row) for row in rows})
    cursor.execute("SELECT text FROM fsgov.policies WHERE sha256 = %s", (sha256,))
    row = cursor.fetchone()
    return None if row is None else read(sha256, str(row[0]))


def read(sha256: str, text: str) -> Policy | None:
    """What retention looks at in the text of a policy; None where this version cannot read it."""
    try:
        whole = parse(text, f"stored as {sha256[:16]}")
    except BadConfiguration:
        return None
    return _slim(sha256, whole.timezone, whole.purposes)


def _slim(sha256: str, timezone: str, purposes: Mapping[str, Purpose]) -> Policy:
    return Policy(version="", sha256=sha256, text="", timezone=timezone, rules=(), purposes=purposes)


def _purpose(name: str, basis: str, _: str, event: str, falls_back: bool, *spans: int) -> Purpose:
    least, most, plus, fallback = (
        Span(years=(months or 0) // 12, months=(months or 0) % 12, days=days or 0)
        for months, days in zip(spans[::2], spans[1::2], strict=True)
    )
    return Purpose(
        name=name,
        basis=Basis(basis),
        retain_min=least,
        retain_max=most,
        anchor=Anchor(event=event, plus=plus),
        anchor_fallback=Anchor(event="call_end", plus=fallback) if falls_back else None,
    )


def entered(policy: Policy) -> list[dict[str, str | None]]:
    return [
        {
            "purpose": one.name,
            "basis": one.basis.value,
            "timezone": policy.timezone,
            "retain_min": str(one.retain_min),
            "retain_max": str(one.retain_max),
            "anchor": one.anchor.event,
            "anchor_plus": str(one.anchor.plus),
            "fallback_plus": None if one.anchor_fallback is None else str(one.anchor_fallback.plus),
        }
        for one in policy.purposes.values()
    ]
