"""Whether the switch has as many legs as fsgov believes: an end that was never told is found by counting.

A heartbeat says how many sessions there are. More legs than sessions, twice running, is a loss of events:
the connection is made anew, and the resync tells which legs are gone. Nothing else ever would: such a call
would last for ever, and its audio would stay in the spool.
"""

from __future__ import annotations

from collections.abc import Callable

from fsgov.events import Event, Heartbeat

IN_A_ROW = 2
"""One alone may have overtaken an end that is under way."""


class Counting:
    """Looks at each event on its way in.

    legs: how many fsgov believes in. behind: events not looked at yet. again: make the connection anew.
    """

    def __init__(
        self, legs: Callable[[], int], behind: Callable[[], int], again: Callable[[str], None]
    ) -> None:
        self._legs, self._behind, self._again = legs, behind, again
        self._row = 0

    def heard(self, event: Event) -> None:
        """Call it with what has been handed to the core."""
        if not isinstance(event, Heartbeat):
            return
        if self._behind() > 1 or self._legs() <= event.live:
            self._row = 0
            return
        self._row += 1
        if self._row == IN_A_ROW:
            self._row = 0
            self._again(f"{self._legs()} legs are known, the switch has {event.live}")
