"""Each command of README and docs is executed by a test: who adds one says by which."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    *(ROOT / "docs").glob("*.md"),
    *ROOT.glob("dialplans/**/*.md"),
]
EXECUTED: dict[str, set[str]] = {
    "README.md": {"tests/live/test_installation.py"},
    "docs/cli.md": {"tests/live/test_docs.py", "tests/unit/test_cli_completion.py"},
    "docs/installation.md": {"tests/live/test_installation.py", "tests/live/test_service.py"},
    "docs/metrics.md": {"tests/live/test_service.py"},
    "docs/operations.md": {"tests/live/test_docs.py", "tests/live/test_key_drills.py"},
    "docs/policy.md": {"tests/live/test_docs.py"},
}
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SHELLS = ("sh", "bash", "zsh", "fish", "console", "shell")
PROGRAM = re.compile(r"^(?:\$ )?(?:fsgov|make|systemctl|python3?|pip|sudo|curl|pg_\w+) ", re.MULTILINE)


def commands(page: Path) -> list[str]:
    """The blocks of a page that somebody would type."""
    found = BLOCK.findall(page.read_text(encoding="utf-8"))
    return [text for kind, text in found if kind in SHELLS or (not kind and PROGRAM.search(text))]


def test_a_page_with_commands_says_which_tests_execute_them() -> None:
    with_commands = {str(page.relative_to(ROOT)) for page in PAGES if commands(page)}
    assert with_commands == set(EXECUTED)


@pytest.mark.parametrize("page", EXECUTED)
def test_a_test_that_executes_a_page_reads_it(page: str) -> None:
    for test in EXECUTED[page]:
        assert Path(page).name in (ROOT / test).read_text(encoding="utf-8"), test


def test_every_chapter_of_the_installation_that_has_commands_is_executed() -> None:
    tests = "".join((ROOT / test).read_text(encoding="utf-8") for test in EXECUTED["docs/installation.md"])
    chapters = (ROOT / "docs/installation.md").read_text(encoding="utf-8").split("\n## ")
    with_commands = [chapter.partition("\n")[0] for chapter in chapters if "\n```sh\n" in chapter]
    assert len(with_commands) == 3
    for chapter in with_commands:
        assert f'commands("{chapter}")' in tests, chapter


def test_the_readme_has_no_commands_but_the_demo() -> None:
    assert commands(ROOT / "README.md") == ["make run\n"]
