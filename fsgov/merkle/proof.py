"""Proofs of RFC 6962: that a line is in a log, and that a log has only grown.

Making a proof takes the leaf hashes; checking one takes a few hashes and signed roots (RFC 9162, 2.1.3.2 and
2.1.4.2). A proof that has one hash too many or too few is refused like one with a wrong hash.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from fsgov.merkle.tree import EMPTY_ROOT, node_hash, root


def inclusion_proof(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """The hashes that lead from leaf `index` to the root, from the bottom up."""
    if not 0 <= index < len(leaves):
        raise IndexError(f"a tree of {len(leaves)} leaves has no leaf {index}")
    if len(leaves) == 1:
        return []
    split = _split(len(leaves))
    if index < split:
        return [*inclusion_proof(leaves[:split], index), root(leaves[split:])]
    return [*inclusion_proof(leaves[split:], index - split), root(leaves[:split])]


def inclusion_proofs(
    leaves: Iterable[bytes], indexes: Collection[int]
) -> tuple[int, bytes, dict[int, list[bytes]]]:
    """Size and root of the tree of `leaves`, read once, and the inclusion proof of each of `indexes` in it.

    Memory grows with the number of indexes, not of leaves.
    """
    proofs: dict[int, list[bytes]] = {index: [] for index in indexes}
    edge: list[tuple[int, bytes, list[int]]] = []  # full subtrees: size, root, which of the indexes are below
    count = 0
    for leaf in leaves:
        edge.append((1, leaf, [count] if count in proofs else []))
        count += 1
        while len(edge) > 1 and edge[-1][0] == edge[-2][0]:
            edge[-2:] = [_joined(edge[-2], edge[-1], proofs)]
    if any(not 0 <= index < count for index in proofs):
        raise IndexError(f"a tree of {count} leaves has no leaf {max(proofs)}")
    while len(edge) > 1:
        edge[-2:] = [_joined(edge[-2], edge[-1], proofs)]
    return count, edge[0][1] if edge else EMPTY_ROOT, proofs


def _joined(
    left: tuple[int, bytes, list[int]], right: tuple[int, bytes, list[int]], proofs: dict[int, list[bytes]]
) -> tuple[int, bytes, list[int]]:
    """Two neighbours as one; the proofs of what is below one of them go through the other."""
    for index in left[2]:
        proofs[index].append(right[1])
    for index in right[2]:
        proofs[index].append(left[1])
    return left[0] + right[0], node_hash(left[1], right[1]), left[2] + right[2]


def sides(index: int, size: int) -> list[str]:
    """On which side of the way up each hash of an inclusion proof stands: `left` or `right`."""
    found = []
    place, last = index, size - 1
    while last:
        if place & 1:
            found.append("left")
        elif place < last:
            found.append("right")
        place, last = place >> 1, last >> 1
    return found


def consistency_proof(leaves: Sequence[bytes], size: int) -> list[bytes]:
    """The hashes that show that the tree of the first `size` leaves grew into the tree of all."""
    if not 0 <= size <= len(leaves):
        raise IndexError(f"a tree of {len(leaves)} leaves never had {size}")
    return _subproof(leaves, size, True) if size else []


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], claimed: bytes) -> bool:
    """Whether leaf hash `leaf` is leaf `index` of the tree of `size` leaves with the root `claimed`."""
    if not 0 <= index < size:
        return False
    place, last, above = index, size - 1, leaf
    for value in proof:
        if last == 0:
            return False
        if place & 1 or place == last:
            above = node_hash(value, above)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            above = node_hash(above, value)
        place, last = place >> 1, last >> 1
    return last == 0 and above == claimed


def verify_consistency(size: int, before: bytes, later: int, after: bytes, proof: Sequence[bytes]) -> bool:
    """Whether the tree (`later`, root `after`) begins with the tree (`size`, root `before`)."""
    if not 0 <= size <= later:
        return False
    if size == 0:
        return not proof and before == EMPTY_ROOT and (later > 0 or after == EMPTY_ROOT)
    if size == later:
        return not proof and before == after
    path = list(proof)
    if size & (size - 1) == 0:
        path.insert(0, before)
    if not path:
        return False
    place, last = size - 1, later - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    old = new = path[0]
    for value in path[1:]:
        if last == 0:
            return False
        if place & 1 or place == last:
            old, new = node_hash(value, old), node_hash(value, new)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            new = node_hash(new, value)
        place, last = place >> 1, last >> 1
    return last == 0 and old == before and new == after


def _subproof(leaves: Sequence[bytes], size: int, known: bool) -> list[bytes]:
    if size == len(leaves):
        return [] if known else [root(leaves)]
    split = _split(len(leaves))
    if size <= split:
        return [*_subproof(leaves[:split], size, known), root(leaves[split:])]
    return [*_subproof(leaves[split:], size - split, False), root(leaves[:split])]


def _split(count: int) -> int:
    """The largest power of two below `count`."""
    return 1 << (count - 1).bit_length() - 1
