"""Which conversation an event belongs to, and whose deadline comes next."""

from fsgov.switchboard.board import Switchboard

__all__ = ["Switchboard"]
