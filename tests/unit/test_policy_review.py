"""What `policy check` says of a policy: faults refuse it, and warnings where that is wanted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from fsgov.cli import reviewing
from fsgov.cli.root import fsgov
from fsgov.errors import BadConfiguration

HEAD = 'version = "v7"\ntimezone = "UTC"\n[purpose.p]\nbasis = "contract"\nretain_max = "1 year"\n'
REST = '[[rule]]\nname = "rest"\nrecord = "never"\n'
FIRST = '[[rule]]\nname = "line"\nwhen.dialled = "+4930*"\nconsent = "none"\npurposes = ["p"]\n'
INSIDE = FIRST.replace("+4930*", "+49301*").replace('"line"', '"inside"')
LATE = '[[rule]]\nname = "council"\nwhen.caller = "1001"\nrecord = "never"\n'
TRIAL = '[[test]]\nname = "t"\ncall = { dialled = "+493012345" }\nexpect = { rule = "rest" }\n'


def check(tmp_path: Path, text: str, *options: str) -> tuple[str, BadConfiguration | None]:
    path = tmp_path / "policy.toml"
    path.write_text(text)
    done = CliRunner().invoke(fsgov, ["policy", "check", *options, str(path)])
    assert done.exception is None or isinstance(done.exception, BadConfiguration), done.exception
    return done.output, done.exception


def test_a_rule_that_is_never_reached_refuses_the_policy(tmp_path: Path) -> None:
    said, fault = check(tmp_path, HEAD + FIRST + LATE + INSIDE + REST)
    assert said.startswith("warning: rule[2] (council): wants no recording, but rule[1]")
    assert fault is not None
    assert fault.message == "The policy v7 has 1 fault"
    assert fault.detail.startswith("rule[3] (inside): is never reached, rule[1] takes")


OVERRIDDEN = """include = ["law:us"]
[override."law:us"]
floor.US-FL = { value = "none", reason = "counsel, 2026-11-02" }
"""


def test_what_is_said_instead_of_a_law_is_told_with_its_reason(tmp_path: Path) -> None:
    text = HEAD.replace("[purpose", OVERRIDDEN + "[purpose") + FIRST + REST
    said, fault = check(tmp_path, text)
    assert fault is None
    assert (
        'override: law:us floor.US-FL = "none" instead of "notice": counsel, 2026-11-02' in said.splitlines()
    )
    told = json.loads(check(tmp_path, text, "--json")[0])
    assert [law["name"] for law in told["laws"]] == ["law:us"]
    (override,) = told["overrides"]
    assert override["reason"] == "counsel, 2026-11-02"
    assert (override["key"], override["value"], override["instead_of"]) == (
        "floor.US-FL",
        '"none"',
        '"notice"',
    )


def test_a_test_that_fails_is_told_beside_the_faults(tmp_path: Path) -> None:
    _, fault = check(tmp_path, HEAD + FIRST + INSIDE + REST + TRIAL)
    assert fault is not None
    assert fault.detail.splitlines()[1:] == ["test t: rule is line, expected rest"]
    _, fault = check(tmp_path, HEAD + FIRST + REST + TRIAL)
    assert fault is not None
    assert fault.message == "The policy's own tests fail"


def test_a_warning_fails_only_where_that_is_wanted(tmp_path: Path) -> None:
    text = HEAD + FIRST + LATE + REST
    said, fault = check(tmp_path, text)
    assert fault is None
    assert said.splitlines()[-1].endswith("3 rules, 0 tests hold, 1 warning")
    _, fault = check(tmp_path, text, "--strict")
    assert fault is not None
    assert fault.message == "The policy v7 has 1 finding"
    said, fault = check(tmp_path, HEAD + FIRST + REST, "--strict")
    assert fault is None
    assert said.endswith("2 rules, 0 tests hold\n")


def test_json_has_every_finding_also_of_what_is_refused(tmp_path: Path) -> None:
    said, fault = check(tmp_path, HEAD + FIRST + LATE + INSIDE + REST, "--json")
    assert fault is not None
    found = json.loads(said)["findings"]
    assert [(each["severity"], each["kind"], each["path"], each["others"]) for each in found] == [
        ("warning", "contradiction", "rule[2]", ["rule[1]"]),
        ("fault", "unreachable", "rule[3]", ["rule[1]"]),
    ]


def test_of_many_warnings_the_first_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reviewing, "LINES", 2)
    late = "".join(LATE.replace("council", f"c{n}").replace("1001", f"100{n}") for n in range(5))
    said, _ = check(tmp_path, HEAD + FIRST + late + REST)
    lines = said.splitlines()
    assert [line[:16] for line in lines[:-1]] == ["warning: rule[2]", "warning: rule[3]", "warning: and 3 m"]
    assert lines[-1].endswith("5 warnings")
