"""Reads stored objects again, each in its turn, and compares them with their rows. No key is needed.

looking     one object: what the vault shows of it, its bytes, its lock -> a verdict
loop        which is next, at which rate, what is told: a thread of keep
"""

from fsgov.scrub.loop import Scrubber

__all__ = ["Scrubber"]
