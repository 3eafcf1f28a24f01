"""What is said of a policy before it may be in force: its findings, and its own tests."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fsgov.errors import BadConfiguration

if TYPE_CHECKING:
    from fsgov.policy import Policy
    from fsgov.policy.finding import Finding
    from fsgov.policy.trials import Failure

LINES = 20
"""Warnings that are told; of ten thousand rules there may be thousands, and --json has them all."""


@dataclass(frozen=True, slots=True)
class Review:
    """Faults refuse the policy, as do tests that do not come out; warnings are told."""

    findings: tuple[Finding, ...]
    failures: tuple[Failure, ...]

    @staticmethod
    def of(policy: Policy, tenants: Collection[str] | None = None) -> Review:
        from fsgov.policy import run_tests
        from fsgov.policy.findings import findings

        return Review(tuple(findings(policy, tenants)), tuple(run_tests(policy)))

    @property
    def warnings(self) -> list[Finding]:
        return [each for each in self.findings if each.severity.value == "warning"]

    def warn(self, tell: Callable[[str], object]) -> None:
        """Tell the warnings, a line each."""
        for warning in self.warnings[:LINES]:
            tell(f"warning: {warning}")
        if len(self.warnings) > LINES:
            tell(f"warning: and {len(self.warnings) - LINES} more (fsgov policy check --json)")

    def raise_any(self, version: str, *, strict: bool = False) -> None:
        """Raise BadConfiguration with every fault and every test that does not come out."""
        what = "finding" if strict else "fault"
        wrong = [str(each) for each in self.findings if strict or each.severity.value == "fault"]
        if wrong:
            count = f"{len(wrong)} {what}{'s' * (len(wrong) != 1)}"
            lines = [*wrong, *(f"test {failure}" for failure in self.failures)]
            hint = "docs/policy.md says how rules are tried, and who is asked"
            raise BadConfiguration(f"The policy {version} has {count}", "\n".join(lines), hint)
        if self.failures:
            raise tests_fail(self.failures)


def tests_fail(failures: Sequence[Failure]) -> BadConfiguration:
    """What is said of a policy whose own tests do not come out."""
    hint = "mend the rules, or the tests"
    return BadConfiguration("The policy's own tests fail", "\n".join(map(str, failures)), hint)
