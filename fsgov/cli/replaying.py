"""Deciding a stored call again: from the inputs and the policy text in the catalog, and from nothing else."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fsgov.errors import Conflict, Damaged, NotFound, NotPermitted
from fsgov.policy import Inputs, Policy, Trace, decide, explain, parse
from fsgov.policy.grounds import again, as_stored, canonical, digest, leaves, read

if TYPE_CHECKING:
    from fsgov.catalog.desk import Desk


@dataclass(frozen=True, slots=True)
class Explained:
    """A call's stored decision beside the one that its stored inputs give."""

    call: str
    sha256: str
    """Of the policy that decided."""
    traces: tuple[tuple[Inputs, Trace], ...]
    """Of each decision that this one is the strictest of, in their order; mostly one."""
    stored: bytes
    again: bytes
    told: str
    """Digest of the inputs, as the log's last call.decided has it; "" where there is no such line."""
    inputs: str
    """The same digest, of the stored inputs; "" where there is none."""

    @property
    def identical(self) -> bool:
        return self.stored == self.again

    @property
    def in_log(self) -> bool | None:
        """The stored inputs are those that the log tells; None where it does not tell."""
        return self.told == self.inputs if self.told else None

    def compare(self) -> None:
        """Raises Damaged where the inputs are not the log's, or the decisions differ: in what of them."""
        if self.in_log is False:
            raise Damaged(
                "The stored inputs are not those that the log tells",
                f"{self.call}: {self.inputs or 'no salt'}, not {self.told}",
                "inputs or salt were changed afterwards, or another host's call was entered under this id",
            )
        if self.identical:
            return
        stored, again = json.loads(self.stored), json.loads(self.again)
        differ = sorted(key for key in {*stored, *again} if stored.get(key) != again.get(key))
        raise Damaged(
            "The stored decision is not what its inputs give",
            f"{self.call}: {', '.join(differ)}",
            "inputs, decision or policy were changed afterwards; the log's call.decided has the decision",
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
    several = isinstance(whole.inputs, list)
    stored = whole.inputs if several else [{"policy": row.policy_sha256, "inputs": whole.inputs}]
    grounds = read(stored)
    lines = desk.log.decided(call)
    single = leaves(grounds)
    policies = {sha256: stored_policy(desk, sha256) for sha256 in {ground.policy for ground in single}}
    decision = again(grounds, lambda ground: decide(policies[ground.policy], ground.inputs))
    return Explained(
        call=call,
        sha256=row.policy_sha256,
        traces=tuple((ground.inputs, explain(policies[ground.policy], ground.inputs)) for ground in single),
        stored=canonical(row.decision),
        again=canonical(as_stored(decision.to_json(), row.decision)),
        told=str(json.loads(lines[-1])["data"].get("inputs", "")) if lines else "",
        inputs=digest(whole.inputs_salt, stored) if whole.inputs_salt else "",
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
