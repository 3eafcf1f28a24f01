"""Which rule governs a call, and why. No file, clock or randomness: the same inputs, the same answer."""

from fsgov.policy.conditions import Verdict
from fsgov.policy.deciding import decide
from fsgov.policy.decision import Ask, Decision, Pause, Refusal
from fsgov.policy.document import Law, Prompt, PromptFacts, Purpose, Rule, Tenant
from fsgov.policy.explaining import Trace, explain
from fsgov.policy.inputs import Inputs, PartyFacts
from fsgov.policy.numbers import country, e164
from fsgov.policy.parse import parse
from fsgov.policy.tenancy import tenant_of
from fsgov.policy.terms import (
    Approval,
    AtMax,
    Basis,
    CallDirection,
    ConsentMode,
    Lock,
    OnFailure,
    OnLookupFailure,
    OnWithdrawal,
    PauseBy,
    Priority,
    RecordMode,
    RefusalAct,
    Require,
    Side,
)
from fsgov.policy.trials import describe, run_tests
from fsgov.policy.version import Policy

__all__ = [
    "Approval",
    "Ask",
    "AtMax",
    "Basis",
    "CallDirection",
    "ConsentMode",
    "Decision",
    "Inputs",
    "Law",
    "Lock",
    "OnFailure",
    "OnLookupFailure",
    "OnWithdrawal",
    "PartyFacts",
    "Pause",
    "PauseBy",
    "Policy",
    "Priority",
    "Prompt",
    "PromptFacts",
    "Purpose",
    "RecordMode",
    "Refusal",
    "RefusalAct",
    "Require",
    "Rule",
    "Side",
    "Tenant",
    "Trace",
    "Verdict",
    "country",
    "decide",
    "describe",
    "e164",
    "explain",
    "parse",
    "run_tests",
    "tenant_of",
]
