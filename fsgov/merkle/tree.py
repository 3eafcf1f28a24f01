"""The Merkle tree of RFC 6962 over the lines of a log: leaves, nodes, roots, and its growing edge.

Leaves and nodes are hashed with different first bytes, so that no node can pass for a line. Of a tree of n
leaves only the roots of its full subtrees are kept (one for each bit set in n): appending is O(log n).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

HASH_LENGTH = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()


def leaf_hash(line: bytes) -> bytes:
    """The leaf of one line (its exact bytes, without the newline that ends it in a file)."""
    return hashlib.sha256(b"\x00" + line).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


class Frontier:
    """The right edge of a growing tree: its size and the roots of its full subtrees, the largest first.

    `Frontier(frontier.size, frontier.hashes)` is the same frontier again.
    """

    __slots__ = ("_hashes", "_size")

    def __init__(self, size: int = 0, hashes: Iterable[bytes] = ()) -> None:
        self._size = size
        self._hashes = list(hashes)
        if size < 0 or len(self._hashes) != size.bit_count():
            raise ValueError(f"{len(self._hashes)} hashes are not the edge of a tree of {size} leaves")
        if any(len(value) != HASH_LENGTH for value in self._hashes):
            raise ValueError("a hash has a wrong length")

    @property
    def size(self) -> int:
        return self._size

    @property
    def hashes(self) -> tuple[bytes, ...]:
        return tuple(self._hashes)

    def append(self, leaf: bytes) -> None:
        """Adds one leaf (its hash)."""
        full = self._size
        while full & 1:
            leaf = node_hash(self._hashes.pop(), leaf)
            full >>= 1
        self._hashes.append(leaf)
        self._size += 1

    def root(self) -> bytes:
        if not self._hashes:
            return EMPTY_ROOT
        above = self._hashes[-1]
        for left in reversed(self._hashes[:-1]):
            above = node_hash(left, above)
        return above


def root(leaves: Sequence[bytes]) -> bytes:
    """The root over leaf hashes that are all at hand."""
    frontier = Frontier()
    for leaf in leaves:
        frontier.append(leaf)
    return frontier.root()
