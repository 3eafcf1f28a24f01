"""Who gets the log: the contract of sinks (lines and checkpoints) and of anchors (checkpoints alone).

Both know by themselves how far they are; nobody else's count is believed. tests/suites/test_sinks.py holds
every sink to these words.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence


class Anchor(ABC):
    """Keeps signed checkpoints where the writer of the log cannot take them back."""

    name: str
    """Short and stable: `file`, `vault:eu`."""

    @abstractmethod
    def signed(self, log_id: str) -> int:
        """Size of the largest checkpoint it holds of this log, 0 for none. Raises Unreachable."""

    @abstractmethod
    def sign(self, log_id: str, size: int, note: bytes) -> None:
        """Keep this checkpoint, larger than every one before.

        Must: durable when it returns. Must: keeping the same one again changes nothing that matters.
        Raises Unreachable (the same call may succeed later); anything else needs a person.
        """

    def close(self) -> None:  # noqa: B027 - most have nothing to close
        """Let go of what is open; another process may write from now on. It can be used again.

        Must: what was known of the other side is forgotten with it.
        """


class Sink(Anchor):
    """Gets every line, in order, once."""

    @abstractmethod
    def size(self, log_id: str) -> int:
        """How many whole lines of this log it holds: the seq it wants next. Raises Unreachable."""

    @abstractmethod
    def take(self, log_id: str, first: int, lines: Sequence[bytes]) -> None:
        """Hold these lines, `first` being `size(log_id)`; they have no newline.

        Must: durable when it returns. Must: when it raises or the process dies, `size` counts the lines that
        are whole, and a next `take` from there leaves no line out and none twice.
        Raises Conflict where `first` is another place, Unreachable when it cannot now.
        """
