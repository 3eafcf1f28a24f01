"""The short form of `make mutants`: every mutant still applies, and a few are tried each time."""

from __future__ import annotations

import random

import pytest

from tests.mutants import Mutant, listed, survives

MUTANTS = listed()
QUICK = [m for m in MUTANTS if m.killed_by.startswith("tests/unit/")]
SAMPLE = random.Random(2026).sample(QUICK, min(8, len(QUICK)))


@pytest.mark.parametrize("mutant", MUTANTS, ids=str)
def test_every_listed_mutant_still_applies(mutant: Mutant) -> None:
    assert mutant.applies()


@pytest.mark.parametrize("mutant", SAMPLE, ids=str)
def test_a_sample_of_the_mutants_is_killed(mutant: Mutant) -> None:
    assert not survives(mutant)
