"""The ledger of erasures: names of empty objects in the key buckets, outside of the database.

    promised/<request>/<call>.<party>   approved to be erased; written before anything is
    forgotten/<call>.<party>            the rows of the call name this party no more

Recordings have theirs from purge (`erased/<segment>`). No name says who it is: calls are random ids, parties
ordinals. Names alone are read back, so a login that may list the bucket and read nothing in it can restore.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from fsgov.vault import Bucket

PROMISED, FORGOTTEN = "promised/", "forgotten/"
_PARTY = re.compile(r"[0-9A-Za-z-]{1,64}\.[0-9]{1,9}")
_REQUEST = re.compile(r"r-[a-z]{8,32}")


@dataclass(slots=True)
class Names:
    """What the ledger says: parties as CALL.PARTY, and by request those that were promised to be erased."""

    forgotten: set[str] = field(default_factory=set)
    promised: dict[str, set[str]] = field(default_factory=dict)

    @property
    def waiting(self) -> dict[str, list[str]]:
        """By request, what was promised and is not done."""
        return {
            request: left
            for request, names in sorted(self.promised.items())
            if (left := sorted(names - self.forgotten))
        }


@dataclass(frozen=True, slots=True)
class Ledger:
    """The key bucket of each vault. Every one has the whole ledger: a verb is done when all have taken it."""

    buckets: Mapping[str, Bucket]

    def promise(self, request: str, parties: Iterable[str]) -> None:
        """Keep that these are to be erased. Raises what a vault raises; again, it changes nothing."""
        self._put([f"{PROMISED}{request}/{party}" for party in parties])

    def forget(self, party: str) -> None:
        """Keep that the rows of a call name this party no more."""
        self._put([f"{FORGOTTEN}{party}"])

    def close(self) -> None:
        """Let go of the buckets."""
        for bucket in self.buckets.values():
            bucket.close()

    def _put(self, keys: Sequence[str]) -> None:
        for bucket in self.buckets.values():
            for key in keys:
                bucket.put_bytes(key, b"", {})


def names(buckets: Iterable[Bucket]) -> Names:
    """Everything that any of these key buckets says; names that are none of ours are passed over."""
    found = Names()
    for bucket in buckets:
        for version in bucket.list(FORGOTTEN):
            name = version.key.removeprefix(FORGOTTEN)
            if _PARTY.fullmatch(name):
                found.forgotten.add(name)
        for version in bucket.list(PROMISED):
            request, _, name = version.key.removeprefix(PROMISED).partition("/")
            if _REQUEST.fullmatch(request) and _PARTY.fullmatch(name):
                found.promised.setdefault(request, set()).add(name)
    return found
