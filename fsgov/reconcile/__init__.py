"""Compares the worlds that must agree: switch, spool, vaults, key buckets, catalog, CDR files. And resolves.

worlds      what each of them says, as frozen values
compare     listings in, differences out: pure
host        reads the switch and the spool of this host;  cdr  its call detail records
vaults      lists the buckets of each vault
resolving   carries out what a difference says would be done; nothing is ever destroyed by it
"""

from fsgov.reconcile.compare import compare
from fsgov.reconcile.worlds import Difference, Kind, Worlds

__all__ = ["Difference", "Kind", "Worlds", "compare"]
