"""How long one decision takes among ten thousand rules with every kind of condition, floors included.

The policy is as govern has it: compiled by another process, its rules packed. Every call comes from a number
that was not seen before, and what its numbers tell (international form, country, state) is part of the time.
Both clocks are of the CPU: what this machine gave to others meanwhile does not count.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator

from bench import Figure

GOAL = 1.0
"""Milliseconds, at the median."""
RULES, CALLS, SCANNED = 10_000, 5_000, 20
HEAD = """version = "bench"
timezone = "Europe/Berlin"
holidays = ["2026-12-25", "2026-12-26"]
include = ["law:de", "law:uk"]
[floor]
default = "notice"
AT = "opt_in"
FR = "opt_out"
US-CA = "opt_in"
US-FL = "opt_in"
[purpose.evidence]
basis = "contract"
retain_max = "5 years"
"""
WISHES = 'record = "{record}"\nconsent = "none"\npurposes = ["evidence"]\n'
OPENING = 'when.time = { days = "mon-fri", hours = "08:00-18:00", holidays = false }\n'
COUNTRIES = ("AT", "CH", "FR", "GB", "NL", "US", "US-CA", "US-NY")
# of a hundred rules: how many, and their conditions
MIX = (
    (60, 'when.dialled = ["+4930{n:05}*", "+4420{n:05}*"]\n'),
    (14, 'when.dialled = "+4989{n:05}*"\nwhen.caller = {{ country = "{country}" }}\n'),
    (
        8,
        'when.dialled = "+331{n:05}*"\nwhen.direction = "inbound"\n'
        + OPENING.replace("{", "{{").replace("}", "}}"),
    ),
    (3, 'when.caller = "+1213{n:05}*"\nwhen.crm.segment = ["gold", "s{n}"]\n'),
    (3, 'when.crm.customer = "c{n}"\n'),
    (4, 'when.queue = "queue{n}@default"\n'),
    (3, 'when.agent = "{n}"\nwhen.direction = "outbound"\n'),
    (3, 'when.tenant = "t{n}"\nwhen.caller = {{ country = "{country}" }}\n'),
    (2, 'when.variable.campaign = "c{n}"\nwhen.crm.protected = "yes"\n'),
)
ANYWHERE = (
    'when.crm.protected = "yes"\n',
    'when.crm.segment = "vip"\nwhen.direction = "inbound"\n',
    'when.time = { holidays = true }\nwhen.direction = "outbound"\n',
    'when.direction = "internal"\n',
)
"""Conditions that no look-up finds: tried for every call."""


def document(rules: int) -> str:
    """Such a policy; what it says is the same each time."""
    kinds = [conditions for share, conditions in MIX for _ in range(share)]
    random.Random(1).shuffle(kinds)
    said = [HEAD]
    for place, conditions in enumerate(ANYWHERE):
        record = "never" if "protected" in conditions else "always"
        said.append(_rule(f"general {place}", conditions, record))
    for n in range(rules - len(ANYWHERE) - 1):
        record = ("always", "on_demand", "sample 10%")[n % 3]
        wanted = kinds[n % len(kinds)].format(n=n % 100_000, country=COUNTRIES[n % len(COUNTRIES)])
        said.append(_rule(f"line {n}", wanted, record))
    said.append('[[rule]]\nname = "rest"\nrecord = "never"\n')
    return "".join(said)


def _rule(name: str, conditions: str, record: str) -> str:
    wishes = 'record = "never"\n' if record == "never" else WISHES.format(record=record)
    return f'[[rule]]\nname = "{name}"\n{conditions}{wishes}'


def calls(count: int, rules: int) -> Iterator[dict[str, object]]:
    """As people would describe them: every country, most of them known to the CRM, no number twice."""
    chance = random.Random(2)
    begins = ("+4930", "+4989", "+4420", "+331", "+1213", "+1212", "+4312", "+3120", "+41442")
    for n in range(count):
        line = chance.randrange(rules)
        known = chance.random() < 0.8
        yield {
            "caller": f"{chance.choice(begins)}{line:05}{n:05}"[:13],
            "dialled": f"{chance.choice(begins[:4])}{chance.randrange(rules):05}{n % 100:02}",
            "tenant": f"t{line}" if n % 10 == 0 else "default",
            "queue": f"queue{line}@default" if n % 5 == 0 else "",
            "agent": str(line) if n % 4 == 0 else "",
            "variables": {"campaign": f"c{line}"} if n % 7 == 0 else {},
            "crm": {"segment": chance.choice(("gold", "retail")), "customer": f"c{line}"} if known else None,
            "at": 1_795_279_045_000_000 + n * 60_000_000,
            "call": f"call-{n}",
        }


def figures(*, short: bool = False) -> list[Figure]:
    rules, count = (1_000, 500) if short else (RULES, CALLS)
    told = measured(rules, count)
    name = f"decision among {rules} rules of every condition, floors included"
    return [
        Figure(
            name=f"{name}, p50",
            value=told["p50"],
            unit="ms",
            peer="the same by trying every rule",
            peer_value=told["scan"],
            goal=f"at most {GOAL:g} ms",
            holds=told["p50"] <= GOAL,
        ),
        Figure(name=f"{name}, p99", value=told["p99"], unit="ms"),
    ]


def measured(rules: int = RULES, count: int = CALLS) -> dict[str, float]:
    """In a process of its own: gevent has to be first in it."""
    command = [sys.executable, "-m", "bench.deciding", str(rules), str(count)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    told: dict[str, float] = json.loads(done.stdout)
    return told


def main(rules: int, count: int) -> None:
    from fsgov.config import law_packs
    from fsgov.govern.compiling import compiled
    from fsgov.policy import decide, describe, parse
    from fsgov.policy.conditions import Call
    from fsgov.policy.deciding import choose

    plain = parse(document(rules), packs=law_packs())
    policy = compiled(plain.text, ["eu"])
    took, decided = [], set()
    for words in calls(count, rules):
        begun = time.thread_time_ns()
        decision = decide(policy, describe(**words))  # type: ignore[arg-type]
        took.append((time.thread_time_ns() - begun) / 1e6)
        decided.add(decision.rule)
    scans = []
    for words in calls(SCANNED, rules):
        call = Call(describe(**words), plain.timezone, plain.holidays)  # type: ignore[arg-type]
        begun = time.thread_time_ns()
        choose(plain, call, range(rules))
        scans.append((time.thread_time_ns() - begun) / 1e6)
    assert len(decided) > count // 10, "always the same rule decides"
    took.sort()
    told = {
        "p50": round(took[len(took) // 2], 3),
        "p99": round(took[int(len(took) * 0.99)], 3),
        "scan": round(sorted(scans)[len(scans) // 2], 3),
        "rules": len(decided),
    }
    print(json.dumps(told))


if __name__ == "__main__":
    from gevent import monkey

    monkey.patch_all()
    main(int(sys.argv[1]), int(sys.argv[2]))
