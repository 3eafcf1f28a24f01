"""Everything that is found in a policy whose every key is well formed. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from fsgov.policy import raising, reach
from fsgov.policy.finding import Finding, Severity
from fsgov.policy.reading import nearest
from fsgov.policy.version import Policy

__all__ = ["Finding", "Severity", "findings"]


def findings(policy: Policy, tenants: Collection[str] | None = None) -> list[Finding]:
    """Rules that are never reached, that contradict each other, that a floor takes beyond their question.

    tenants: those of the configuration; None: not known here.
    """
    found = [*reach.findings(policy.rules), *raising.findings(policy)]
    if tenants is not None:
        found += _of_tenants(policy, {*tenants, "default"})
    return found


def _of_tenants(policy: Policy, tenants: Collection[str]) -> Iterator[Finding]:
    for number, rule in enumerate(policy.rules, 1):
        for name in sorted(rule.when.tenant.difference(tenants)):
            yield Finding(
                severity=Severity.WARNING,
                kind="unreachable",
                path=f"rule[{number}].when.tenant",
                rule=rule.name,
                message=f"there is no [tenant.{name}] in this configuration",
                hint=nearest(name, tenants),
            )
