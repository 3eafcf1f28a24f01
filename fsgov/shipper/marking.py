"""What a call file says of a segment that was released before: law 7, at each step that comes after."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from fsgov.shipper.sidecar import Sidecar
from fsgov.spool import Spool

WITHDRAWN = "withdrawn"


def marked(spool: Spool, sidecar: Sidecar) -> Sidecar:
    """The same, marked where a party took it back, also where that came after the segment was released.

    What its rule sets aside goes to quarantine, unless something else has sent it there.
    """
    try:
        document: dict[str, Any] = json.loads(spool.call(sidecar.call) or "{}")
    except ValueError:  # told by who reads the calls
        return sidecar
    review_by = (document.get("quarantine") or {}).get(sidecar.segment)
    if review_by is not None and not sidecar.quarantine:
        sidecar = replace(sidecar, quarantine=WITHDRAWN, review_by=int(review_by))
    if sidecar.segment not in document.get("dispose", ()) or sidecar.written.get("dispose"):
        return sidecar
    return sidecar.to_be_disposed(str(document.get("state", {}).get("dispose_reason", "")))
