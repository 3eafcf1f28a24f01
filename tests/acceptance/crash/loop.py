"""Scripts that wait for each other, played by one loop in the main thread.

A script yields what it waits for; the loop asks every 20 ms. Children die with the thread that started them,
so no other thread starts any.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

LOOK_EVERY, PATIENCE = 0.02, 60.0

Script = Iterator[tuple[str, Callable[[], bool]]]
"""What is waited for, in words and as a question."""


def play(
    scripts: dict[str, Script],
    over: set[str],
    watch: Callable[[], None],
    words: Callable[[], str],
    look_every: float = LOOK_EVERY,
    patience: float = PATIENCE,
) -> None:
    """Play all scripts to their end, also those that are added meanwhile; `over` gets their names.

    words: what to say of a hang. patience: seconds for anything; five times that for what starts "the kills".
    """
    waits: dict[str, tuple[str, Callable[[], bool], float]] = {}
    while scripts:
        for name, script in list(scripts.items()):
            if name in waits and not waits[name][1]():
                assert time.monotonic() < waits[name][2], f"{name} waits for {waits[name][0]}\n{words()}"
                continue
            try:
                why, condition = next(script)
            except StopIteration:
                over.add(name)
                waits.pop(name, None)
                del scripts[name]
                continue
            factor = 5 if why.startswith("the kills") else 1
            waits[name] = (why, condition, time.monotonic() + patience * factor)
        watch()
        time.sleep(look_every)
