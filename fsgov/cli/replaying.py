"""Deciding a stored call again: from the inputs and the policy text in the catalog, and from nothing else."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fsgov.errors import Conflict, Damaged, NotFound, NotPermitted
from fsgov.policy import Inputs, Policy, Trace, decide, explain, parse

if TYPE_CHECKING:
    from fsgov.catalog.desk import Desk


@dataclass(frozen=True, slots=True)
class Explained:
    """A call's stored decision beside the one that its stored inputs give."""

    call: str
    inputs: Inputs
    sha256: str
    """Of the policy that decided."""
    trace: Trace
    stored: bytes
    again: bytes

    @property
    def identical(self) -> bool:
        return self.stored == self.again

    def compare(self) -> None:
        """Raises Damaged where the decisions differ, and names what of them."""
        if self.identical:
            return
        stored, again = json.loads(self.stored), json.loads(self.again)
        differ = sorted(key for key in {*stored, *again} if stored.get(key) != again.get(key))
        raise Damaged(
            "The stored decision is not what its inputs give",
            f"{self.call}: {', '.join(differ)}",
            "a call decided again after its answer keeps the stricter decision (the log's call.decided"
            " tells); otherwise inputs, decision or policy were changed afterwards",
        )


def explained(desk: Desk, call: str) -> Explained:
    """Raises NotFound, NotPermitted (no numbers for this login), Conflict (nothing decided, or erased)."""
    whole = desk.call(call)
    row = whole.call
    if whole.parties is None:
        raise NotPermitted(
            "The inputs of a decision hold numbers", call, "supervisor, privacy and auditor may see them"
        )
    if row.decision is None or row.policy_sha256 is None:
        raise Conflict("This call was never decided", f"{call}: {row.outcome or 'not over'}")
    if not whole.inputs:
        raise Conflict("The inputs of this decision are erased", call)
    policy = stored_policy(desk, row.policy_sha256)
    inputs = Inputs.from_json(whole.inputs)
    return Explained(
        call=call,
        inputs=inputs,
        sha256=policy.sha256,
        trace=explain(policy, inputs),
        stored=canonical(row.decision),
        again=canonical(decide(policy, inputs).to_json()),
    )


def stored_policy(desk: Desk, sha256: str) -> Policy:
    """The policy of the catalog. Raises Damaged where its text does not have its digest."""
    try:
        text = desk.policy(sha256)
    except NotFound as fault:
        hint = "ship enters policies when it enters calls"
        raise NotFound(fault.message, fault.detail, hint) from None
    found = hashlib.sha256(text.encode()).hexdigest()
    if found != sha256:
        raise Damaged("The stored policy was changed", f"its digest is {found}, not {sha256}")
    return parse(text)


def canonical(decision: Any) -> bytes:
    """One spelling for one decision: jsonb does not keep the order of keys."""
    return json.dumps(decision, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()
