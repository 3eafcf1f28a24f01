"""The gate in the switch's dialplan: there, where the policy has rules that count on it, and up to date."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from fsgov.checks.event_socket import Asked
from fsgov.checks.finding import Finding, ok, warning
from fsgov.config import Settings
from fsgov.errors import BadConfiguration, FsgovError
from fsgov.policy.failing import dialplan

CONTEXTS = ("fsgov", "fsgov_go", "fsgov_notice", "fsgov_opt_out", "fsgov_opt_in")
FAILURE = "fsgov_failure"


def gate(asked: Asked, settings: Settings) -> Iterator[Finding]:
    """Asks the switch for its contexts, which it has read; that calls are sent there it cannot tell.

    Raises BadConfiguration.
    """
    from fsgov import config

    try:
        policy = config.load_policy(settings.policy.file, settings.regions)
    except FsgovError:
        return  # the line of the policy says so
    needed = [rule.name for rule in policy.rules if rule.gate]
    missing = [name for name in CONTEXTS if context(asked, name) is None]
    if len(missing) == len(CONTEXTS) and not needed:
        yield ok("switch.gate", "not there, and no rule counts on it")
        return
    if missing and needed:
        hint = "include the files of dialplans/ as their README says, then: reloadxml"
        detail = f"{', '.join(missing)}; needed by {', '.join(needed[:5])}"
        raise BadConfiguration("the dialplan of the switch lacks the gate", detail, hint)
    written = ElementTree.fromstring(dialplan(policy, [each.region for each in settings.tenants.values()]))  # noqa: S314 - our own
    there = context(asked, FAILURE)
    hint = "fsgov policy export-dialplan > fsgov_failure.xml, beside gate.xml; then: reloadxml"
    if there is None:
        words = "a call that fsgov does not answer goes on, unrecorded, whatever its rule says"
        yield warning("switch.gate", words, f"the dialplan has no context {FAILURE}", hint)
    elif _plain(there) != _plain(written[0]):
        yield warning(
            "switch.gate", "the failure modes in the dialplan are those of another policy", hint=hint
        )
    else:
        yield ok("switch.gate", f"the gate is there, with the failure modes of {policy.version}")


def context(asked: Asked, name: str) -> Element | None:
    """A context of the dialplan as the switch has read it."""
    said = asked.api(f"xml_locate dialplan context name {name}")
    try:
        found = ElementTree.fromstring(said)  # noqa: S314 - of the switch that we command
    except ElementTree.ParseError:
        return None
    return found if found.tag == "context" and found.get("name") == name else None


def _plain(element: Element) -> object:
    """What it says, without its blanks and comments."""
    return element.tag, sorted(element.items()), [_plain(each) for each in element]
