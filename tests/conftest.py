"""Real parts as fixtures (tests/parts), and what a skip means."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Generator
from functools import cache

import pytest
from hypothesis import settings

from tests.parts.catalog import finished, passwords, world
from tests.parts.postgres import database, postgres
from tests.parts.s3 import moto_s3, proxy, rgw, rgw_on_disk

__all__ = ["database", "finished", "moto_s3", "passwords", "postgres", "proxy", "rgw", "rgw_on_disk", "world"]

LIVE_SWITCH = "FSGOV_LIVE_FREESWITCH"
MEMORY_GIGABYTES = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9
LEFT_OUT = pytest.StashKey[Counter[str]]()


def no_skip() -> bool:
    return os.environ.get("FSGOV_NO_SKIP") == "1" or os.environ.get("CI") == "true"


# `make test` judges the change, not the dice: the same examples each time. `make laws` throws them anew.
settings.register_profile("shared machine", deadline=None, derandomize="FSGOV_LAWS" not in os.environ)
settings.load_profile("shared machine")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", f"freeswitch: needs the real FreeSWITCH that {LIVE_SWITCH} names")
    config.addinivalue_line("markers", "memory(gigabytes): needs a machine with that much")
    config.addinivalue_line("markers", "root: needs to act as several logins")
    config.addinivalue_line("markers", "disks: needs to mount small disks of its own")
    config.addinivalue_line("markers", "installed(program): needs a program that is not fsgov's to bring")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What this machine cannot run at all is left out, and said at the end of the run."""
    reasons = {item: reason for item in items if (reason := cannot_run(item))}
    if reasons:
        config.hook.pytest_deselected(items=list(reasons))
        items[:] = [item for item in items if item not in reasons]
    config.stash[LEFT_OUT] = Counter(reasons.values())


def cannot_run(item: pytest.Item) -> str:
    if item.get_closest_marker("freeswitch") and LIVE_SWITCH not in os.environ:
        return f"{LIVE_SWITCH}=host:port:password names no switch"
    if item.get_closest_marker("root") and os.getuid() != 0:
        return "only root can act as several logins"
    if item.get_closest_marker("disks") and not may_mount():
        return "small disks cannot be mounted here"
    program = item.get_closest_marker("installed")
    if program and shutil.which(program.args[0]) is None:
        return f"{program.args[0]} is not installed"
    memory = item.get_closest_marker("memory")
    if memory and memory.args[0] > MEMORY_GIGABYTES:
        return f"{memory.args[0]} GB of memory are needed, here are {MEMORY_GIGABYTES:.1f}"
    return ""


@cache
def may_mount() -> bool:
    """Whether this process may mount a file system."""
    command = ["unshare", "--mount", "sh", "-c", "mount -t tmpfs none /mnt"]
    may = os.getuid() == 0 and shutil.which("unshare") is not None
    return may and subprocess.run(command, capture_output=True, check=False).returncode == 0


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for reason, count in config.stash.get(LEFT_OUT, Counter()).items():
        terminalreporter.write_line(f"NOT TESTED: {count} tests were left out: {reason}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A skip is a failure under FSGOV_NO_SKIP=1 and in CI: what was not tested must not look tested."""
    report = yield
    if report.skipped and no_skip() and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, where no skip is allowed: {report.longrepr}"
    return report
