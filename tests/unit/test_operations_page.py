"""docs/operations.md: each failure is made to happen by a test that exists, each error is said so."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from fsgov import config
from fsgov.alarms import family
from fsgov.errors import FsgovError
from fsgov.policy import run_tests
from tests.unit.test_cli import ALL

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
SOURCE = "\n".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "fsgov").rglob("*.py")))


def rows(name: str) -> list[list[str]]:
    """The cells of the table between two marks, without its head."""
    table = PAGE.partition(f"<!-- {name} -->")[2].partition(f"<!-- end of {name} -->")[0]
    lines = [line for line in table.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


FAILURES, ERRORS = rows("failures"), rows("errors")


def test_the_tables_are_there() -> None:
    assert len(FAILURES) >= 12
    assert len(ERRORS) >= 40


@pytest.mark.parametrize("row", FAILURES, ids=lambda row: str(row[0]))
def test_a_failure_is_made_to_happen_by_a_test(row: list[str]) -> None:
    file, _, name = row[-1].strip("`").partition("::")
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("row", FAILURES, ids=lambda row: str(row[0]))
def test_what_a_failure_shows_has_the_name_it_has_in_the_program(row: list[str]) -> None:
    for name, part in re.findall(r"`([a-z_.A-Z]+)`(?:, `[a-z_]+`)* \((govern|ship|keep)\)", row[4]):
        assert part in family(name).parts
    keys = re.findall(r"log keys? `([a-z_. =]+)`(?:(?:,| or) `([a-z_.]+)`)?", row[4])
    for key in [each.partition(" ")[0] for found in keys for each in found if each]:
        assert f'"{key}"' in SOURCE, key


@pytest.mark.parametrize("row", ERRORS, ids=lambda row: f"{row[0]} {row[1]}")
def test_an_error_has_an_exit_code_and_something_to_do(row: list[str]) -> None:
    """That it is said in these words, with this code: tests/live/test_errors_page.py meets each."""
    _, _, code, remedy = row
    assert int(code) in {kind.exit_code for kind in (FsgovError, *FsgovError.__subclasses__())}
    assert len(remedy) > 10


def test_the_commands_of_the_page_exist() -> None:
    named = set(re.findall(r"`fsgov ([a-z]+(?: [a-z]+)*)", PAGE)) - {"db restored"}
    assert len(named) > 12
    assert {words for words in named if not any(f"{words} ".startswith(f"{name} ") for name in ALL)} == set()


def test_the_sample_policy_holds_and_is_the_one_in_the_docs() -> None:
    shipped = ROOT / "fsgov/config/policy.toml"
    assert (ROOT / "docs/policy.toml").read_text() == shipped.read_text()
    policy = config.load_policy(shipped, {"main": ""})
    assert not run_tests(policy)
    assert len(policy.trials) == 2


def test_the_page_can_be_found() -> None:
    assert "(docs/operations.md)" in (ROOT / "README.md").read_text(encoding="utf-8")
