"""After a restore: what was erased stays erased, and no request is forgotten.

The ledger says whose rows were nulled after the dump was made, and what was promised and is not done. Of a
request that came after the dump and that nothing was promised of yet, only the lines of the log are left: the
person has to be asked again whom it was about, and until then it is `lost`, with an alarm when it is due.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from fsgov.subjects.ledger import Names

OVER = ("subject.exported", "erasure.done")


@dataclass(slots=True)
class Told:
    """What the lines say of one request."""

    kind: str = "erase"
    tenant: str = "*"
    due: str | None = None
    over: bool = False


def told(entries: Iterable[Mapping[str, Any]]) -> dict[str, Told]:
    """By request, what its lines say, in the order of the log."""
    found: dict[str, Told] = {}
    for entry in entries:
        request, facts = found.setdefault(str(entry["subject"]), Told()), entry["data"]
        match str(entry["type"]).removeprefix("fsgov.").removesuffix(".v1"):
            case "subject.opened":
                request.kind, request.tenant, request.due = facts["kind"], facts["tenant"], facts["due"]
            case "subject.answered":
                request.over |= facts["answer"] == "refused"
            case type_ if type_ in OVER:
                request.over = True
    return found


def requests(names: Names, lines: Mapping[str, Told]) -> list[dict[str, Any]]:
    """What may have to be put back, with the parties (CALL.PARTY) that were promised and are not done."""
    known = {request: Told() for request in names.promised} | dict(lines)
    return [
        {
            "request": request,
            "kind": said.kind,
            "tenant": said.tenant,
            "due": said.due,
            "records": names.waiting.get(request, []),
        }
        for request, said in sorted(known.items())
        if not said.over and (names.waiting.get(request) or request not in names.promised)
    ]
