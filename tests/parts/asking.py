"""Look-ups as govern makes them: the child of `asker.Asker`, patched by gevent. Never to be imported.

Reads one JSON object a line, and answers each with one.
"""

from gevent import monkey

monkey.patch_all()

import json  # noqa: E402
import sys  # noqa: E402
from dataclasses import asdict  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import gevent  # noqa: E402

from fsgov import logs  # noqa: E402
from fsgov.commands import LookUpParty  # noqa: E402
from fsgov.config.secret import Secret  # noqa: E402
from fsgov.config.settings import Parties as Configured  # noqa: E402
from fsgov.events import Event  # noqa: E402
from fsgov.parties import Parties, asked_by  # noqa: E402


def main() -> None:
    parties: Parties
    told: list[tuple[str, Event]] = []
    turns = [0]
    clock = [0.0]

    def turn() -> None:
        while True:
            turns[0] += 1
            gevent.sleep(0.005)

    logs.set_up("govern", "debug")
    gevent.spawn(turn)
    for line in sys.stdin:
        asked = json.loads(line)
        answer: Any = None
        match asked["do"]:
            case "make":
                clock[0] = 0.0
                secrets = {
                    name: Secret(name, "plain", asked[name]) if asked.get(name) else Secret(name)
                    for name in ("dsn", "token", "password")
                }
                configured = Configured(
                    url=asked["url"],
                    user=asked.get("user", ""),
                    ca=Path(asked["ca"]) if asked.get("ca") else None,
                    deadline=int(asked["deadline"] * 1e6),
                    **secrets,
                )
                parties = Parties(
                    asked_by(configured),
                    asked["deadline"],
                    Path(asked["cache"]),
                    lambda event: told.append((type(event).__name__, event)),
                    lambda: 0,
                    lambda: clock[0],
                )
                parties.facts = frozenset({"segment", "vip"})
            case "facts":
                parties.facts = frozenset(asked["names"])
            case "ask":
                told.clear()
                turns[0] = 0
                commands = [
                    LookUpParty(call=n, number=1, party=1, tenant=asked["tenant"], e164=n)
                    for n in asked["numbers"]
                ]
                gevent.joinall([gevent.spawn(parties.look_up, command) for command in commands])
                answer = [{"kind": kind, **asdict(event)} for kind, event in told]  # type: ignore[call-overload]
            case "settle":
                parties.memory.settle()
            case "age":
                clock[0] += asked["seconds"]
            case "counts":
                answer = {
                    "results": dict(parties.counts.results),
                    "remembered": parties.counts.remembered,
                    "asked": sum(parties.counts.seconds.counts),
                    "troubles": {name: str(fault) for name, fault in parties.troubles().items()},
                    "turns": turns[0],
                }
        print(json.dumps(answer), flush=True)  # noqa: T201 - to the parent


if __name__ == "__main__":
    main()
