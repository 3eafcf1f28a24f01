"""Everything a decision rests on, as one frozen value that survives JSON unchanged."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from json.encoder import encode_basestring as text
from typing import Any

from fsgov.errors import Damaged
from fsgov.events import Instant
from fsgov.policy import areas, numbers
from fsgov.policy.terms import CallDirection, Side

ENCODE = json.JSONEncoder(ensure_ascii=False, check_circular=False).encode


Places = tuple[str, str]
"""Country and state of a number (`US`, `US-CA`), "" where it tells none."""


def places(e164: str) -> Places:
    """What an international number tells now."""
    return numbers.country(e164), areas.state(e164)


def _places(source: Mapping[str, Any], name: str) -> Places:
    stored = source.get(f"{name}_places")
    return places(str(source[f"{name}_e164"])) if stored is None else (str(stored[0]), str(stored[1]))


def _list(values: tuple[str, ...]) -> str:
    return f"[{', '.join(map(text, values))}]"


def _sorted(values: Mapping[str, object]) -> str:
    return ENCODE(dict(sorted(values.items()))) if values else "{}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PartyFacts:
    """One person on the call, as far as a policy may look."""

    party: int
    """Ordinal within the call, from 1."""
    side: Side
    number: str = ""
    """As the switch gave it."""
    e164: str = ""
    """`+4930…`, or "" where the number has no such form."""
    country: str = ""
    """ISO 3166 alpha-2, or "" where the number does not tell."""
    state: str = ""
    """ISO 3166-2 (`US-CA`), where an area code tells it."""
    user: str = ""
    """Of somebody inside: the registered user, `1001@acme.example`."""
    known: bool = False
    """The CRM gave a row for this party. False: conditions on CRM facts can be neither met nor failed."""
    unasked: bool = False
    """The CRM could not be asked about this party: it did not answer, or not in time."""
    facts: Mapping[str, str] = field(default_factory=dict)
    consents: Mapping[str, bool] = field(default_factory=dict)
    """Consents on file: purpose -> given?"""

    def text(self) -> str:
        """The JSON of `to_json`, in a fraction of its time."""
        return (
            f'{{"party": {self.party}, "side": "{self.side._value_}", "number": {text(self.number)}, '
            f'"e164": {text(self.e164)}, "country": {text(self.country)}, "state": {text(self.state)}, '
            f'"user": {text(self.user)}, "known": {"true" if self.known else "false"}, '
            f'"unasked": {"true" if self.unasked else "false"}, "facts": {_sorted(self.facts)}, '
            f'"consents": {_sorted(self.consents)}}}'
        )

    def to_json(self) -> dict[str, object]:
        return {
            "party": self.party,
            "side": self.side.value,
            "number": self.number,
            "e164": self.e164,
            "country": self.country,
            "state": self.state,
            "user": self.user,
            "known": self.known,
            "unasked": self.unasked,
            "facts": dict(sorted(self.facts.items())),
            "consents": dict(sorted(self.consents.items())),
        }

    @staticmethod
    def from_json(source: Mapping[str, Any]) -> PartyFacts:
        return PartyFacts(
            party=int(source["party"]),
            side=Side(source["side"]),
            number=str(source["number"]),
            e164=str(source["e164"]),
            country=str(source["country"]),
            state=str(source["state"]) if "state" in source else areas.state(str(source["e164"])),
            user=str(source.get("user", "")),
            known=bool(source["known"]),
            unasked=bool(source.get("unasked", False)),
            facts={str(name): str(value) for name, value in source["facts"].items()},
            consents={str(name): bool(value) for name, value in source["consents"].items()},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What was known of a call when its rule was chosen; `caller` and `dialled` are the first leg's."""

    call: str
    direction: CallDirection
    tenant: str = "default"
    region: str = ""
    """The tenant's region: the country of a party inside whose number tells none."""
    caller: str = ""
    caller_e164: str = ""
    caller_places: Places = ("", "")
    """What its numbers told of country and state when the call was decided: numbering plans change."""
    dialled: str = ""
    dialled_e164: str = ""
    dialled_places: Places = ("", "")
    parties: tuple[PartyFacts, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    """Channel variables of the first leg: those that `Policy.names_of_variables` lists, and fsgov_*."""
    tags: tuple[str, ...] = ()
    """What the call was tagged with, live; sorted, each once."""
    at: Instant = 0
    """When the call began."""

    def text(self) -> str:
        """The JSON of `to_json`, in a fraction of its time: it is written several times a call."""
        return (
            f'{{"call": {text(self.call)}, "direction": "{self.direction._value_}", '
            f'"tenant": {text(self.tenant)}, "region": {text(self.region)}, "caller": {text(self.caller)}, '
            f'"caller_e164": {text(self.caller_e164)}, "caller_places": {_list(self.caller_places)}, '
            f'"dialled": {text(self.dialled)}, "dialled_e164": {text(self.dialled_e164)}, '
            f'"dialled_places": {_list(self.dialled_places)}, '
            f'"parties": [{", ".join([party.text() for party in self.parties])}], '
            f'"variables": {_sorted(self.variables)}, "tags": {_list(self.tags)}, "at": {self.at}}}'
        )

    def to_json(self) -> dict[str, object]:
        """One JSON object; `from_json` gives an equal value back."""
        return {
            "call": self.call,
            "direction": self.direction.value,
            "tenant": self.tenant,
            "region": self.region,
            "caller": self.caller,
            "caller_e164": self.caller_e164,
            "caller_places": list(self.caller_places),
            "dialled": self.dialled,
            "dialled_e164": self.dialled_e164,
            "dialled_places": list(self.dialled_places),
            "parties": [party.to_json() for party in self.parties],
            "variables": dict(sorted(self.variables.items())),
            "tags": list(self.tags),
            "at": self.at,
        }

    @staticmethod
    def from_json(source: Mapping[str, Any]) -> Inputs:
        """Read what `to_json` wrote; raises Damaged when it is not that."""
        try:
            return Inputs(
                call=str(source["call"]),
                direction=CallDirection(source["direction"]),
                tenant=str(source["tenant"]),
                region=str(source["region"]),
                caller=str(source["caller"]),
                caller_e164=str(source["caller_e164"]),
                caller_places=_places(source, "caller"),
                dialled=str(source["dialled"]),
                dialled_e164=str(source["dialled_e164"]),
                dialled_places=_places(source, "dialled"),
                parties=tuple(PartyFacts.from_json(party) for party in source["parties"]),
                variables={str(name): str(value) for name, value in source["variables"].items()},
                tags=tuple(str(tag) for tag in source.get("tags", ())),
                at=int(source["at"]),
            )
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as fault:
            raise Damaged("These decision inputs cannot be read", repr(fault)) from fault
