"""Which rule governs a call, and why. No file, clock or randomness: the same inputs, the same answer."""

from fsgov.policy.decision import Ask, Decision, Pause, Refusal
from fsgov.policy.document import Policy, Prompt, PromptFacts, Purpose, Rule, Tenant
from fsgov.policy.inputs import Inputs, PartyFacts
from fsgov.policy.terms import (
    AtMax,
    Basis,
    CallDirection,
    ConsentMode,
    OnFailure,
    PauseBy,
    RecordMode,
    RefusalAct,
    Require,
    Side,
)

__all__ = [
    "Ask",
    "AtMax",
    "Basis",
    "CallDirection",
    "ConsentMode",
    "Decision",
    "Inputs",
    "OnFailure",
    "PartyFacts",
    "Pause",
    "PauseBy",
    "Policy",
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
]
