"""Telephone numbers: their one international form, the country they tell, and patterns over them.

A pattern with + is about the international form, one without about the number as the switch gave it
(extensions, feature codes). A `*` at the end makes it a prefix.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat, ValidationResult

DIALLABLE = re.compile(r"\+?[0-9 ()./-]{2,32}")
INTERNATIONAL = re.compile(r"\+[0-9]{0,15}")
AS_GIVEN = re.compile(r"[*#]?[0-9A-Za-z._#-]{1,64}")
REMEMBERED = 4096
"""Numbers whose form and country are kept: parsing one takes longer than all the rest of a decision."""
SEPARATORS = str.maketrans("", "", " ()./-")


@lru_cache(REMEMBERED)
def e164(number: str, region: str = "") -> str:
    """`+4930…` for a number as somebody wrote or sent it, "" where it has no such form.

    region: ISO 3166, how a number without + is read (in `US-NY` as in `US`; "": only numbers with + have a
    form). A number without + must be a valid one of its region: an extension `1001` is none.
    """
    if not DIALLABLE.fullmatch(number):
        return ""
    try:
        parsed = phonenumbers.parse(number, region[:2] or None)
    except NumberParseException:
        return ""
    if number.startswith("+"):
        fits = phonenumbers.is_possible_number_with_reason(parsed) == ValidationResult.IS_POSSIBLE
    else:
        fits = phonenumbers.is_valid_number(parsed)
    return phonenumbers.format_number(parsed, PhoneNumberFormat.E164) if fits else ""


@lru_cache(REMEMBERED)
def country(number: str) -> str:
    """ISO 3166 alpha-2 of an international number; "" where it tells none (satellite, freephone, not one).

    Where several countries share a calling code and the number is in none of their plans, the main one.
    """
    if not number.startswith("+"):
        return ""
    try:
        parsed = phonenumbers.parse(number)
    except NumberParseException:
        return ""
    found = phonenumbers.region_code_for_number(parsed)
    if found is None and parsed.country_code is not None:
        found = phonenumbers.region_code_for_country_code(parsed.country_code)
    return found if found in phonenumbers.SUPPORTED_REGIONS else ""


@lru_cache(REMEMBERED)
def country_of_all(prefix: str) -> str:
    """The country that every number with this beginning has; "" where they may have several."""
    for end in range(2, min(5, len(prefix) + 1)):
        regions = phonenumbers.region_codes_for_country_code(int(prefix[1:end]))
        if regions:
            alone = len(regions) == 1 and regions[0] in phonenumbers.SUPPORTED_REGIONS
            return str(regions[0]) if alone else ""
    return ""


def is_country(code: str) -> bool:
    """Whether this is an ISO 3166 alpha-2 code that numbers can tell."""
    return code in phonenumbers.SUPPORTED_REGIONS


def calling_code(region: str) -> tuple[str, bool]:
    """The calling code of a country, without +, and whether other countries have it as well."""
    code = phonenumbers.country_code_for_region(region)
    return str(code), len(phonenumbers.region_codes_for_country_code(code)) > 1


def prefixes(region: str) -> tuple[str, str, str]:
    """Calling code; what is dialled before a number abroad (an expression), and before one at home."""
    plan = phonenumbers.PhoneMetadata.metadata_for_region(region[:2])
    if plan is None:
        return "", "", ""
    return str(plan.country_code), plan.international_prefix or "00", plan.national_prefix or ""


@dataclass(frozen=True, slots=True)
class Pattern:
    """One pattern over numbers: `international` says which form it is about."""

    text: str
    prefix: bool
    international: bool

    def fits(self, given: str, international: str) -> bool:
        number = international if self.international else given
        return number.startswith(self.text) if self.prefix else number == self.text


def pattern(text: str) -> Pattern | None:
    """The pattern that a text writes; None when it is not one."""
    prefix = len(text) > 1 and text.endswith("*")
    body = text[:-1] if prefix else text
    if body.startswith("+"):
        body = body.translate(SEPARATORS) if prefix else e164(body)
        return Pattern(body, prefix, True) if INTERNATIONAL.fullmatch(body) else None
    return Pattern(body, prefix, False) if AS_GIVEN.fullmatch(body) else None
