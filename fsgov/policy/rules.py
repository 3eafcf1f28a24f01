"""Reading a rule: what it wants, and whether those wishes go together."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal

from fsgov.policy.decision import Microseconds, Pause, Refusal
from fsgov.policy.document import Question, Rule
from fsgov.policy.reading import Table, nearest
from fsgov.policy.spans import UNITS, duration
from fsgov.policy.terms import (
    AtMax,
    ConsentMode,
    OnFailure,
    OnWithdrawal,
    PauseBy,
    Priority,
    RecordMode,
    RefusalAct,
    Require,
)
from fsgov.policy.when import read_when

SAMPLE = re.compile(r"sample ([0-9]{1,3}(?:\.[0-9]{1,4})?) ?%")
KEY = re.compile(r"[0-9*#]")
WITHDRAW = re.compile(r"[*#][0-9*#]{1,7}")
DESTINATION = re.compile(r"transfer ([0-9A-Za-z_+*#.-]{1,64})")
VAULT = re.compile(r"[a-z][a-z0-9_-]{0,31}")

DEFAULT_TIMEOUT = 8 * UNITS["s"]


def read_rule(rule: Table) -> Rule:
    """One `[[rule]]`."""
    record, share = _record(rule)
    read = Rule(
        name=rule.text("name", needed="every decision names its rule"),
        when=read_when(rule),
        record=record,
        share=share,
        consent=rule.choice("consent", ConsentMode, ConsentMode.NONE),
        ask=_question(rule),
        purposes=rule.texts("purposes"),
        on_refusal=_refusal(rule),
        on_withdrawal=rule.choice("on_withdrawal", OnWithdrawal, OnWithdrawal.DESTROY),
        pause=_pause(rule),
        vault=_vault(rule),
        require=rule.choice("require", Require, Require.BEST_EFFORT),
        on_failure=rule.choice("on_failure", OnFailure, OnFailure.ALERT),
        announce=rule.text("announce"),
        gate=rule.flag("gate"),
        leg=_leg(rule),
        armed=rule.flag("armed"),
        unbuffered=rule.flag("unbuffered"),
        priority=rule.choice("priority", Priority, Priority.NORMAL),
        ask_agents=rule.flag("ask_agents"),
    )
    if record is not RecordMode.NEVER and not rule.has("consent"):
        rule.fault("consent", "is missing", "say none where nothing is owed to the parties")
    rule.end()
    return read


def _record(rule: Table) -> tuple[RecordMode, int]:
    value = rule.text("record", "always")
    plain = {mode.value: mode for mode in RecordMode if mode is not RecordMode.SAMPLE}
    if value in plain:
        return plain[value], 1_000_000
    sample = SAMPLE.fullmatch(value)
    if sample is None:
        hint = 'write "sample 10%"' if value.startswith("sample") else nearest(value, [*plain, "sample 10%"])
        rule.fault("record", f"{value!r} is not known", hint)
        return RecordMode.NEVER, 0
    share = int(Decimal(sample[1]) * 10_000)
    if not 0 < share <= 1_000_000:
        rule.fault("record", f"a sample of {sample[1]} % cannot be", "above 0, up to 100; or never")
    return RecordMode.SAMPLE, share


def _duration(table: Table, key: str, default: Microseconds, least: str, most: str) -> Microseconds:
    text = table.text(key)
    if not text:
        return default
    value = duration(text)
    if value is None:
        table.fault(key, f"{text!r} is no duration", "write 300 ms, 8 s, 3 min or 2 h")
        return default
    low, high = duration(least), duration(most)
    if low is not None and high is not None and not low <= value <= high:
        table.fault(key, f"{text} is out of range", f"from {least} to {most}")
    return value


def _question(rule: Table) -> Question | None:
    ask = rule.table("ask")
    if ask is None:
        return None
    read = Question(
        prompt=ask.text("prompt", needed="the NAME of a [prompt.NAME]"),
        yes=_key(ask, "yes"),
        no=_key(ask, "no"),
        timeout=_duration(ask, "timeout", DEFAULT_TIMEOUT, "1 s", "2 min"),
        withdraw=ask.text("withdraw"),
    )
    if read.yes and read.yes == read.no:
        ask.fault("no", "is the same key as yes", "two different keys")
    if is_text(ask, "withdraw") and not WITHDRAW.fullmatch(read.withdraw):
        ask.fault(
            "withdraw",
            f"{read.withdraw!r} is no withdrawal code",
            "two to eight of 0-9 * #, the first * or #: a single digit would be pressed by accident",
        )
    ask.end()
    return read


def is_text(table: Table, key: str) -> bool:
    """Whether there is a text to look at; what is there but no text has been reported already."""
    return isinstance(table.source.get(key), str)


def _key(ask: Table, name: str) -> str:
    key = ask.text(name)
    if is_text(ask, name) and not KEY.fullmatch(key):
        ask.fault(name, f"{key!r} is no key", "exactly one of 0-9 * #")
    return key


def _refusal(rule: Table) -> Refusal:
    value = rule.text("on_refusal", "continue")
    if value in ("continue", "hangup"):
        return Refusal(act=RefusalAct(value))
    transfer = DESTINATION.fullmatch(value)
    if transfer is None:
        hint = 'write "transfer 7001"' if value.startswith("transfer") else ""
        known = ["continue", "hangup", "transfer 7001"]
        rule.fault("on_refusal", f"{value!r} is not known", hint or nearest(value, known))
        return Refusal()
    return Refusal(act=RefusalAct.TRANSFER, destination=transfer[1])


def _pause(rule: Table) -> Pause:
    pause = rule.table("pause")
    if pause is None:
        return Pause()
    longest = _duration(pause, "max", 0, "1 s", "12 h") or None
    if pause.has("at_max") and not pause.has("max"):
        pause.fault("at_max", "has no effect without max", 'add max = "3 min"')
    read = Pause(
        by=pause.choice("by", PauseBy, PauseBy.MASK),
        max=longest,
        at_max=pause.choice("at_max", AtMax, AtMax.STOP),
    )
    pause.end()
    return read


def _vault(rule: Table) -> str:
    name = rule.text("vault")
    if is_text(rule, "vault") and not VAULT.fullmatch(name):
        rule.fault("vault", f"{name!r} is no name of a vault", "small letters, digits, _ and -")
    return name


def _leg(rule: Table) -> str:
    leg = rule.text("leg", "a")
    if leg not in ("a", "b"):
        rule.fault("leg", f"{leg!r} is not known", "a (the caller's) or b (the one it calls)")
    return leg


def check_names(table: Table, rule: Rule, known: Mapping[str, Mapping[str, object]]) -> None:
    """Purposes and prompts must be declared."""
    for name in rule.purposes:
        if name not in known["purpose"]:
            table.fault("purposes", f"there is no [purpose.{name}]", nearest(name, known["purpose"]))
    asked = "" if rule.ask is None else rule.ask.prompt
    for key, name in (("ask.prompt", asked), ("announce", rule.announce)):
        if name and name not in known["prompt"]:
            table.fault(key, f"there is no [prompt.{name}]", nearest(name, known["prompt"]))
