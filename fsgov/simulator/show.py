"""`show channels` and its kind: rows of the switch's legs, as text or as json."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from fsgov.simulator.event import stamp

if TYPE_CHECKING:
    from fsgov.simulator.channel import Channel
    from fsgov.simulator.switch import Switch

SHORT = (
    "uuid direction created created_epoch name state cid_name cid_num ip_addr dest presence_id presence_data "
    "accountcode callstate callee_name callee_num callee_direction call_uuid hostname sent_callee_name "
    "sent_callee_num"
)


def row(switch: Switch, c: Channel, *, short: bool = False) -> dict[str, str]:
    """One row of `show channels`; `short` leaves out what `show calls` does not tell."""
    v, codec = c.variables, c.media
    caller = c.profile.get("Caller-ID-Name", ""), c.profile.get("Caller-ID-Number", "")
    addr, dest = c.profile.get("Network-Addr", ""), c.profile.get("Destination-Number", "")
    callee = c.profile.get("Callee-ID-Name", ""), c.profile.get("Callee-ID-Number", "")
    way = {
        f"{w}_{n}": (x if codec else "")
        for w in ("read", "write")
        for n, x in (("codec", "PCMU"), ("rate", "8000"), ("bit_rate", "64000"))
    }
    full = {
        "uuid": c.uuid,
        "direction": c.direction,
        "created": stamp(c.created),
        "created_epoch": str(int(c.created)),
        "name": c.name,
        "state": c.state,
        "cid_name": caller[0],
        "cid_num": caller[1],
        "ip_addr": addr,
        "dest": dest,
        "application": v.get("current_application", ""),
        "application_data": v.get("current_application_data", ""),
        "dialplan": "XML",
        "context": "default",
        **way,
        "secure": "",
        "hostname": switch.identity.switchname,
        "presence_id": "",
        "presence_data": "",
        "accountcode": "",
        "callstate": c.call_state,
        "callee_name": callee[0],
        "callee_num": callee[1],
        "callee_direction": "SEND" if c.peer else "",
        "call_uuid": c.call_uuid if c.peer else "",
        "sent_callee_name": v.get("last_sent_callee_id_name", ""),
        "sent_callee_num": v.get("last_sent_callee_id_number", ""),
        "initial_cid_name": c.initial["Caller-ID-Name"],
        "initial_cid_num": c.initial["Caller-ID-Number"],
        "initial_ip_addr": addr,
        "initial_dest": c.initial["Destination-Number"],
        "initial_dialplan": "XML",
        "initial_context": "default",
    }
    if not short:
        return full
    keep = SHORT.split()
    return {n: full[n] for n in keep}


def show(switch: Switch, argument: str) -> str:
    """`show channels|calls|bridged_calls|detailed_calls [count] [as json]`."""
    words = argument.split()
    what, as_json = words[0] if words else "", words[-2:] == ["as", "json"]
    if what not in ("channels", "calls", "bridged_calls", "detailed_calls"):
        return "-ERR Invalid command\n"
    rows = [row(switch, c) for c in switch.channels.values()] if what == "channels" else _calls(switch, what)
    if "count" in words:
        return (
            json.dumps({"row_count": len(rows), "rows": []}, separators=(",", ":"))
            if as_json
            else _total(rows)
        )
    if as_json:
        if not rows:
            return '{"row_count": 0}\n'
        return json.dumps({"row_count": len(rows), "rows": rows}, separators=(",", ":"), ensure_ascii=False)
    if not rows:
        return _total(rows)
    lines = [",".join(rows[0]), *(",".join(r.values()) for r in rows)]
    return "\n".join(lines) + "\n" + _total(rows)


def _total(rows: list[dict[str, str]]) -> str:
    return f"\n{len(rows)} total.\n"


def _calls(switch: Switch, what: str) -> list[dict[str, str]]:
    out = []
    for c in switch.channels.values():
        if c.direction == "inbound" and c.peer:
            short = what != "detailed_calls"
            drop = ("initial_",)
            mine = {n: v for n, v in row(switch, c, short=short).items() if not n.startswith(drop)}
            theirs = {
                f"b_{n}": v for n, v in row(switch, c.peer, short=short).items() if not n.startswith(drop)
            }
            if short:
                theirs = {n: v for n, v in theirs.items() if n not in ("b_call_uuid", "b_hostname")}
            out.append(mine | theirs | {"call_created_epoch": str(int(c.created))})
    return out
