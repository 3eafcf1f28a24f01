"""What laws bind beyond consent: record modes and vaults by country, retention by kind, pauses, languages.

Each bound names its law, so that a fault can. Where several laws bind the same thing, all of them do.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from fsgov.policy.document import Law, Prompt, Purpose, Rule
from fsgov.policy.reading import Table, nearest
from fsgov.policy.terms import RecordMode

NO_KIND = "none"
"""What a purpose says whose name is that of a kind, and which is none."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """The laws that a policy includes, as overridden; and where its vaults are."""

    laws: tuple[Law, ...] = ()
    residency: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Country -> regions of vaults that may hold a call with a party of it."""
    records: Mapping[str, frozenset[RecordMode]] = field(default_factory=dict)
    """Country -> record modes that a call with a party of it may have, beside never."""
    regions: Mapping[str, str] = field(default_factory=dict)
    """Vault -> where it is, as the policy says and the configuration confirms."""

    @staticmethod
    def of(laws: Iterable[Law], own: Mapping[str, frozenset[str]], regions: Mapping[str, str]) -> Bounds:
        kept = tuple(laws)
        residency, records = dict(own), dict[str, frozenset[RecordMode]]()
        for law in kept:
            for country, places in law.residency.items():
                residency[country] = residency.get(country, places) & places
            for country, modes in law.records.items():
                records[country] = records.get(country, modes) & modes
        return Bounds(laws=kept, residency=residency, records=records, regions=regions)

    @property
    def kinds(self) -> frozenset[str]:
        """Kinds of purposes that some law speaks of."""
        return frozenset(kind for law in self.laws for kind in (*law.retention, *law.languages))

    def curbed(self, rule: Rule, countries: Iterable[str]) -> tuple[RecordMode, tuple[str, ...]]:
        """How a call with parties of these countries may be recorded, and what that takes from the rule."""
        mode, curbs = rule.record, list[str]()
        if mode is RecordMode.NEVER or not (self.records or self.residency):
            return mode, ()
        for country in sorted(countries):
            allowed = self.records.get(country)
            if allowed is not None and mode not in (*allowed, RecordMode.NEVER):
                lower = RecordMode.ON_DEMAND if RecordMode.ON_DEMAND in allowed else RecordMode.NEVER
                curbs.append(f"{country}: record {mode.value} becomes {lower.value}")
                mode = lower
            regions, region = self.residency.get(country), self.regions.get(rule.vault, "")
            if regions is not None and region not in regions:
                curbs.append(f"{country}: not kept in vault {rule.vault} ({region or 'nobody says where'})")
                mode = RecordMode.NEVER
        return mode, tuple(curbs)

    def against(
        self, countries: Collection[str], unknown: bool, source: str, target: str, regions: Mapping[str, str]
    ) -> tuple[str, ...]:
        """Why a recording with parties of these countries may not go from one vault into another.

        unknown: somebody's country is not known; it may be any whose calls may be where this one is. regions:
        where the vaults are, by the configuration.
        """
        found = list[str]()
        region, said = regions.get(target, ""), self.regions.get(target, "")
        if said and region != said:
            found.append(
                f"vault {target} is {said} by the policy, {region or 'nowhere'} by the configuration"
            )
        here = regions.get(source, "") or self.regions.get(source, "")
        for country, places in sorted(self.residency.items()):
            concerned = country in countries or (unknown and here in places)
            if concerned and region not in places:
                found.append(f"{country}: not kept in vault {target} ({region or 'nobody says where'})")
        return tuple(found)

    def paused(self, table: Table, rule: Rule) -> Rule:
        """The rule with the longest pause that the laws allow; a fault where it says more itself."""
        longest = min((law.pause_max for law in self.laws if law.pause_max is not None), default=None)
        for law in self.laws:
            if law.pause_max is not None and rule.pause.max is not None and rule.pause.max > law.pause_max:
                table.fault(
                    "pause.max", f"is longer than {law.name} allows", "or override pause.max of the law"
                )
            if law.pause_at_max not in (None, rule.pause.at_max):
                message = f"is not what {law.name} allows"
                table.fault("pause.at_max", message, "or override pause.at_max of the law")
        if longest is None or rule.pause.max is not None:
            return rule
        return replace(rule, pause=replace(rule.pause, max=longest))

    def check_rule(
        self, table: Table, rule: Rule, purposes: Mapping[str, Purpose], prompts: Mapping[str, Prompt]
    ) -> None:
        """Report what a rule that records must say for these laws to be carried out."""
        if self.residency and not table.faults.touches(table.at("vault")):
            where = ", ".join(sorted(self.residency))
            if not rule.vault:
                message = f"is missing, calls with {where} may not be kept everywhere"
                table.fault("vault", message, 'vault = "eu"')
            elif rule.vault not in self.regions:
                message = f"nobody says where {rule.vault} is, calls with {where} may not be kept everywhere"
                table.fault("vault", message, f'[vault.{rule.vault}] region = "DE"')
        prompt = None if rule.ask is None else prompts.get(rule.ask.prompt)
        kinds = {purposes[name].kind for name in rule.purposes if name in purposes}
        for law in self.laws:
            if prompt is not None and not prompt.language and not kinds.isdisjoint(law.languages):
                hint = f'[prompt.{prompt.name}] language = "en"'
                table.fault("ask.prompt", f"{prompt.name} names no language, {law.name} asks for it", hint)

    def check_purpose(self, table: Table, purpose: Purpose) -> None:
        """Report where a purpose keeps recordings for shorter or longer than a law has it for its kind."""
        if table.has("kind") and purpose.kind not in (*self.kinds, NO_KIND):
            message = f"{purpose.kind!r} is no kind that an included law speaks of"
            table.fault("kind", message, nearest(purpose.kind, [*self.kinds, NO_KIND]))
        looked_at = ("retain_min", "retain_max", "anchor", "lock")
        if any(table.faults.touches(table.at(key)) for key in looked_at):
            return
        for law in self.laws:
            for key, message in _faults(law, purpose):
                hint = f"or override retain.{purpose.kind} of the law, with the reason"
                table.fault(key, f"{message} of {law.name} for the kind {purpose.kind}", hint)

    def check_use(self, top: Table, purposes: Iterable[Purpose]) -> None:
        """Report laws that bind nothing here: they speak of purposes only, and of none that there is."""
        kinds = {purpose.kind for purpose in purposes}
        for law in self.laws:
            own = {*law.retention, *law.languages}
            if law.only_kinds and own and own.isdisjoint(kinds):
                hint = f'[purpose.NAME] kind = "{min(own)}"'
                top.fault("include", f"{law.name} binds nothing: no purpose is of its kind", hint)


def _faults(law: Law, purpose: Purpose) -> Iterator[tuple[str, str]]:
    bound = law.retention.get(purpose.kind)
    if bound is None:
        return
    if purpose.anchor.event != bound.anchor:
        yield "anchor", f"is not the {bound.anchor}"
        return
    if bound.least is not None and not bound.least.never_longer_than(purpose.retain_min):
        yield "retain_min", f"can be shorter than the {bound.least}"
    if purpose.lock.rank < bound.lock.rank:
        yield "lock", f"is weaker than the {bound.lock.value}"
    longest = purpose.anchor.plus + purpose.retain_max
    if bound.most is not None and not longest.never_longer_than(bound.most):
        yield "retain_max", f"can be longer than the {bound.most}"
