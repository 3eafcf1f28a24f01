"""What `fsgov check` holds a service login to is what schema.sql grants it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fsgov.catalog.inspecting import CALLS

SCHEMA = (Path(__file__).parents[2] / "fsgov" / "schema.sql").read_text(encoding="utf-8")
GRANT = re.compile(r"^GRANT EXECUTE ON FUNCTION ([^;]+?) TO ([^;]+);", re.MULTILINE)


def granted() -> dict[str, set[str]]:
    """The functions of each role, by the grants of the schema."""
    found: dict[str, set[str]] = {}
    for functions, roles in GRANT.findall(SCHEMA):
        for role in re.findall(r"fsgov_(\w+)", roles):
            found.setdefault(role, set()).update(re.findall(r"fsgov\.(\w+)", functions))
    return found


def test_every_grant_is_read() -> None:
    assert SCHEMA.count("GRANT EXECUTE") == len(GRANT.findall(SCHEMA)) >= 20
    assert "GRANT fsgov_" not in SCHEMA.replace("GRANT fsgov_owner", "")  # no role has another's functions
    assert "REVOKE ALL ON ALL FUNCTIONS IN SCHEMA fsgov FROM PUBLIC" in SCHEMA


@pytest.mark.parametrize("part", CALLS)
def test_a_part_may_call_what_check_expects_and_nothing_else(part: str) -> None:
    assert granted()[part] == CALLS[part]
