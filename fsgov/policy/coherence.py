"""What a rule may not be, though each of its keys is well formed: promises it could not keep."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from fsgov.policy.deciding import ARMED_UNDER
from fsgov.policy.document import Purpose, Rule, When
from fsgov.policy.reading import Table
from fsgov.policy.terms import (
    Basis,
    ConsentMode,
    Lock,
    OnFailure,
    OnWithdrawal,
    Priority,
    RecordMode,
    RefusalAct,
    Require,
)

WANTS_A_YES = frozenset({ConsentMode.OPT_IN, ConsentMode.ON_FILE, ConsentMode.AGENT_ATTESTED})
WITHOUT_EFFECT_UNDER_NEVER = (
    "consent",
    "ask",
    "purposes",
    "on_refusal",
    "on_withdrawal",
    "pause",
    "vault",
    "require",
    "on_failure",
    "announce",
    "gate",
    "leg",
    "armed",
    "unbuffered",
    "priority",
    "ask_agents",
)


LOOKED_AT = (
    "record", "consent", "ask", "purposes", "on_refusal", "armed", "require", "on_failure", "announce", "gate"
)  # fmt: skip
"""Where one of these could not be read, it is too early to say what does not go together."""


def check_rule(
    table: Table, rule: Rule, purposes: Mapping[str, Purpose], floors: Iterable[ConsentMode]
) -> None:
    """Report what does not go together; `floors` are the modes this rule's consent may be raised to."""
    if any(table.faults.touches(table.at(key)) for key in LOOKED_AT):
        return
    if rule.record is RecordMode.NEVER:
        for key in WITHOUT_EFFECT_UNDER_NEVER:
            harmless = key == "consent" and rule.consent is ConsentMode.NONE
            if key in table.source and not harmless:
                table.fault(key, "has no effect under record = never", "leave it out")
        return
    raised = () if rule.consent is ConsentMode.STATUTORY else floors
    reach = {rule.consent, *(mode for mode in raised if mode.rank > rule.consent.rank)}
    _check_purposes(table, rule, purposes)
    _check_locks(table, rule, purposes)
    _check_question(table, rule, reach)
    if rule.armed and rule.consent not in ARMED_UNDER:
        table.fault(
            "armed",
            f"would capture before {rule.consent.value} is settled",
            "armed goes with consent none, on_file or statutory only",
        )
    _check_failure(table, rule)
    if rule.priority is Priority.LOW and rule.require is not Require.BEST_EFFORT:
        table.fault("priority", "is low, but the recording is needed (require)", "leave one of the two out")
    if rule.priority is Priority.LOW and rule.on_failure is OnFailure.HANGUP:
        table.fault(
            "priority", "is low, but the call ends without a recording (on_failure)", "one of the two"
        )
    if rule.on_refusal.act is not RefusalAct.CONTINUE and not reach & {
        ConsentMode.OPT_OUT,
        ConsentMode.OPT_IN,
        ConsentMode.ON_FILE,
        ConsentMode.AGENT_ATTESTED,
    }:
        table.fault("on_refusal", f"nobody can refuse under {rule.consent.value}", "leave it out")


def _check_failure(table: Table, rule: Rule) -> None:
    """What is promised for the recording that cannot be had can be kept."""
    if rule.require is Require.BEFORE_ANSWER and not rule.gate:
        table.fault(
            "require",
            "is before_answer, but only the gate of a dialplan can hold a call back",
            "add gate = true, and send the calls of this rule through it (dialplans/README.md)",
        )
    if rule.require is Require.BEFORE_ANSWER and rule.consent is ConsentMode.AGENT_ATTESTED:
        table.fault(
            "require", "is before_answer, but nobody can attest a consent before he is reached", "during"
        )
    if rule.gate and rule.record is RecordMode.ON_DEMAND:
        table.fault(
            "gate",
            "asks before the call goes on, when nobody has asked for a recording yet (on_demand)",
            "leave it out: who is asked in the middle of a call is asked by fsgov",
        )
    if rule.require is Require.BEFORE_ANSWER and rule.leg != "a":
        table.fault("leg", f"is {rule.leg}, which is called when the recording runs already", "leg = a")
    if rule.on_failure is OnFailure.ANNOUNCE and not rule.announce:
        table.fault("announce", "is missing, on_failure = announce needs its prompt", 'announce = "NAME"')
    if rule.announce and rule.on_failure is not OnFailure.ANNOUNCE:
        table.fault("announce", f"has no effect under on_failure = {rule.on_failure.value}", "leave it out")


def _check_purposes(table: Table, rule: Rule, purposes: Mapping[str, Purpose]) -> None:
    if not rule.purposes:
        table.fault("purposes", "is missing", "nothing may be recorded without a purpose and its basis")
    by_consent = [
        name for name in rule.purposes if name in purposes and purposes[name].basis is Basis.CONSENT
    ]
    if rule.consent is ConsentMode.STATUTORY:
        _check_statutory(table, rule, purposes)
    elif rule.consent not in WANTS_A_YES:
        for name in by_consent:
            table.fault(
                "purposes",
                f"{name} has basis consent, but {rule.consent.value} gives none",
                "consent = opt_in, or another basis: silence is never consent",
            )
    if rule.consent is ConsentMode.ON_FILE and rule.purposes and not by_consent:
        table.fault("purposes", "none has basis consent", "on_file looks up the consent for a purpose")


def _check_statutory(table: Table, rule: Rule, purposes: Mapping[str, Purpose]) -> None:
    """A law demands the recording; what else it may serve needs the party's own yes."""
    if "on_withdrawal" in table.source:
        table.fault("on_withdrawal", "has no effect under statutory", "nobody's no ends such a recording")
    bases = {name: purposes[name].basis for name in rule.purposes if name in purposes}
    for name, basis in bases.items():
        if basis not in (Basis.LEGAL_OBLIGATION, Basis.CONSENT):
            hint = "legal_obligation; or consent, which then needs its own yes"
            table.fault("purposes", f"{name} has basis {basis.value}, which demands no recording", hint)
    if bases and Basis.LEGAL_OBLIGATION not in bases.values():
        hint = "name the purpose for which a law demands the recording"
        table.fault("purposes", "none has basis legal_obligation", hint)


def _check_locks(table: Table, rule: Rule, purposes: Mapping[str, Purpose]) -> None:
    """What the vault locks cannot be destroyed, nor be set aside for that."""
    locked = [name for name in rule.purposes if name in purposes and purposes[name].lock is not Lock.NONE]
    if not locked or rule.consent is ConsentMode.STATUTORY or rule.on_withdrawal is OnWithdrawal.KEEP:
        return
    act = "destroyed" if rule.on_withdrawal is OnWithdrawal.DESTROY else "set aside"
    hint = 'on_withdrawal = "keep", or consent = "statutory": what was stored before a no is locked'
    table.fault("on_withdrawal", f"what {locked[0]} has locked cannot be {act}", hint)


def _check_question(table: Table, rule: Rule, reach: set[ConsentMode]) -> None:
    ask = rule.ask
    asking = reach & {ConsentMode.OPT_OUT, ConsentMode.OPT_IN}
    if ask is None:
        if rule.consent in (ConsentMode.NOTICE, ConsentMode.OPT_OUT, ConsentMode.OPT_IN):
            table.fault("ask", f"is missing, {rule.consent.value} needs its prompt", "ask = { prompt = … }")
        return
    if not asking and not reach & {ConsentMode.NOTICE, ConsentMode.STATUTORY}:
        table.fault("ask", f"has no effect under {rule.consent.value}", "leave it out")
        return
    if rule.consent is ConsentMode.OPT_IN and not ask.yes:
        table.fault("ask.yes", "is missing, opt_in needs an active yes", 'yes = "1"')
    if rule.consent is ConsentMode.OPT_OUT and not ask.no:
        table.fault("ask.no", "is missing, opt_out needs a key to decline", 'no = "2"')
    if not asking:
        for key in ("yes", "no", "timeout"):
            if key in _ask_source(table):
                mode = rule.consent if rule.consent is ConsentMode.STATUTORY else ConsentMode.NOTICE
                table.fault(f"ask.{key}", f"has no effect under {mode.value}", "a notice asks nothing")


def _ask_source(table: Table) -> Mapping[str, object]:
    source = table.source.get("ask")
    return source if isinstance(source, dict) else {}


def check_order(tables: list[Table], rules: list[Rule], has_default: bool, top: Table) -> None:
    """Every name once, one rule for every call, none that can never be reached."""
    seen: dict[str, int] = {}
    for number, (table, rule) in enumerate(zip(tables, rules, strict=True), 1):
        if rule.name and rule.name in seen:
            table.fault("name", f"is the same as of rule[{seen[rule.name]}]", "decisions name their rule")
        seen.setdefault(rule.name, number)
    open_to_all = [
        number
        for number, (table, rule) in enumerate(zip(tables, rules, strict=True), 1)
        if rule.when == When() and not table.faults.touches(table.at("when"))
    ]
    if not open_to_all and not has_default:
        hint = 'end with a rule without `when`, or write default = "never" at the top'
        top.fault("rule", "no rule matches every call", hint)
    elif open_to_all and open_to_all[0] < len(rules):
        after = open_to_all[0] + 1
        top.fault(f"rule[{after}]", f"is never reached: rule[{after - 1}] matches every call", "move it up")
    elif open_to_all and has_default:
        top.fault("default", f"is never reached: rule[{open_to_all[0]}] matches every call", "leave one out")
