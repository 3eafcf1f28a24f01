"""Figures beside their peers, measured in one run: `make bench` writes bench/results.json.

These machines are noisy: quote ratios, or medians of one run. A missed goal is reported, not adjusted.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measured value. `ratio` is value / peer_value; `holds` is None where nothing can be said."""

    name: str
    value: float
    unit: str
    peer: str = ""
    peer_value: float | None = None
    goal: str = ""
    holds: bool | None = None

    @property
    def ratio(self) -> float | None:
        return None if not self.peer_value else round(self.value / self.peer_value, 3)

    def to_json(self) -> dict[str, object]:
        told = asdict(self)
        return {
            **{key: told[key] for key in ("name", "value", "unit", "peer", "peer_value")},
            "ratio": self.ratio,
            "goal": self.goal,
            "holds": self.holds,
        }
