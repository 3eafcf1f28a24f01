"""RFC 6962 trees and proofs, against published roots and against the RFC's own recursive definition."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsgov import merkle

# Eight leaves and the roots of their prefixes, from the reference implementation of certificate transparency.
LEAVES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def defined(lines: list[bytes]) -> bytes:
    """MTH of RFC 6962, 2.1, word for word."""
    if not lines:
        return hashlib.sha256(b"").digest()
    if len(lines) == 1:
        return hashlib.sha256(b"\x00" + lines[0]).digest()
    split = max(2**power for power in range(12) if 2**power < len(lines))
    return hashlib.sha256(b"\x01" + defined(lines[:split]) + defined(lines[split:])).digest()


def grown(lines: list[bytes]) -> merkle.Frontier:
    frontier = merkle.Frontier()
    for line in lines:
        frontier.append(merkle.leaf_hash(line))
    return frontier


def numbered(count: int) -> list[bytes]:
    return [b"line %d" % number for number in range(count)]


def test_empty_root() -> None:
    assert (
        merkle.Frontier().root().hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    )


@pytest.mark.parametrize("count", range(1, 9))
def test_published_roots(count: int) -> None:
    assert grown(LEAVES[:count]).root().hex() == ROOTS[count - 1]


@given(st.lists(st.binary(max_size=8), max_size=70))
def test_root_is_as_the_rfc_defines_it(lines: list[bytes]) -> None:
    frontier = grown(lines)
    assert (frontier.size, frontier.root()) == (len(lines), defined(lines))
    assert merkle.root([merkle.leaf_hash(line) for line in lines]) == defined(lines)


@given(st.integers(0, 70), st.integers(0, 70))
def test_a_restored_frontier_grows_on(before: int, more: int) -> None:
    first = grown(numbered(before + more)[:before])
    again = merkle.Frontier(first.size, first.hashes)
    for line in numbered(before + more)[before:]:
        again.append(merkle.leaf_hash(line))
    assert again.root() == defined(numbered(before + more))


@pytest.mark.parametrize(
    ("size", "hashes"), [(1, []), (0, [bytes(32)]), (3, [bytes(32)]), (1, [b"short"]), (-1, [])]
)
def test_a_frontier_that_cannot_be_is_refused(size: int, hashes: list[bytes]) -> None:
    with pytest.raises(ValueError):
        merkle.Frontier(size, hashes)


def test_proofs_made_in_one_pass_are_those_made_one_by_one() -> None:
    leaves = [merkle.leaf_hash(line) for line in numbered(40)]
    for size in range(1, 41):
        count, root, proofs = merkle.inclusion_proofs(iter(leaves[:size]), range(size))
        assert (count, root) == (size, merkle.root(leaves[:size]))
        for index, proof in proofs.items():
            assert proof == merkle.inclusion_proof(leaves[:size], index)
            above = leaves[index]
            for side, value in zip(merkle.sides(index, size), proof, strict=True):
                pair = (value, above) if side == "left" else (above, value)
                above = merkle.node_hash(*pair)
            assert above == root
    assert merkle.inclusion_proofs([], []) == (0, merkle.EMPTY_ROOT, {})
    with pytest.raises(IndexError):
        merkle.inclusion_proofs(leaves[:3], [3])


def test_every_inclusion_proof_up_to_33_leaves_holds_and_only_for_its_leaf() -> None:
    leaves = [merkle.leaf_hash(line) for line in numbered(33)]
    for size in range(1, 34):
        root = defined(numbered(size))
        for index in range(size):
            proof = merkle.inclusion_proof(leaves[:size], index)
            assert merkle.verify_inclusion(leaves[index], index, size, proof, root)
            for other in {index - 1, index + 1, size, 0} - {index}:
                assert not merkle.verify_inclusion(leaves[index], other, size, proof, root)
            assert not merkle.verify_inclusion(leaves[(index + 1) % 33], index, size, proof, root)
            assert not merkle.verify_inclusion(leaves[index], index, size, [*proof, bytes(32)], root)
            if proof:
                assert not merkle.verify_inclusion(leaves[index], index, size, proof[:-1], root)


def test_every_consistency_proof_up_to_33_leaves_holds_and_only_for_its_roots() -> None:
    leaves = [merkle.leaf_hash(line) for line in numbered(33)]
    roots = [defined(numbered(size)) for size in range(34)]
    for later in range(34):
        for size in range(later + 1):
            proof = merkle.consistency_proof(leaves[:later], size)
            assert merkle.verify_consistency(size, roots[size], later, roots[later], proof)
            assert not merkle.verify_consistency(size, bytes(32), later, roots[later], proof)
            assert not merkle.verify_consistency(size, roots[size], later, roots[later], [*proof, bytes(32)])
            if size:
                assert not merkle.verify_consistency(size, roots[size], later, bytes(32), proof)
            if proof:
                assert not merkle.verify_consistency(size, roots[size], later, roots[later], proof[:-1])
                assert not merkle.verify_consistency(size, roots[size], later, roots[later], proof[1:])


@given(st.integers(1, 40), st.data())
def test_a_changed_hash_in_a_proof_is_found(size: int, choice: st.DataObject) -> None:
    leaves = [merkle.leaf_hash(line) for line in numbered(size)]
    index = choice.draw(st.integers(0, size - 1))
    proof = merkle.inclusion_proof(leaves, index)
    if proof:
        place = choice.draw(st.integers(0, len(proof) - 1))
        proof[place] = bytes(32)
        assert not merkle.verify_inclusion(leaves[index], index, size, proof, defined(numbered(size)))


@pytest.mark.parametrize("index", [-1, 3])
def test_no_proof_for_a_leaf_that_is_not_there(index: int) -> None:
    with pytest.raises(IndexError):
        merkle.inclusion_proof([bytes(32)] * 3, index)
    with pytest.raises(IndexError):
        merkle.consistency_proof([bytes(32)] * 3, index + (index > 0))
