"""The short form of `make soak`: the same faults and calls for a quarter of a minute."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance import soak


@pytest.mark.timeout(600)
def test_mixed_faults_lose_nothing(tmp_path_factory: pytest.TempPathFactory) -> None:
    root: Path = tmp_path_factory.mktemp("soak") / "s"
    soaked = soak.run(root, seed=20_260_001, seconds=12.0, rate=0.8, pause=0.5)
    assert not soaked.wrong, str(soaked)
    assert soaked.calls.total() >= 6
    assert len(soaked.faults) >= 4
    assert soaked.frames > 1000
