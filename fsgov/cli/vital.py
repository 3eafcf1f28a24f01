"""What `fsgov status` learns from the parts' own pages, and the alarms that are up, whoever raised them."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fsgov.alarms import family
from fsgov.config.settings import Address
from fsgov.errors import Unreachable

SECONDS = 5.0
RAISED_BY = {"govern": "govern", "spool": "ship", "ship": "ship", "keep": "keep", "catalog": "keep"}
"""Section of the status -> whose alarms it tells: ship leaves its own in the spool, keep in the catalog."""


@dataclass(frozen=True, slots=True)
class Raised:
    """One alarm that is up, and what to do about it."""

    part: str
    alarm: str
    reason: str
    remedy: str


def readiness(part: str, address: Address) -> Mapping[str, Any]:
    """What a part's /readyz says. Raises Unreachable."""
    connection = http.client.HTTPConnection(address.host, address.port, timeout=SECONDS)
    try:
        connection.request("GET", "/readyz")
        told: dict[str, Any] = json.loads(connection.getresponse().read())
        missing = {check: state["reason"] for check, state in told["checks"].items() if not state["ok"]}
        return {"ready": told["ready"], "missing": missing, "alarms": told["alarms"]}
    except (OSError, http.client.HTTPException) as fault:
        why = getattr(fault, "strerror", None) or type(fault).__name__
    except (ValueError, KeyError, TypeError, AttributeError):
        why = "what answers there is another program"
    finally:
        connection.close()
    hint = f"does {part} run, and is health.{part} its address?"
    raise Unreachable(f"{part} does not answer", f"{address}: {why}", hint)


def alarms(told: Mapping[str, Mapping[str, Any]]) -> list[Raised]:
    """Every alarm in the sections of the status, each once."""
    found = {
        (RAISED_BY[section], name): str(reason)
        for section, facts in told.items()
        if section in RAISED_BY
        for name, reason in dict(facts.get("alarms", {})).items()
    }
    return [Raised(part, name, reason, _remedy(name)) for (part, name), reason in sorted(found.items())]


def _remedy(name: str) -> str:
    try:
        return family(name).remedy
    except KeyError:  # of a newer fsgov
        return ""
