"""Every listed mutant must be killed by the test it names: `python -m tests.mutants [NAME…]`.

A mutant is one exact piece of source text and its broken form. It fails the run when it survives, when its
text is no longer there (or there twice), and when its test is red without it.
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

from tests.mutants import Mutant, copy_of_tree, listed, run_test, survives


def main(names: list[str]) -> int:
    mutants = [m for m in listed() if not names or any(n in (m.list_, m.file) for n in names)]
    faults = [f"does not apply: {m}" for m in mutants if not m.applies()]
    with copy_of_tree() as tree:
        red = [t for t in sorted({m.killed_by for m in mutants}) if not run_test(tree, t)]
    faults += [f"red without any mutant: {t}" for t in red]

    def verdict(mutant: Mutant) -> str | None:
        return f"survives: {mutant}" if survives(mutant) else None

    if not faults:
        with ThreadPoolExecutor(2) as pool:
            for mutant, fault in zip(mutants, pool.map(verdict, mutants), strict=True):
                print(fault or f"killed: {mutant}", flush=True)  # noqa: T201 - a program for a terminal
                faults += [fault] if fault else []
    print(*faults, f"{len(mutants)} mutants, {len(faults)} faults", sep="\n")  # noqa: T201
    return 1 if faults else 0


sys.exit(main(sys.argv[1:]))
