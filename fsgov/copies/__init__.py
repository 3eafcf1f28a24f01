"""What keep does to stored objects besides reading them again: locks that grow, copies, moves, replicas.

proving     is a stored version, byte for byte, what the row says
making      one copy: put, read back, locked and held as the original is
copying     which copy is next, made or (by purge's words) removed: a thread of keep
worker      what a thread of keep is
locking     whose lock has to grow: a thread of keep
"""

from fsgov.copies.copying import Copying
from fsgov.copies.locking import Locking

__all__ = ["Copying", "Locking"]
