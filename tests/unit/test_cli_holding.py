"""What somebody writes after `fsgov hold place`, as the catalog takes it."""

from __future__ import annotations

import pytest

from fsgov.cli.held import meant
from fsgov.errors import BadUsage

CALL = "0f6c2d1e-aaaa-4bbb-8ccc-012345678901"


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        (CALL, "call", CALL),
        (f"{CALL}-01", "segment", f"{CALL}-01"),
        ("call:c1", "call", "c1"),
        ("segment:c1-01", "segment", "c1-01"),
        ("+49 30 12345678", "number", "+493012345678"),
        ("number:030 12345678", "number", "+493012345678"),
        ("number:1001", "number", "1001"),
        ("number:anonymous", "number", "anonymous"),
        ("subject:id=K:17", "subject", "id=K:17"),
        ("k-abcdefghijkl", "case", "k-abcdefghijkl"),
    ],
)
def test_what_is_meant(text: str, kind: str, value: str) -> None:
    assert meant(text, "DE") == {"kind": kind, "value": value}


@pytest.mark.parametrize("text", ["1001", "c1", "number:", "host:fs1", "", "h-abcdefghijkl", "call:a/b"])
def test_what_is_not_clear_is_refused(text: str) -> None:
    with pytest.raises(BadUsage):
        meant(text, "DE")
