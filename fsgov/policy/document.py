"""The parts of a policy document as frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from fsgov.policy.decision import Microseconds, Pause, Refusal
from fsgov.policy.numbers import Pattern
from fsgov.policy.spans import Span
from fsgov.policy.terms import (
    AtMax,
    Basis,
    CallDirection,
    ConsentMode,
    Lock,
    OnFailure,
    OnWithdrawal,
    Priority,
    RecordMode,
    Require,
)
from fsgov.policy.windows import Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """The moment a retention period starts: an event of the call or its customer, plus a span."""

    event: str
    plus: Span = field(default_factory=Span)


@dataclass(frozen=True, slots=True, kw_only=True)
class Purpose:
    """What recordings are kept for, why that is lawful, and for how long."""

    name: str
    kind: str = ""
    """What laws know it as: its name, where the document says nothing else."""
    basis: Basis
    retain_min: Span = field(default_factory=Span)
    retain_max: Span
    anchor: Anchor = field(default_factory=lambda: Anchor(event="call_end"))
    anchor_fallback: Anchor | None = None
    """Counts where `anchor` has not happened."""
    lock: Lock = Lock.NONE
    """How the vault keeps what serves it, until retain_min is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptFacts:
    """What the WAV file of a prompt was when the policy was loaded."""

    file: str
    """Its absolute path."""
    samples: int
    """Frames (samples of one channel)."""
    rate: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """A sound file that parties hear."""

    name: str
    switch_file: str
    """As the switch sees it."""
    language: str
    facts: PromptFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """A condition on a number: any of these patterns, or any of these countries."""

    patterns: tuple[Pattern, ...] = ()
    countries: frozenset[str] = frozenset()
    """Countries (`DE`) and states (`US-CA`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """The conditions of a rule; all of them must hold. None or empty: no such condition."""

    caller: Numbers | None = None
    dialled: Numbers | None = None
    direction: frozenset[CallDirection] = frozenset()
    tenant: frozenset[str] = frozenset()
    variables: Mapping[str, frozenset[str]] = field(default_factory=dict)
    crm: Mapping[str, frozenset[str]] = field(default_factory=dict)
    queue: frozenset[str] = frozenset()
    agent: frozenset[str] = frozenset()
    tag: frozenset[str] = frozenset()
    time: tuple[Window, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """The `ask` of a rule."""

    prompt: str
    yes: str = ""
    no: str = ""
    timeout: Microseconds = 8_000_000
    withdraw: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """When it applies, and what it wants then."""

    name: str
    when: When = field(default_factory=When)
    record: RecordMode = RecordMode.ALWAYS
    share: int = 1_000_000
    """Of a sample, in millionths."""
    consent: ConsentMode = ConsentMode.NONE
    ask: Question | None = None
    purposes: tuple[str, ...] = ()
    on_refusal: Refusal = field(default_factory=Refusal)
    on_withdrawal: OnWithdrawal = OnWithdrawal.DESTROY
    pause: Pause = field(default_factory=Pause)
    vault: str = ""
    require: Require = Require.BEST_EFFORT
    on_failure: OnFailure = OnFailure.ALERT
    announce: str = ""
    """The prompt of on_failure = announce."""
    gate: bool = False
    leg: str = "a"
    armed: bool = False
    unbuffered: bool = False
    priority: Priority = Priority.NORMAL
    ask_agents: bool = False


def strictness(rule: Rule) -> int:
    """Of two rules that may both govern a call the one with more decides."""
    return 9 if rule.record is RecordMode.NEVER else rule.consent.rank


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """Whose call it is: `[tenant.NAME]` of the configuration."""

    name: str
    domains: tuple[str, ...] = ()
    dialled: tuple[str, ...] = ()
    """Patterns as in a rule: exact, or a prefix that ends with `*`."""
    region: str = ""
    """ISO 3166, `DE` or `US-NY`: how a number without + is read, where a line is that no number tells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """For how long a law has recordings kept that serve a kind of purpose; None: it does not say."""

    least: Span | None = None
    most: Span | None = None
    anchor: str = "call_end"
    lock: Lock = Lock.NONE
    """The weakest that it takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Law:
    """A law pack as included and overridden. Data with a date, not legal advice."""

    name: str
    """As in `include`: `law:de`."""
    reviewed_on: str
    """ISO date."""
    source: str
    floors: Mapping[str, ConsentMode] = field(default_factory=dict)
    """Country or state -> the least consent mode its parties are owed."""
    records: Mapping[str, frozenset[RecordMode]] = field(default_factory=dict)
    """Country -> how a call with a party of it may be recorded at most."""
    residency: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Country -> where a call with a party of it may be kept."""
    retention: Mapping[str, Retention] = field(default_factory=dict)
    """By kind of purpose."""
    languages: frozenset[str] = frozenset()
    """Kinds of purposes whose prompts must say in which language they are."""
    pause_max: Microseconds | None = None
    pause_at_max: AtMax | None = None
    text: str = field(default="", repr=False)
    """What the pack says, as TOML: it becomes a part of the policy's text."""

    @property
    def only_kinds(self) -> bool:
        """Whether it speaks of purposes only, not of calls."""
        by_country = self.floors or self.records or self.residency
        return not by_country and self.pause_max is None and self.pause_at_max is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """One value of a law pack that a policy replaces, and why."""

    law: str
    key: str
    """Its path in the pack: `floor.DE`."""
    instead_of: str
    value: str
    """Both as TOML."""
    reason: str

    def __str__(self) -> str:
        return f"{self.law} {self.key} = {self.value} instead of {self.instead_of}: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A `[[test]]`: a call as somebody would describe it, and what the policy is expected to decide."""

    name: str
    direction: CallDirection = CallDirection.INBOUND
    caller: str = ""
    dialled: str = ""
    tenant: str = "default"
    region: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)
    crm: Mapping[str, str] | None = None
    """Facts of the party outside; None: the CRM knows nobody."""
    unreachable: bool = False
    """The CRM cannot be asked."""
    queue: str = ""
    agent: str = ""
    tags: tuple[str, ...] = ()
    at: str = ""
    """`2026-12-25 09:30` in the policy's time zone."""
    expect: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """What of the decision -> its text, or texts where it is a list."""
