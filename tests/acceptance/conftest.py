"""The real service against the simulated switch, on a PostgreSQL and a vault of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fsgov.demo import site
from fsgov.demo.site import Site
from fsgov.demo.stage import Stage
from tests.acceptance.play import HEARTBEAT, policy, started


@pytest.fixture(scope="session")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """One stage for all tests; they leave it running, or `stage` starts what they broke."""
    where = Site(tmp_path_factory.mktemp("stage"))
    with Stage.open(where) as made:
        site.make(where, policy())
        made.start_switch(*HEARTBEAT)
        yield made


@pytest.fixture
def stage(everything: Stage) -> Iterator[Stage]:
    """Switch and service are up, and no fault of an earlier test is left."""
    started(everything)
    yield everything
    everything.do("api", text="hupall")
