"""Bech32 (BIP 173) without its length limit: how age writes keys as text.

One text per value: mixed case, a wrong check sum, a wrong length of the padding and padding bits that are
not zero are errors. Case is part of the text: `decode` gives the prefix as it was written.
"""

from __future__ import annotations

from collections.abc import Iterable

_ALPHABET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_VALUES = {letter: value for value, letter in enumerate(_ALPHABET)}
_GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_CHECK_LENGTH = 6


def encode(prefix: str, payload: bytes) -> str:
    """The Bech32 text of `payload`; upper case if the prefix is."""
    low = prefix.lower()
    values = _regroup(payload, 8, 5)
    if len(payload) * 8 % 5:
        values.append(int.from_bytes(payload, "big") << (5 - len(payload) * 8 % 5) & 31)
    check = _polymod([*_expanded(low), *values, *[0] * _CHECK_LENGTH]) ^ 1
    values += [check >> 5 * (_CHECK_LENGTH - 1 - place) & 31 for place in range(_CHECK_LENGTH)]
    text = low + "1" + "".join(_ALPHABET[value] for value in values)
    return text if prefix == low else text.upper()


def decode(text: str) -> tuple[str, bytes]:
    """Prefix and payload of a Bech32 text; ValueError (which never quotes the text) when it is not one."""
    if text != text.lower() and text != text.upper():
        raise ValueError("mixed case")
    prefix, separator, tail = text.rpartition("1")
    if not separator or not prefix or len(tail) < _CHECK_LENGTH:
        raise ValueError("no prefix or too short")
    if not all(33 <= ord(letter) <= 126 for letter in prefix):
        raise ValueError("a letter that Bech32 does not have")
    try:
        values = [_VALUES[letter] for letter in tail.lower()]
    except KeyError:
        raise ValueError("a letter that Bech32 does not have") from None
    if _polymod([*_expanded(prefix.lower()), *values]) != 1:
        raise ValueError("the check sum is wrong")
    values = values[:-_CHECK_LENGTH]
    spare = len(values) * 5 % 8
    if spare > 4 or (spare and values[-1] & ((1 << spare) - 1)):
        raise ValueError("the padding is wrong")
    return prefix, bytes(_regroup(values, 5, 8))


def _expanded(prefix: str) -> list[int]:
    return [ord(letter) >> 5 for letter in prefix] + [0] + [ord(letter) & 31 for letter in prefix]


def _polymod(values: Iterable[int]) -> int:
    check = 1
    for value in values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for place, term in enumerate(_GENERATOR):
            if top >> place & 1:
                check ^= term
    return check


def _regroup(values: Iterable[int], width: int, wanted: int) -> list[int]:
    """The same bits in groups of `wanted`; an incomplete last group is left off."""
    bits = count = 0
    groups: list[int] = []
    for value in values:
        bits = bits << width | value
        count += width
        while count >= wanted:
            count -= wanted
            groups.append(bits >> count & ((1 << wanted) - 1))
        bits &= (1 << count) - 1
    return groups
