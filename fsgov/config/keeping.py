"""Whether the configured vaults can keep recordings as a policy wants: locked, and in no wrong country."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from fsgov.config.settings import VaultSettings
from fsgov.policy import Lock, Policy, RecordMode, Rule
from fsgov.policy.reading import Faults


def check_keeping(policy: Policy, vaults: Mapping[str, VaultSettings]) -> None:
    """Raise BadConfiguration with every rule whose vault, or a replica of it, cannot. Nothing is tried."""
    faults = Faults()
    for number, rule in enumerate(policy.rules, 1):
        if rule.record is not RecordMode.NEVER:
            for fault, hint in _faults(policy, rule, places(rule, vaults)):
                faults.add(f"rule[{number}].vault", fault, hint)
    faults.raise_any(f"The policy {policy.version}", "the policy and the configuration must agree")


def locks(policy: Policy, rule: Rule) -> Lock:
    """The strongest lock that some purpose of this rule wants."""
    wanted = [policy.purposes[name].lock for name in rule.purposes if name in policy.purposes]
    return max(wanted, key=lambda lock: lock.rank, default=Lock.NONE)


def places(rule: Rule, vaults: Mapping[str, VaultSettings]) -> list[VaultSettings]:
    """The vault of a rule and its replicas."""
    own = [each for each in vaults.values() if not each.replica_of]
    name = rule.vault or (own[0].name if len(own) == 1 else "")
    return [each for each in vaults.values() if name and name in (each.name, each.replica_of)]


def _faults(policy: Policy, rule: Rule, where: list[VaultSettings]) -> Iterator[tuple[str, str]]:
    lock = locks(policy, rule)
    for vault in where:
        if lock is not Lock.NONE and vault.url.startswith("file:"):
            yield (
                f"{vault.name} is a directory, which locks nothing ({lock.value})",
                "an s3:// vault with object lock",
            )
        if not vault.by_store:
            continue
        home = next((each.region for each in where if each.name == vault.replica_of), "")
        for country, regions in sorted(policy.bounds.residency.items()):
            if home in regions and vault.region not in regions:
                place = vault.region or "nobody says where"
                yield (
                    f"{vault.name} ({place}) has copies of all, calls with {country} may not be kept there",
                    'another replica, or replicated_by = "keep", which leaves those out',
                )
