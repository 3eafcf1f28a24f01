"""The units say what they mean: to systemd, to the code they start, and to docs/installation.md."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fsgov import config, notify
from fsgov.config.file import parse
from fsgov.govern import part as govern
from fsgov.journal import loop as keeping
from fsgov.shipper import loop as shipping
from fsgov.spool import layout

ROOT = Path(__file__).parents[2]
UNITS = ROOT / "fsgov" / "units"
DOC = ROOT / "docs" / "installation.md"
PARTS = ("govern", "ship", "keep")
FILES = ("sysusers.conf", "tmpfiles.conf", "fsgov.target", *(f"fsgov-{part}.service" for part in PARTS))
SPOOL = "/var/lib/fsgov/spool"


def unit(part: str) -> dict[str, list[str]]:
    """The values of each key of a unit, in their order."""
    found: dict[str, list[str]] = {}
    for line in (UNITS / f"fsgov-{part}.service").read_text().splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(key, []).append(value)
    return found


def seconds(part: str, key: str) -> float:
    (value,) = unit(part)[key]
    return float(value)


def lines(name: str, kind: str) -> list[list[str]]:
    """The words of each line of that kind in sysusers.conf or tmpfiles.conf."""
    return [
        line.split()[1:] for line in (UNITS / name).read_text().splitlines() if line.startswith(f"{kind} ")
    ]


def test_nothing_but_units_lies_there() -> None:
    assert {path.name for path in UNITS.iterdir()} == set(FILES)


@pytest.mark.parametrize("part", PARTS)
def test_every_line_of_the_hardening_has_its_reason(part: str) -> None:
    text = (UNITS / f"fsgov-{part}.service").read_text()
    hardening = text.partition("# -- what it may not do")[2].partition("[Install]")[0].splitlines()[1:]
    wanted = 22
    assert sum("=" in line and not line.startswith("#") for line in hardening) >= wanted
    above = "#"
    for line in hardening:
        if line and not line.startswith("#"):
            assert above, f"{line}: no reason above it"
        above = line


@pytest.mark.installed("systemd-analyze")
def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    program = Path(sys.executable).with_name("fsgov")
    for name in FILES[2:]:
        text = (UNITS / name).read_text()
        (tmp_path / name).write_text(text.replace("/opt/fsgov/bin/fsgov", str(program)))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *(tmp_path / name for name in FILES[2:])],
        capture_output=True, text=True, check=False,
        env={"SYSTEMD_UNIT_PATH": f"{tmp_path}:", "PATH": os.defpath},
    )  # fmt: skip
    complaints = [line for line in done.stderr.splitlines() if str(tmp_path) in line or "fsgov" in line]
    assert (done.returncode, complaints) == (0, [])


@pytest.mark.installed("systemd-analyze")
@pytest.mark.parametrize("part", PARTS)
def test_the_hardening_is_as_good_as_the_docs_say(part: str) -> None:
    told = re.search(rf"^\| `fsgov-{part}` \| (\d\.\d) \|", DOC.read_text(), re.MULTILINE)
    assert told, f"{DOC.name} does not state the score of fsgov-{part}"
    analyze = ["systemd-analyze", "security", "--no-pager", "--offline=true"]
    done = subprocess.run(
        [*analyze, UNITS / f"fsgov-{part}.service"], capture_output=True, text=True, check=True
    )
    score = re.search(r"Overall exposure level.*: (\d+\.\d)", done.stdout)
    assert score
    version = subprocess.run(["systemd-analyze", "--version"], capture_output=True, text=True, check=True)
    same = version.stdout.split()[1] == re.search(r"systemd (\d+)", DOC.read_text())[1]  # type: ignore[index]
    # another systemd asks other questions
    assert float(score[1]) == float(told[1]) if same else float(score[1]) <= 2.5


@pytest.mark.installed("systemd-tmpfiles")
@pytest.mark.root
def test_systemd_makes_logins_and_a_spool_that_fsgov_accepts(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    for name in ("passwd", "group"):
        shutil.copy(f"/etc/{name}", tmp_path / "etc")
    subprocess.run(
        ["systemd-sysusers", f"--root={tmp_path}", UNITS / "sysusers.conf"], check=True, capture_output=True
    )
    with (tmp_path / "etc" / "passwd").open("a") as passwd:
        passwd.write("freeswitch:x:61001:61001::/:/bin/false\n")
    tmpfiles = ["systemd-tmpfiles", f"--root={tmp_path}", "--create", UNITS / "tmpfiles.conf"]
    for _ in ("made", "made again: nothing to complain about"):
        subprocess.run(tmpfiles, check=True)
        (tmp_path / "etc/fsgov/logins/ship").touch()
    assert layout.faults(Path(f"{tmp_path}{SPOOL}")) == []
    assert layout.is_shared(Path(f"{tmp_path}{SPOOL}"))
    logins = dict(re.findall(r"^(\S+?):x:(\d+)", (tmp_path / "etc/passwd").read_text(), re.MULTILINE))
    assert (tmp_path / "etc/fsgov/logins/ship").stat().st_uid == int(logins["fsgov-ship"])


# -- what they agree with --------------------------------------------------------------------------------


def test_each_part_has_a_login_of_its_own_and_only_two_share_the_spool() -> None:
    logins = {name for name, *_ in lines("sysusers.conf", "u")}
    groups = logins | {name for name, *_ in lines("sysusers.conf", "g")}
    assert {unit(part)["User"][0] for part in PARTS} == logins
    assert all(unit(part)["Group"][0] in groups for part in PARTS)
    assert [part for part in PARTS if unit(part)["Group"] == ["fsgov"]] == ["govern", "ship"]
    assert sorted(lines("sysusers.conf", "m")) == [["fsgov-govern", "fsgov"], ["fsgov-ship", "fsgov"]]


def test_the_directories_are_those_that_the_code_uses() -> None:
    made = {path: (int(mode, 8), user, group) for path, mode, user, group in lines("tmpfiles.conf", "d")}
    assert made[SPOOL][0] == layout.SHARED_ROOT_MODE
    below = {
        path.removeprefix(f"{SPOOL}/"): what for path, what in made.items() if path.startswith(f"{SPOOL}/")
    }
    assert {name: mode for name, (mode, _, _) in below.items()} == layout.SHARED_MODES
    assert {group for _, _, group in below.values()} == {"fsgov"}
    assert below["audio"][1] == "freeswitch"
    for name, part in layout.OF_ONE_PART.items():
        assert below[name][1] == f"fsgov-{part}"


def test_the_paths_are_the_defaults_of_the_configuration() -> None:
    usual = parse("", Path("/etc/fsgov/fsgov.toml"))
    for part in ("govern", "ship"):
        assert str(usual.spool.directory) in unit(part)["ReadWritePaths"][0].split()
    assert str(usual.control.socket.parent) in unit("govern")["ReadWritePaths"][0].split()
    assert [path for path, *_ in lines("tmpfiles.conf", "z") if path.endswith("key")] == [
        str(usual.log.signing_key)
    ]
    assert f'file = "/var/log/{unit("keep")["LogsDirectory"][0]}"' in config.sample()
    assert {unit(part)["Environment"][0] for part in PARTS} == {"FSGOV_CONFIG=/etc/fsgov/fsgov.toml"}


def test_every_credential_is_there_even_where_nobody_needs_it() -> None:
    """A unit does not start where the file of a LoadCredential= is missing."""
    made = {path for path, *_ in lines("tmpfiles.conf", "f")}
    loaded = {each.partition(":")[2] for part in PARTS for each in unit(part).get("LoadCredential", [])}
    assert loaded == made
    assert {each.partition(":")[0] for each in unit("ship")["LoadCredential"]} == {
        each.partition(":")[0] for each in unit("keep")["LoadCredential"]
    }


def test_parts_stop_against_the_flow_of_the_work() -> None:
    assert {"fsgov-ship.service", "fsgov-keep.service"} <= set(unit("govern")["After"][0].split())
    assert "fsgov-keep.service" in unit("ship")["After"][0].split()
    assert unit("govern")["Before"] == ["freeswitch.service"]
    for part in PARTS:
        assert unit(part)["PartOf"] == unit(part)["WantedBy"] == ["fsgov.target"]
        assert unit(part)["KillMode"] == ["mixed"]
        assert unit(part)["Restart"] == ["always"]
        assert unit(part)["ExecStart"] == [f"/opt/fsgov/bin/fsgov run --part {part}"]
        assert unit(part)["ExecReload"][-1] == "/bin/kill -HUP $MAINPID"


def test_nobody_is_killed_who_is_still_stopping() -> None:
    assert seconds("govern", "TimeoutStopSec") >= 2 * govern.STOP_WITHIN
    assert seconds("ship", "TimeoutStopSec") >= 2 * shipping.LEAVE_WITHIN + 10
    assert seconds("keep", "TimeoutStopSec") >= 2 * keeping.STOP_WITHIN


def test_no_watchdog_is_shorter_than_a_quiet_loop() -> None:
    for part in PARTS:
        assert unit(part)["Type"] == ["notify"]
        assert seconds(part, "WatchdogSec") >= 3 * notify.TELL_EVERY
    assert seconds("keep", "WatchdogSec") >= 3 * keeping.LONGEST_PAUSE
