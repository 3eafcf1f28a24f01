"""Real parts as fixtures (tests/parts), and what a skip means."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.parts.postgres import database, postgres
from tests.parts.s3 import moto_s3, proxy, rgw, rgw_on_disk

__all__ = ["database", "moto_s3", "postgres", "proxy", "rgw", "rgw_on_disk"]

LIVE_SWITCH = "FSGOV_LIVE_FREESWITCH"


def no_skip() -> bool:
    return os.environ.get("FSGOV_NO_SKIP") == "1" or os.environ.get("CI") == "true"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", f"freeswitch: needs the real FreeSWITCH that {LIVE_SWITCH} names")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests of a real switch are left out, with one line, where none is named."""
    if LIVE_SWITCH in os.environ:
        return
    kept = [item for item in items if item.get_closest_marker("freeswitch") is None]
    left_out = [item for item in items if item.get_closest_marker("freeswitch") is not None]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = kept
        print(f"\n{len(left_out)} tests left out: {LIVE_SWITCH}=host:port:password names no switch")  # noqa: T201


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """A skip is a failure under FSGOV_NO_SKIP=1 and in CI: what was not tested must not look tested."""
    report = yield
    if report.skipped and no_skip() and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, where no skip is allowed: {report.longrepr}"
    return report
