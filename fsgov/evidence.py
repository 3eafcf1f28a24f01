"""The digest of one consent: what a segment that rests on it names, so that nobody alters it unseen.

It is SHA-256 over one JSON object in its only form: these members, names sorted, no blanks, UTF-8. It stands
in rows and sidecars, never in entries: evidence may hold the CRM's reference, which a hash would not hide.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping


def digest(
    *,
    call: str,
    consent: str,
    party: int,
    purpose: str,
    state: str,
    method: str,
    mode: str,
    at: int,
    evidence: Mapping[str, str | int | None],
) -> str:
    """Hex. `at`: microseconds since the epoch, UTC."""
    row = {
        "call": call,
        "consent": consent,
        "party": party,
        "purpose": purpose,
        "state": state,
        "method": method,
        "mode": mode,
        "at": at,
        "evidence": dict(evidence),
    }
    text = json.dumps(row, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
