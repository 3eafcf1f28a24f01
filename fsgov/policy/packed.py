"""The rules of a large policy, packed away until a call needs one: each is one bytes object.

As values ten thousand rules are some hundred thousand objects: to be made when the policy comes
into force, to be looked at by each collection, to be freed when the last call that was decided by it is over.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Iterator, Sequence
from typing import overload

from fsgov.policy.document import Rule

OPEN = 256
"""Rules that are kept unpacked, with their places: those that calls come to, over and over."""


def pack(rule: Rule) -> bytes:
    return pickle.dumps(rule, pickle.HIGHEST_PROTOCOL)


class PackedRules(Sequence[Rule]):
    """A sequence of rules that was made by `pack`, each; equal to any sequence of the same rules.

    Only for what a process of ours has packed: unpacking executes what the bytes say.
    """

    __slots__ = ("_open", "_opened", "_packed")

    def __init__(self, packed: Iterable[bytes], always: int = 0) -> None:
        """always: how many rules every call comes to."""
        self._packed = tuple(packed)
        self._open = OPEN + always
        self._opened: dict[int, Rule] = {}

    def __len__(self) -> int:
        return len(self._packed)

    @overload
    def __getitem__(self, place: int) -> Rule: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Rule]: ...
    def __getitem__(self, place: int | slice) -> Rule | Sequence[Rule]:
        if isinstance(place, slice):
            return PackedRules(self._packed[place])
        rule = self._opened.get(place)
        if rule is None:
            if len(self._opened) >= self._open:
                self._opened.clear()
            rule = self._opened[place] = self._unpacked(place)
        return rule

    def __iter__(self) -> Iterator[Rule]:
        return map(self._unpacked, range(len(self)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    __hash__ = None  # type: ignore[assignment]  # as of a list: what it is equal to has another hash

    def _unpacked(self, place: int) -> Rule:
        rule: Rule = pickle.loads(self._packed[place])  # noqa: S301 - see above
        return rule
