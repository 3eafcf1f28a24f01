"""One immutable version of a policy: what `parse` makes of a text and `decide` works on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from fsgov.policy.bounds import Bounds
from fsgov.policy.decision import Decision
from fsgov.policy.document import Law, Override, Prompt, Purpose, Rule, Trial
from fsgov.policy.index import UNMADE, Index
from fsgov.policy.terms import Approval, ConsentMode, OnLookupFailure

Floors = tuple[tuple[str, ConsentMode], ...]
Kept = tuple[str, bool, Floors, tuple[str, ...]]
"""Name of the rule, whether the call is in its sample, floors, curbs: all that a decision is made of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """One immutable version. `text` is complete: parsing it again needs no file and gives an equal value."""

    version: str
    sha256: str
    """Of `text`, hex."""
    text: str
    timezone: str
    holidays: frozenset[date] = frozenset()
    approval: Approval = Approval.NONE
    """Whether it takes two persons to put it in force, or another in its place."""
    on_lookup_failure: OnLookupFailure = OnLookupFailure.STRICTEST
    """What is decided where the CRM could not be asked."""
    rules: Sequence[Rule]
    """A tuple, or where the policy was compiled by another process, packed."""
    purposes: Mapping[str, Purpose] = field(default_factory=dict)
    prompts: Mapping[str, Prompt] = field(default_factory=dict)
    laws: Mapping[str, Law] = field(default_factory=dict)
    overrides: tuple[Override, ...] = ()
    """Values of those laws that the policy replaces."""
    bounds: Bounds = Bounds()  # noqa: RUF009 - frozen
    """What the laws bind beyond consent."""
    floors: Mapping[str, ConsentMode] = field(default_factory=dict)
    """Country, state or `US-?` (no state is told) -> the least consent mode its parties are owed."""
    default_floor: ConsentMode = ConsentMode.NONE
    """For a country that is unknown or has no floor of its own."""
    trials: tuple[Trial, ...] = ()
    names_of_variables: frozenset[str] = frozenset()
    """Channel variables that conditions look at."""
    names_of_facts: frozenset[str] = frozenset()
    """CRM facts that conditions look at: only these, and those of `anchors`, are kept."""
    anchors: Mapping[str, str] = field(default_factory=dict)
    """Event that a period starts from -> the CRM fact that says when."""
    looks_up: bool = False
    """Whether the CRM is asked before anything is decided: for its facts, or for consents on file."""
    index: Index = field(default=UNMADE, compare=False, repr=False)

    decisions: dict[Kept, Decision] = field(default_factory=dict, compare=False, repr=False)
    """What `decide` has made of a rule and of floors, to be used again; bounded."""

    @property
    def kept_facts(self) -> frozenset[str]:
        """What is kept of the CRM's answers."""
        return self.names_of_facts.union(self.anchors.values())

    def __post_init__(self) -> None:
        if self.index is UNMADE:
            object.__setattr__(self, "index", Index.of(self.rules))
