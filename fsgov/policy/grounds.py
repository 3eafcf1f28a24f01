"""What a decision in force rests on: one policy and its inputs, or the stricter of several. Pure.

After the answer a better informed decision replaces nothing: of the two the stricter binds. So a decision may
rest on more than the inputs that were looked at last; `again` comes to it from its grounds, to the byte.

The log tells a digest of the grounds, so that rows which were changed afterwards are found. The salt in it
stands beside the rows and is destroyed with them: without it, trying every number there is leads nowhere.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from fsgov import jsonb
from fsgov.errors import Damaged
from fsgov.policy.decision import Decision
from fsgov.policy.inputs import Inputs
from fsgov.policy.terms import RecordMode


@dataclass(frozen=True, slots=True)
class Ground:
    """`policy`: SHA-256 of the version that was asked, hex."""

    policy: str
    inputs: Inputs


Grounds = tuple["Ground | Grounds", ...]
"""In the order they came; grounds among them are those of a conversation that joined."""


def again(grounds: Grounds, decide: Callable[[Ground], Decision]) -> Decision:
    """The decision that rests on these. Raises Damaged when there are none."""
    found: Decision | None = None
    for ground in grounds:
        new = decide(ground) if isinstance(ground, Ground) else again(ground, decide)
        found = new if found is None else stricter(found, new)
    if found is None:
        raise Damaged("A decision without grounds")
    return found


def leaves(grounds: Grounds) -> tuple[Ground, ...]:
    """Every single ground."""
    found: list[Ground] = []
    for ground in grounds:
        found += [ground] if isinstance(ground, Ground) else leaves(ground)
    return tuple(found)


def stricter(old: Decision, new: Decision) -> Decision:
    """The decision that records less, else the one that asks for more; `old` where they are alike.

    Where the one that stays asks for less than the other, its consent is raised to the other's.
    """
    kept = (
        new if _reach(new) < _reach(old) or (_reach(new) == _reach(old) and _rank(new) > _rank(old)) else old
    )
    mode = max(old.consent, new.consent, key=lambda mode: mode.rank)
    if kept.consent.rank < mode.rank:
        kept = replace(kept, consent=mode)
    if kept.rule == new.rule and kept.policy == new.policy and _rank(kept) == _rank(new):
        return new if _reach(new) == _reach(kept) else kept
    return kept


def _reach(decision: Decision) -> int:
    """How much a rule may record at most: never, on demand, always."""
    if decision.record is RecordMode.NEVER or not decision.sampled:
        return 0
    return 1 if decision.record is RecordMode.ON_DEMAND else 2


def _rank(decision: Decision) -> int:
    return decision.consent.rank


def text(grounds: Grounds) -> str:
    """A JSON array; `read` gives an equal value back."""
    return f"[{', '.join(_text(ground) for ground in grounds)}]"


def _text(ground: Ground | Grounds) -> str:
    if isinstance(ground, Ground):
        return f'{{"policy": {json.dumps(ground.policy)}, "inputs": {ground.inputs.text()}}}'
    return text(ground)


def digest(salt: str, stored: Any) -> str:
    """SHA-256, hex, of the salt (hex) and these parsed grounds: the same before and after storing."""
    return hashlib.sha256(bytes.fromhex(salt) + _spelled(stored)).hexdigest()


def _spelled(stored: Any) -> bytes:
    """One spelling: jsonb keeps no order of keys, no NUL and no broken UTF-8."""
    whole = json.dumps(stored, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return jsonb.kept(whole).encode()


def to_json(grounds: Grounds) -> list[Any]:
    """What `text` writes."""
    return [
        {"policy": ground.policy, "inputs": ground.inputs.to_json()}
        if isinstance(ground, Ground)
        else to_json(ground)
        for ground in grounds
    ]


def read(source: Any) -> Grounds:
    """What `text` wrote, parsed. Raises Damaged when it is not that."""
    if not isinstance(source, list):
        raise Damaged("These grounds of a decision cannot be read", type(source).__name__)
    found: list[Ground | Grounds] = []
    for one in source:
        if isinstance(one, list):
            found.append(read(one))
        elif isinstance(one, dict) and isinstance(one.get("policy"), str):
            found.append(Ground(one["policy"], Inputs.from_json(one.get("inputs") or {})))
        else:
            raise Damaged("These grounds of a decision cannot be read", type(one).__name__)
    return tuple(found)


def as_stored(again: Mapping[str, object], stored: Mapping[str, Any]) -> dict[str, object]:
    """A decision in the words of then: without keys that fsgov learned later and that say no more."""
    try:
        said = Decision.from_json(stored).to_json()
    except Damaged:
        said = {}
    return {key: value for key, value in again.items() if key in stored or said.get(key) != value}


def canonical(decision: Any) -> bytes:
    """One spelling for one decision: jsonb does not keep the order of keys."""
    return json.dumps(decision, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()
