"""What a dialplan does with a call for which fsgov gives no answer: the failure mode of each number.

Only the number that was dialled is known there. A rule with `on_failure = "hangup"` that may govern it
counts, also where its other conditions cannot be looked at; one that goes on (under `announce` after its
caller has been told) counts only where it certainly governs the number. So no call that must not go on
unrecorded does; otherwise the rules hold in their order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from fsgov.policy.document import Numbers, Rule, When
from fsgov.policy.numbers import Pattern, calling_code, prefixes
from fsgov.policy.terms import OnFailure, RecordMode
from fsgov.policy.version import Policy

HANGUP = "hangup"
CONTINUE = "continue"
ANNOUNCE = "announce"
CAUSE = "NORMAL_TEMPORARY_FAILURE"
LONG = "(?=[0-9]{7})"
"""At home a number has seven digits at least; what has fewer is an extension, without a country."""
SAFE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 _.+:-")


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """The mode of the numbers that fit `expression` and none before it."""

    rule: str
    mode: str
    prompt: str = ""
    """What the caller is told under `ANNOUNCE`, as the switch sees it."""
    expression: str
    """A regular expression over the number as dialled; "" for every number."""


def failures(policy: Policy, regions: Iterable[str]) -> list[Failure]:
    """In their order; the first that fits counts.

    regions: of the tenants, ISO 3166 alpha-2: how numbers without + are dialled.
    """
    known = tuple(sorted({region for region in regions if region}))
    found = []
    for number, rule in enumerate(policy.rules, 1):
        hangs = _hangs(rule)
        narrow = known if hangs or len(known) == 1 else ()
        expression = _expression(rule.when.dialled, narrow, sure=not hangs)
        if expression is None or not (hangs or _certain(rule.when)):
            continue
        prompt = policy.prompts[rule.announce].switch_file if _announces(rule) else ""
        mode = HANGUP if hangs else ANNOUNCE if prompt else CONTINUE
        found.append(Failure(rule=f"{number}: {rule.name}", mode=mode, prompt=prompt, expression=expression))
        if not expression:
            return found
    return [*found, Failure(rule="otherwise", mode=CONTINUE, expression="")]


def dialplan(policy: Policy, regions: Iterable[str]) -> str:
    """The same as a context of FreeSWITCH's dialplan; equal input gives equal text."""
    lines = [
        "<include>",
        "  <!-- Written by `fsgov policy export-dialplan`: what becomes of a call at the gate when fsgov",
        f"       does not answer. Policy {policy.sha256}. Write it anew when the policy changes. -->",
        '  <context name="fsgov_failure">',
    ]
    for failure in failures(policy, regions):
        lines.append(f'    <extension name="{_quoted(f"fsgov failure, rule {failure.rule}")}">')
        lines.append('      <condition field="destination_number" expression="^ask$"/>')
        fit = f' field="${{fsgov_dialled}}" expression="{failure.expression}"' if failure.expression else ""
        lines.append(f"      <condition{fit}>")
        if failure.mode == HANGUP:
            lines.append(f'        <action application="hangup" data="{CAUSE}"/>')
        elif failure.mode == ANNOUNCE:
            lines.append('        <action application="answer"/>')
            lines.append(f'        <action application="playback" data="{failure.prompt}"/>')
            lines.append('        <action application="set" data="fsgov_action=announced"/>')
        else:
            lines.append('        <action application="set" data="fsgov_action=failed"/>')
        lines += ["      </condition>", "    </extension>"]
    return "\n".join([*lines, "  </context>", "</include>", ""])


def _hangs(rule: Rule) -> bool:
    """Whether a call under this rule must not go on unrecorded; a sample may have meant this call."""
    wanted = rule.record in (RecordMode.ALWAYS, RecordMode.SAMPLE)
    return wanted and rule.on_failure is OnFailure.HANGUP


def _announces(rule: Rule) -> bool:
    """Whether every call under this rule would be told that it is not recorded."""
    return rule.record is RecordMode.ALWAYS and rule.on_failure is OnFailure.ANNOUNCE


def _certain(when: When) -> bool:
    """No condition but the number that was dialled."""
    return replace(when, dialled=None) == When()


def _expression(want: Numbers | None, regions: tuple[str, ...], *, sure: bool) -> str | None:
    """Empty where every number fits, None where it cannot be told by the number."""
    if want is None:
        return ""
    forms = [form for pattern in want.patterns for form in _forms(pattern, regions)]
    for country in sorted(want.countries):
        code, shared = calling_code(country[:2])
        if sure and shared:
            return None
        forms += _forms(Pattern(f"+{code}", True, True), regions)
    return f"^(?:{'|'.join(dict.fromkeys(forms))})"


def _forms(pattern: Pattern, regions: tuple[str, ...]) -> Iterator[str]:
    """How the numbers of a pattern may be dialled."""
    end = "" if pattern.prefix else "$"
    if not pattern.international:
        yield _literal(pattern.text) + end
        return
    digits = pattern.text[1:]
    yield rf"\+{digits}{end}"
    for region in regions:
        code, abroad, trunk = prefixes(region)
        yield f"(?:{abroad}){digits}{end}"
        home = f"(?!{abroad}){LONG}(?:{trunk})?" if trunk else f"(?!{abroad}){LONG}"
        if digits.startswith(code):
            yield f"{home}{digits[len(code) :]}{end}"
        elif pattern.prefix and code.startswith(digits):
            yield home


def _literal(text: str) -> str:
    return "".join(f"\\{c}" if c in ".*+" else c for c in text)


def _quoted(name: str) -> str:
    """A rule's name in an attribute; the switch's preprocessor must find nothing of its own in it either."""
    return "".join(c if c in SAFE else f"&#{ord(c)};" for c in name)
