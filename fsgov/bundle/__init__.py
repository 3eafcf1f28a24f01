"""The evidence bundle: everything that proves the life of one recording, checked without database or network.

layout      what lies where in it, and the one spelling of its proofs
readme      what it tells people, with the steps for public tools
told        its rows, lines and files as they are read
check       whether every byte of it is what the log has signed
facts       whether the rows in it are what the lines in it tell
acts        whether each act of people in it has its line
audio       whether the audio in it is what the lines tell, and silent where it was paused
"""

from fsgov.bundle.check import Report, verify
from fsgov.bundle.told import Proven

__all__ = ["Proven", "Report", "verify"]
