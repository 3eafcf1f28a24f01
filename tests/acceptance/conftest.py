"""The real service against the simulated switch, on a PostgreSQL and a vault of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fsgov.demo.stage import Stage
from tests.acceptance.play import staged, started


@pytest.fixture(scope="session")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """One stage for all tests; they leave it running, or `stage` starts what they broke."""
    with staged(tmp_path_factory.mktemp("stage")) as made:
        yield made


@pytest.fixture
def stage(everything: Stage) -> Iterator[Stage]:
    """Switch and service are up, and no fault of an earlier test is left."""
    started(everything)
    yield everything
    everything.do("api", text="hupall")


@pytest.fixture
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A stage for one test: nothing was ever lost on it, and no switch was killed."""
    with staged(tmp_path_factory.mktemp("alone"), "", "--heartbeat", "0.5") as made:
        started(made)
        yield made
