"""Why a decision came out as it did: every rule tried, what of it did not hold, and the floors applied."""

from __future__ import annotations

from dataclasses import dataclass

from fsgov.policy.areas import UNTOLD
from fsgov.policy.conditions import Call, Unmet, Verdict, unmet
from fsgov.policy.deciding import choose, settle
from fsgov.policy.decision import Decision
from fsgov.policy.inputs import Inputs
from fsgov.policy.raising import missing as lacking
from fsgov.policy.raising import obtainable
from fsgov.policy.terms import ConsentMode
from fsgov.policy.version import Policy

CAVEAT = (
    "an area code says where a number was given out, not where its owner is: "
    "mobile and ported numbers go along, and floors go by the number"
)


def _named(place: str) -> str:
    if place.endswith(UNTOLD):
        return f"{place[:2]}, where the number tells no state"
    return place or "an unknown country"


@dataclass(frozen=True, slots=True)
class Tried:
    """One rule, and which of its conditions did not hold."""

    rule: str
    verdict: Verdict
    unmet: tuple[Unmet, ...]


@dataclass(frozen=True, slots=True)
class Trace:
    """The way to a decision. Without numbers, names or values of the call."""

    decision: Decision
    tried: tuple[Tried, ...]
    """In order, to the first that certainly matches."""
    rule_consent: ConsentMode
    """Of the deciding rule, before the floors."""

    def to_json(self) -> dict[str, object]:
        return {
            "decision": self.decision.to_json(),
            "tried": [
                {
                    "rule": tried.rule,
                    "verdict": tried.verdict.value,
                    "unmet": [
                        {"condition": u.condition, "found": u.found, "open": u.open_} for u in tried.unmet
                    ],
                }
                for tried in self.tried
            ],
            "rule_consent": self.rule_consent.value,
            "caveat": CAVEAT if self.by_area else "",
        }

    def text(self, inputs: Inputs | None = None) -> str:
        """Lines for people; the numbers only where `inputs` are given to be shown."""
        decision = self.decision
        lines = []
        if inputs is not None:
            lines.append(
                f"call from {inputs.caller or 'withheld'} to {inputs.dialled}, {inputs.direction.value}"
            )
        lines.append(f"policy {decision.version} ({decision.policy[:16]})")
        for tried in self.tried:
            lines.append(f"  rule {tried.rule}: {tried.verdict.value}")
            for missing in tried.unmet:
                sign = "?" if missing.open_ else "✗"
                lines.append(f"    {sign} {missing.condition}: {missing.found}")
        lines.append(f"decided by rule {decision.rule}: {self._record()}, consent {self._consent()}")
        if not obtainable(decision):
            lines.append(f"  not recorded: its question {lacking(decision.ask, decision.consent)}")
        for country, mode in decision.floors:
            lines.append(f"  floor of {_named(country)}: {mode.value}")
        lines += [f"  {curb}" for curb in decision.curbs]
        if self.by_area:
            lines.append(f"  {CAVEAT}")
        for purpose in decision.purposes:
            lines.append(f"  purpose {purpose}, basis {decision.basis[purpose].value}")
        return "\n".join(lines)

    @property
    def by_area(self) -> bool:
        """Whether an area code had a part in it."""
        return any("-" in place for place, _ in self.decision.floors)

    def _record(self) -> str:
        record = self.decision.record.value
        if record != "sample":
            return record
        return f"{record} ({'in' if self.decision.sampled else 'not in'} the sample)"

    def _consent(self) -> str:
        consent = self.decision.consent
        if consent is self.rule_consent:
            floors = [mode for _, mode in self.decision.floors if mode.rank > 0]
            return f"{consent.value}, no floor raises it" if consent.rank < 0 and floors else consent.value
        return f"{consent.value}, raised from {self.rule_consent.value}"


def explain(policy: Policy, inputs: Inputs) -> Trace:
    """The decision of `decide`, reached by trying every rule in turn."""
    call = Call(inputs, policy.timezone, policy.holidays, policy.on_lookup_failure)
    tried = []
    for rule in policy.rules:
        missing = tuple(unmet(rule.when, call))
        verdict = Verdict.OPEN if missing else Verdict.MATCHED
        if any(not one.open_ for one in missing):
            verdict = Verdict.FAILED
        tried.append(Tried(rule.name, verdict, missing))
        if verdict is Verdict.MATCHED:
            break
    rule = choose(policy, call, range(len(policy.rules)))
    return Trace(settle(policy, rule, call), tuple(tried), rule.consent)
