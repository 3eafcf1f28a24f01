"""The simulator against the real switch: each capture's commands bring the same replies and events."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from tests import wire
from tests.conformance import make_headers
from tests.conformance.compare import Exceptions, differences
from tests.conformance.replay import HERE, Replay

REVIEWED = tomllib.loads((HERE / "not_simulated.toml").read_text(encoding="utf-8"))
SKIPPED = {row["capture"]: row["reason"] for row in REVIEWED.get("capture", [])}
EXCEPTIONS = Exceptions(tuple(REVIEWED.get("header", [])))
PLAYED = sorted(p.stem for p in HERE.glob("*.toml") if p.stem != "not_simulated")


def test_every_capture_is_played_or_reviewed() -> None:
    assert set(wire.names()) == set(PLAYED) | set(SKIPPED)
    assert not set(PLAYED) & set(SKIPPED)
    assert all(row["reason"] for row in [*REVIEWED.get("capture", []), *REVIEWED.get("header", [])])


@pytest.mark.parametrize("name", PLAYED)
def test_the_simulator_answers_as_the_capture(name: str, tmp_path: Path) -> None:
    heard = Replay(name, tmp_path).run()
    real = wire.connections(wire.CAPTURES / f"{name}.jsonl")
    found = [d for c in sorted(real) for d in differences(name, c, real[c], heard[c].data, EXCEPTIONS)]
    assert not found, "\n".join(found)


def test_the_shipped_templates_are_those_of_the_captures() -> None:
    assert make_headers.TARGET.read_text(encoding="utf-8") == make_headers.text()
