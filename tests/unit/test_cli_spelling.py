"""A number as people write it, in every form that a row may have; and what is nobody's."""

from __future__ import annotations

import pytest

from fsgov.cli.spelling import NOBODYS, numbers_of
from fsgov.errors import BadUsage

E164, DOUBLE = "+4930123456", "004930123456"


@pytest.mark.parametrize(
    ("written", "also"),
    [
        ("+49 (30) 123-456", ()),
        ("00 49 30 / 123456", ()),
        ("tel:+49-30-123456", ()),
        ("TEL:+49-30-123456;ext=7", ()),
        ("tel:30-123456;phone-context=+49", ()),
        ("sip:+4930123456@example.com;user=phone", ()),
        ("030 123456", ("030123456",)),
        ("tel:030123456;phone-context=example.com", ("030123456",)),
    ],
)
def test_a_number_is_found_however_it_is_written(written: str, also: tuple[str, ...]) -> None:
    assert {*numbers_of([written], "DE")} == {E164, DOUBLE, *also}


def test_what_has_no_international_form_is_as_the_switch_gives_it() -> None:
    assert numbers_of(["030 123456"], "") == ["030123456"]
    assert numbers_of(["1001"], "DE") == ["1001"]
    assert numbers_of(["sip:alice@example.com", "alice"], "DE") == ["alice"]


@pytest.mark.parametrize(
    "written", [*NOBODYS, "Anonymous", "sip:anonymous@anonymous.invalid", "", " ", "+", "000", "--"]
)
def test_who_has_no_number_is_nobody(written: str) -> None:
    with pytest.raises(BadUsage, match="nobody's number"):
        numbers_of(["+4930123456", written], "DE")
