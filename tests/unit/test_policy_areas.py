"""The table of area codes is what phonenumbers has, and tells a state only where one number plan does."""

from __future__ import annotations

import pytest

from fsgov.policy import areas, country
from tests.areas import found


def test_the_table_is_phonenumbers_own() -> None:
    """When this fails after an upgrade of phonenumbers: `python -m tests.areas` writes the table anew."""
    theirs = {code: next(iter(states)) for code, states in found().items() if len(states) == 1}
    ours = {code: state for state, codes in areas.CODES.items() for code in codes.split()}
    assert ours == theirs
    shared = {state for states in found().values() if len(states) > 1 for state in states}
    assert shared == set(areas.SHARING)


def test_every_code_is_of_the_country_of_its_state() -> None:
    for state, codes in areas.CODES.items():
        for code in codes.split():
            assert country(f"+1{code}5550100") in (state[:2], "US"), code


@pytest.mark.parametrize(
    ("number", "state"),
    [
        ("+12125550100", "US-NY"),
        ("+14155550100", "US-CA"),
        ("+12025550100", "US-DC"),
        ("+15145550100", "CA-QC"),
        ("+19025550100", ""),  # Nova Scotia or Prince Edward Island
        ("+18005550100", ""),  # freephone
        ("+18765550100", ""),  # Jamaica
        ("+442125550100", ""),
        ("+1212555010", ""),  # a digit short
        ("2125550100", ""),
        ("", ""),
    ],
)
def test_the_state_of_a_number(number: str, state: str) -> None:
    assert areas.state(number) == state


def test_there_are_fifty_states_and_the_capital_and_thirteen_provinces() -> None:
    assert sum(state.startswith("US-") for state in areas.STATES) == 51
    assert sum(state.startswith("CA-") for state in areas.STATES) == 13
