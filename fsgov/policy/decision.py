"""What a policy decided for one call: no personal data, and everything the call needs to act on it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fsgov.errors import Damaged
from fsgov.policy.terms import (
    AtMax,
    Basis,
    ConsentMode,
    OnFailure,
    OnWithdrawal,
    PauseBy,
    Priority,
    RecordMode,
    RefusalAct,
    Require,
)

Microseconds = int
ENCODE = json.JSONEncoder(ensure_ascii=False, check_circular=False).encode


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """The prompt that is played, and the keys that answer it ("" where there is no such key)."""

    prompt: str
    """Its name in the policy."""
    file: str
    """Its path as the switch sees it."""
    sha256: str
    """Of the prompt file when the policy was loaded: evidence of what was heard."""
    samples: int
    """Frames of the prompt; playback_last_offset_pos must reach this to prove that it was played."""
    rate: int
    language: str = ""
    yes: str = ""
    no: str = ""
    timeout: Microseconds = 8_000_000
    """How long to wait for a key after the prompt has ended."""
    withdraw: str = ""
    """Code of two or more characters that ends the recording at any later time."""

    def to_json(self) -> dict[str, object]:
        return {
            "prompt": self.prompt,
            "file": self.file,
            "sha256": self.sha256,
            "samples": self.samples,
            "rate": self.rate,
            "language": self.language,
            "yes": self.yes,
            "no": self.no,
            "timeout": self.timeout,
            "withdraw": self.withdraw,
        }

    @staticmethod
    def from_json(source: Mapping[str, Any]) -> Ask:
        return Ask(
            prompt=str(source["prompt"]),
            file=str(source["file"]),
            sha256=str(source["sha256"]),
            samples=int(source["samples"]),
            rate=int(source["rate"]),
            language=str(source["language"]),
            yes=str(source["yes"]),
            no=str(source["no"]),
            timeout=int(source["timeout"]),
            withdraw=str(source["withdraw"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """How a pause is made and how long it may last."""

    by: PauseBy = PauseBy.MASK
    max: Microseconds | None = None
    at_max: AtMax = AtMax.STOP

    def to_json(self) -> dict[str, object]:
        return {"by": self.by.value, "max": self.max, "at_max": self.at_max.value}

    @staticmethod
    def from_json(source: Mapping[str, Any]) -> Pause:
        longest = source["max"]
        return Pause(
            by=PauseBy(source["by"]),
            max=None if longest is None else int(longest),
            at_max=AtMax(source["at_max"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """What becomes of a call whose party declined; `destination` only for a transfer."""

    act: RefusalAct = RefusalAct.CONTINUE
    destination: str = ""

    def to_json(self) -> dict[str, object]:
        return {"act": self.act.value, "destination": self.destination}

    @staticmethod
    def from_json(source: Mapping[str, Any]) -> Refusal:
        return Refusal(act=RefusalAct(source["act"]), destination=str(source["destination"]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The rule that governs one call, after the floors of its parties' jurisdictions.

    `record` is what the rule says, or what `curbs` leave of it; with SAMPLE, `sampled` tells whether this
    call is in the sample (otherwise it is True). `consent` is the mode in force, raised by `floors`.
    """

    rule: str
    policy: str
    """SHA-256 of the policy text, hex."""
    version: str
    record: RecordMode
    sampled: bool = True
    consent: ConsentMode = ConsentMode.NONE
    floors: tuple[tuple[str, ConsentMode], ...] = ()
    """(country or state, minimum) of every party, sorted; "" is an unknown one, `US-?` an unknown state."""
    curbs: tuple[str, ...] = ()
    """What the laws of the parties' countries took away of what the rule wants, in words without a number."""
    purposes: tuple[str, ...] = ()
    basis: Mapping[str, Basis] = field(default_factory=dict)
    """Purpose -> basis, for each of `purposes`."""
    asks_for: str = ""
    """The purpose that the question covers and that `on_file` looks up: the first with basis consent (under
    statutory: legal_obligation), else the first; "" where there are no purposes."""
    ask: Ask | None = None
    on_refusal: Refusal = field(default_factory=Refusal)
    on_withdrawal: OnWithdrawal = OnWithdrawal.DESTROY
    pause: Pause = field(default_factory=Pause)
    vault: str = ""
    """"" means the only vault of the configuration."""
    require: Require = Require.BEST_EFFORT
    on_failure: OnFailure = OnFailure.ALERT
    announce: Ask | None = None
    """What the parties are told under on_failure = announce; it has no keys."""
    gate: bool = False
    """The calls of this rule come through the gate of a dialplan, which asks; past it nothing is recorded."""
    leg: str = "a"
    armed: bool = False
    unbuffered: bool = False
    """The switch shall write each frame at once: a crash takes less, each recording costs more writes."""
    priority: Priority = Priority.NORMAL
    ask_agents: bool = False
    _text: str = field(default="", init=False, compare=False, repr=False)

    def text(self) -> str:
        """The JSON of `to_json`. It is kept: one decision is written for many calls, several times each."""
        if not self._text:
            object.__setattr__(self, "_text", ENCODE(self.to_json()))
        return self._text

    def to_json(self) -> dict[str, object]:
        """One JSON object; `from_json` gives an equal value back."""
        return {
            "rule": self.rule,
            "policy": self.policy,
            "version": self.version,
            "record": self.record.value,
            "sampled": self.sampled,
            "consent": self.consent.value,
            "floors": [[country, mode.value] for country, mode in self.floors],
            "curbs": list(self.curbs),
            "purposes": list(self.purposes),
            "basis": {purpose: self.basis[purpose].value for purpose in self.purposes},
            "asks_for": self.asks_for,
            "ask": None if self.ask is None else self.ask.to_json(),
            "on_refusal": self.on_refusal.to_json(),
            "on_withdrawal": self.on_withdrawal.value,
            "pause": self.pause.to_json(),
            "vault": self.vault,
            "require": self.require.value,
            "on_failure": self.on_failure.value,
            "announce": None if self.announce is None else self.announce.to_json(),
            "gate": self.gate,
            "leg": self.leg,
            "armed": self.armed,
            "unbuffered": self.unbuffered,
            "priority": self.priority.value,
            "ask_agents": self.ask_agents,
        }

    @staticmethod
    def from_json(source: Mapping[str, Any]) -> Decision:
        """Read what `to_json` wrote; raises Damaged when it is not that."""
        try:
            return Decision(
                rule=str(source["rule"]),
                policy=str(source["policy"]),
                version=str(source["version"]),
                record=RecordMode(source["record"]),
                sampled=bool(source["sampled"]),
                consent=ConsentMode(source["consent"]),
                floors=tuple((str(country), ConsentMode(mode)) for country, mode in source["floors"]),
                curbs=tuple(str(curb) for curb in source.get("curbs", ())),
                purposes=tuple(str(purpose) for purpose in source["purposes"]),
                basis={str(name): Basis(value) for name, value in source["basis"].items()},
                asks_for=str(source["asks_for"]),
                ask=None if source["ask"] is None else Ask.from_json(source["ask"]),
                on_refusal=Refusal.from_json(source["on_refusal"]),
                on_withdrawal=OnWithdrawal(source.get("on_withdrawal", "destroy")),
                pause=Pause.from_json(source["pause"]),
                vault=str(source["vault"]),
                require=Require(source["require"]),
                on_failure=OnFailure(source["on_failure"]),
                announce=None if source.get("announce") is None else Ask.from_json(source["announce"]),
                gate=bool(source.get("gate")),
                leg=str(source["leg"]),
                armed=bool(source["armed"]),
                unbuffered=bool(source.get("unbuffered")),
                priority=Priority(source.get("priority", "normal")),
                ask_agents=bool(source["ask_agents"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as fault:
            raise Damaged("This decision cannot be read", repr(fault)) from fault
