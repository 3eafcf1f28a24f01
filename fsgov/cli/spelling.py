"""A person's numbers as people write them, in the forms that rows may have."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from fsgov.errors import BadUsage

if TYPE_CHECKING:
    from fsgov.config import Settings

WRITTEN = re.compile(r"[+0-9 ()./-]+")
BETWEEN = str.maketrans("", "", " ()./-")
TEL = re.compile(r"tel:([^;?]+)((?:;[^?]*)?)", re.IGNORECASE)
"""RFC 3966: global (`tel:+49-30-12345`), or local with a context (`tel:12345;phone-context=+49-30`)."""
CONTEXT = re.compile(r";phone-context=(\+[0-9().-]+)", re.IGNORECASE)
SIP = re.compile(r"sips?:([^@;:]+)[@;:].*", re.IGNORECASE)
NOBODYS = ("anonymous", "withheld", "private", "unknown", "restricted", "unavailable", "blocked")
"""What stands where a caller has no number, as the database has them (`fsgov.nobodys`)."""


def region_of(settings: Settings, tenant: str | None) -> str:
    """The region of this tenant, or the one that all tenants have; "" where nothing says it."""
    if tenant and tenant in settings.tenants:
        return settings.tenants[tenant].region
    regions = {each.region for each in settings.tenants.values()}
    return regions.pop() if len(regions) == 1 else ""


def numbers_of(who: Sequence[str], region: str) -> list[str]:
    """Every form of these numbers that a row may have. region: how a number without + or 00 is read.

    As it is written, without what is only written between digits; with + and with 00. Nothing is guessed
    beyond that: what only looks alike may be somebody else's. Raises BadUsage.
    """
    return list(dict.fromkeys(form for each in who for form in _forms(each, region)))


def _forms(text: str, region: str) -> Iterator[str]:
    from fsgov.policy.numbers import e164

    number = _plain(text.strip())
    if number.lower() in NOBODYS or not re.search(r"[1-9A-Za-z]", number):
        hint = "a number, or --crm: who calls without a number is told apart by nothing"
        raise BadUsage("This is nobody's number", repr(text[:40]), hint)
    yield number
    international = "+" + number[2:] if number.startswith("00") else e164(number, region)
    if international:
        yield international
        yield "00" + international[1:]


def _plain(text: str) -> str:
    """Without what addresses it (`tel:`, `sip:`), and what is only written between digits."""
    if found := TEL.fullmatch(text):
        context = CONTEXT.search(found[2])
        text = (context[1] if context and not found[1].startswith("+") else "") + found[1]
    elif found := SIP.fullmatch(text):
        text = found[1]
    return text.translate(BETWEEN) if WRITTEN.fullmatch(text) else text
