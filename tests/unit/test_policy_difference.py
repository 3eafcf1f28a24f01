"""What a person is shown before a policy comes into force: every change, by key, and nothing else."""

from __future__ import annotations

import pytest

from fsgov.cli.stopping import meant
from fsgov.errors import BadUsage
from fsgov.policy import Approval, parse
from fsgov.policy.difference import difference
from tests.unit.conversation import ALWAYS, OPT_IN, policy


def rules(*names: str) -> str:
    return 'version = "1"\n' + "".join(f'[[rule]]\nname = "{name}"\nrecord = "never"\n' for name in names)


def told(before: str, after: str) -> list[str]:
    return [str(change) for change in difference(before, after)]


def test_the_same_is_no_change() -> None:
    text = policy(ALWAYS).text
    assert told(text, text + "# a remark\n") == []


@pytest.mark.parametrize(
    ("before", "after", "changes"),
    [
        (rules("a"), rules("a").replace('"never"', '"always"'), ['~ rule[a].record: "never" -> "always"']),
        (rules("a"), rules("a", "b"), ['+ rule[b] = { name = "b", record = "never" }']),
        (rules("a", "b"), rules("b"), ['- rule[a] = { name = "a", record = "never" }']),
        (rules("a", "b", "c"), rules("c", "a", "b"), ["~ rule[c]: from place 3 to 1"]),
        ('a = "1"', "a = 1", ['~ a: "1" -> 1']),
        ("a.b = [1]", "a.b = [1]\na.c = true", ["+ a.c = true"]),
        ("a.b = 1", "a = 1", ["~ a: { b = 1 } -> 1"]),
        (rules("a", "a"), rules("a"), ['- rule[a#2] = { name = "a", record = "never" }']),
    ],
)
def test_each_change_is_a_line(before: str, after: str, changes: list[str]) -> None:
    assert told(before, after) == changes


def test_another_announcement_in_the_same_file_is_a_change() -> None:
    text = policy(OPT_IN).text
    assert told(text, text.replace("ab" * 32, "cd" * 32)) == [
        f'~ loaded.prompt.ask.sha256: "{"ab" * 32}" -> "{"cd" * 32}"'
    ]


def test_approval_is_part_of_the_document() -> None:
    plain = policy(ALWAYS)
    guarded = parse('approval = "two_persons"\n' + plain.text)
    assert (plain.approval, guarded.approval) == (Approval.NONE, Approval.TWO_PERSONS)


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ("+49 30 (123) 45-6", ("number", "+4930123456")),
        ("1001", ("number", "1001")),
        ("*97", ("number", "*97")),
        ("acme", ("tenant", "acme")),
        ("fs1", ("host", "fs1")),
        ("host:acme", ("host", "acme")),
        ("tenant:fs1", ("tenant", "fs1")),
        ("number:+49 30", ("number", "+4930")),
    ],
)
def test_what_is_to_be_stopped(what: str, expected: tuple[str, str]) -> None:
    assert meant(what, {"acme", "both"}.__contains__, {"fs1", "both"}.__contains__) == expected


@pytest.mark.parametrize("what", ["both", "nobody", "host:", ""])
def test_what_is_not_clear_is_not_guessed(what: str) -> None:
    with pytest.raises(BadUsage, match="not clear"):
        meant(what, {"acme", "both"}.__contains__, {"fs1", "both"}.__contains__)
