"""From the text of a policy to one immutable version, or to every fault at once.

Loading looks at the world once (prompt files, law packs) and writes what it found under `[loaded]` at the end
of the text. That text is what is hashed, stored and replayed: it needs nothing else to mean the same again.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping

from fsgov.policy import laws
from fsgov.policy.anchors import read_anchors
from fsgov.policy.bounds import Bounds
from fsgov.policy.coherence import check_order, check_rule
from fsgov.policy.conditions import QUEUE
from fsgov.policy.deciding import UNASKED
from fsgov.policy.document import Law, Prompt, Purpose, Rule, When
from fsgov.policy.floors import floors as floors_of
from fsgov.policy.laws import inline
from fsgov.policy.prompts import FindPrompt, read_prompt
from fsgov.policy.purposes import read_purpose
from fsgov.policy.reading import Faults, Table, document, nearest
from fsgov.policy.rules import check_names, read_rule
from fsgov.policy.terms import Approval, Basis, ConsentMode, OnLookupFailure, RecordMode
from fsgov.policy.trials import read_trial
from fsgov.policy.version import Policy
from fsgov.policy.when import check_country
from fsgov.policy.windows import read_holidays

VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z._+-]{0,63}")
TIMEZONE = re.compile(r"[A-Za-z]+(?:/[A-Za-z0-9_+-]+)*")
HEADING = "# What fsgov found when it loaded this policy. Part of the hashed text; never written by hand.\n"


def parse(
    text: str,
    where: str = "policy",
    *,
    prompts: FindPrompt | None = None,
    packs: Mapping[str, str] | None = None,
) -> Policy:
    """The policy a text writes; raises BadConfiguration with every fault and its key path.

    where: what faults call the text. prompts, packs: given when a policy is being loaded from its file;
    without them the text is a complete one, as `Policy.text` holds it.
    """
    faults = Faults()
    source = document(text, f"The policy {where}")
    top = Table(source, "", faults)
    loading = prompts is not None or packs is not None
    if loading and top.has("loaded"):
        top.fault("loaded", "is written by fsgov", "remove it and what follows its heading")
    found_prompts, found_laws = _loaded(top) if not loading else ({}, {})
    included, overrides = laws.include(top, packs or {} if loading else None, found_laws)
    floors, default_floor = floors_of(top, included)
    bounds = Bounds.of(included.values(), laws.read_residency(top), _regions(top))
    purposes = {name: read_purpose(name, table, bounds) for name, table in top.named_tables("purpose")}
    bounds.check_use(top, purposes.values())
    anchors = read_anchors(top, purposes.values())
    known_prompts = {
        name: read_prompt(name, table, prompts, found_prompts.get(name))
        for name, table in top.named_tables("prompt")
    }
    holidays = read_holidays(top)
    rules = _rules(top, purposes, known_prompts, {*floors.values(), default_floor}, bounds)
    version = top.text("version", needed="a name for this version, such as its date")
    if version and not VERSION.fullmatch(version):
        top.fault("version", f"{version!r} is no name of a version", "letters, digits, . _ + -")
    timezone = top.text("timezone", needed="Europe/Berlin, UTC: where calendar days begin")
    if timezone and not TIMEZONE.fullmatch(timezone):
        top.fault("timezone", f"{timezone!r} is no time zone", "Area/City as in Europe/Berlin")
    approval = top.choice("approval", Approval, Approval.NONE)
    on_lookup_failure = top.choice("on_lookup_failure", OnLookupFailure, OnLookupFailure.STRICTEST)
    trials = tuple(read_trial(table) for table in top.listed_tables("test"))
    top.end()
    faults.raise_any(f"The policy {where}", "fsgov policy check shows them; docs/policy.md lists every key")
    complete = _complete(text, known_prompts, included) if loading else text
    return Policy(
        version=version,
        sha256=hashlib.sha256(complete.encode()).hexdigest(),
        text=complete,
        timezone=timezone,
        holidays=holidays,
        approval=approval,
        on_lookup_failure=on_lookup_failure,
        rules=rules,
        purposes=purposes,
        prompts=known_prompts,
        laws=included,
        overrides=overrides,
        bounds=bounds,
        floors=floors,
        default_floor=default_floor,
        trials=trials,
        names_of_variables=frozenset(name for rule in rules for name in _variables(rule.when)),
        names_of_facts=frozenset(name for rule in rules for name in rule.when.crm),
        anchors=anchors,
        looks_up=bool(anchors) or any(rule.when.crm or _asks_crm(rule, purposes) for rule in rules),
    )


def _variables(when: When) -> Iterator[str]:
    """The channel variables that conditions look at."""
    yield from when.variables
    if when.queue:
        yield QUEUE


def _asks_crm(rule: Rule, purposes: Mapping[str, Purpose]) -> bool:
    """What the CRM holds may be a consent that the rule needs, though nobody is asked."""
    by_consent = any(purposes[name].basis is Basis.CONSENT for name in rule.purposes)
    return rule.consent is ConsentMode.ON_FILE or (rule.consent is ConsentMode.STATUTORY and by_consent)


def _rules(
    top: Table,
    purposes: Mapping[str, Purpose],
    prompts: Mapping[str, Prompt],
    floors: set[ConsentMode],
    bounds: Bounds,
) -> tuple[Rule, ...]:
    tables = list(top.listed_tables("rule"))
    rules = [read_rule(table) for table in tables]
    default = top.text("default")
    if default and default != RecordMode.NEVER.value:
        top.fault("default", f"{default!r} cannot be the default", "never, or a last rule without `when`")
    check_order(tables, rules, bool(default), top)
    for place, (table, rule) in enumerate(zip(tables, rules, strict=True)):
        if rule.record is not RecordMode.NEVER:
            rules[place] = bounds.paused(table, rule)
            bounds.check_rule(table, rule, purposes, prompts)
        check_names(table, rule, {"purpose": purposes, "prompt": prompts})
        check_rule(table, rule, purposes, floors)
        if rule.name == UNASKED.name:
            table.fault("name", "is what decides where the CRM cannot be asked", "give it another name")
        if any(window.holidays is not None for window in rule.when.time) and not top.has("holidays"):
            hint = 'holidays = ["2026-12-25"] at the top'
            table.fault("when.time", "looks at holidays, but there are none", hint)
    if default:
        rules.append(Rule(name="default", record=RecordMode.NEVER))
    return tuple(rules)


def _regions(top: Table) -> dict[str, str]:
    """`[vault.NAME] region`: where the vaults are that rules name."""
    found = {}
    for name, table in top.named_tables("vault"):
        found[name] = table.text("region", needed="the country it is in: DE")
        if found[name]:
            check_country(found[name], table.at("region"), table)
        table.end()
    return found


def _loaded(top: Table) -> tuple[dict[str, Table], dict[str, Law]]:
    loaded = top.table("loaded")
    if loaded is None:
        return {}, {}
    found_laws = {}
    for name, table in loaded.named_tables("law"):
        found_laws[name] = laws.read_law(name, table)
        table.end()
    prompts = dict(loaded.named_tables("prompt"))
    declared = top.source.get("prompt")
    names = set(declared) if isinstance(declared, dict) else set()
    for name, table in prompts.items():
        if name not in names:
            top.faults.add(table.path, "is of no prompt of this policy", nearest(name, names))
    loaded.end()
    return prompts, found_laws


def _complete(text: str, prompts: Mapping[str, Prompt], included: Mapping[str, Law]) -> str:
    """The text with what was found; as it is where there was nothing to look at."""
    lines = []
    for name, prompt in prompts.items():
        facts = prompt.facts
        lines += [f"[loaded.prompt.{name}]", f"file = {inline(facts.file)}"]
        lines += [f"samples = {facts.samples}", f"rate = {facts.rate}", f"sha256 = {inline(facts.sha256)}"]
    for name, law in included.items():
        lines += [f"[loaded.law.{inline(name)}]", law.text.rstrip("\n")]
    if not lines:
        return text
    return text + ("" if text.endswith("\n") else "\n") + "\n" + HEADING + "\n".join(lines) + "\n"
