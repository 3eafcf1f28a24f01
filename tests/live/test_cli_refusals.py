"""Bad input at every command: message, detail, hint, a documented code, no traceback, no effect."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.live.cli import DESK, NOBODY, QUARANTINED, UNRECORDED, Company, Done, company, write_private
from tests.live.shipping import CALL
from tests.unit.test_cli import ALL

FIRST, MISSING = f"{CALL}-01", f"{CALL}-03"
EXPORT = ("recordings", "export")
WHY = ("--purpose", "evidence", "--reason", "asked", "--output", "out")
REASON = ("--reason", "second site")
ID = ("--identity", "desk/id.txt")
ATTACH = ("recordings", "attach", FIRST, "failing.toml")
DETACH = ("recordings", "detach", "d-abcdefghijkl")
SCORE = ("--kind", "score", "--purpose", "evidence")
NONE = "x+00000000+AAAA"
FOR, KEY = ("--recipient", "court"), ("--key", "keys/log.key.pub")
SINCE = ("--since", "2026-11-01")
PROPOSE = ("purge", "schedule", "propose", "--every", "day", "--at", "02:30", "--timezone", "Europe/Berlin")

# who, words, code, a part of what is said. who: the configuration of that name
CASES: list[tuple[str, tuple[str, ...], int, str]] = [
    # configuration
    ("absent", ("run",), 3, "There is no configuration file"),
    ("absent", ("check",), 3, "There is no configuration file"),
    ("absent", ("calls", "list"), 3, "There is no configuration file"),
    ("broken", ("run", "--part", "ship"), 3, "line 2"),
    ("broken", ("run", "--part", "govern"), 3, "line 2"),
    ("broken", ("status",), 3, "line 2"),
    ("faults", ("check",), 3, "switch.port"),
    ("faults", ("db", "status"), 3, "spool.keep_sealed"),
    ("faults", ("calls", "pause", CALL), 3, "vault.eu.url"),
    ("alice", ("run",), 3, "switch.password"),
    ("alice", ("run", "--part", "keep"), 3, "vault.eu.keys"),
    ("alice", ("run", "--part", "govern"), 3, "switch.password"),
    ("alice", ("db", "init"), 3, "database.credentials"),
    ("empty", ("calls", "list"), 3, "admin.dsn"),
    ("badpolicy", ("run",), 3, "rule[1].consent"),
    ("badpolicy", ("check",), 3, "rule[1].consent"),
    # policy and keys
    ("badpolicy", ("policy", "check"), 3, "rule[1].consent"),
    ("host", ("policy", "check", "nowhere.toml"), 3, "No such file"),
    ("host", ("policy", "show", "host.toml"), 3, "version"),
    ("host", ("policy", "explain", "bad-policy.toml", "--dialled", "+49301"), 3, "rule[1].consent"),
    ("host", ("policy", "explain"), 2, "--dialled"),
    ("host", ("policy", "explain", "--dialled", "1", "--crm", "segment"), 2, "NAME=VALUE"),
    ("host", ("policy", "explain", "--dialled", "1", "--tenant", "nobody"), 2, "nobody"),
    ("host", ("policy", "check", "failing.toml"), 3, "the rest is not recorded"),
    ("host", ("policy", "check", "shadowed.toml"), 3, "rule[2] (again): is never reached"),
    ("host", ("policy", "export-dialplan", "bad-policy.toml"), 3, "rule[1].consent"),
    ("host", ("keys", "generate", "recipient", "--output", "desk/id.txt"), 7, "is there already"),
    ("host", ("keys", "generate", "recipient", "--output", "no/where/id"), 2, "cannot be written"),
    ("host", ("keys", "generate", "recipient"), 2, "--output"),
    ("host", ("keys", "generate", "signing"), 7, "is there already"),
    ("badkey", ("keys", "list"), 3, "vault.eu.recipients"),
    ("alice", ("keys", "rotate", "--reason", "x"), 3, "vault.eu.recipients"),
    ("host", ("keys", "rotate", "--reason", " "), 2, "reason"),
    ("host", ("keys", "rotate", "--reason", "x", "--vault", "us"), 3, "vault.us"),
    ("carol", ("keys", "rotations"), 5, ""),
    ("alice", ("keys", "approve", "r-nosuchrotation"), 6, "no such rotation"),
    ("bob", ("keys", "rewrap", "r-nosuchrotation"), 2, "No identity"),
    ("bob", ("keys", "rewrap", "r-nosuchrotation", *ID), 6, "no such rotation"),
    ("bob", ("keys", "confirm", "../x", *ID), 2, "no id of a rotation"),
    ("bob", ("keys", "undo", "r-nosuchrotation"), 6, "no such rotation"),
    ("badkey", ("run", "--part", "ship"), 3, "private key"),
    # policy in force and stops
    ("host", ("policy", "test", "failing.toml"), 3, ""),
    ("host", ("policy", "diff", "nowhere.toml", "host.toml"), 6, ""),
    ("away", ("policy", "history"), 4, "PostgreSQL does not answer"),
    ("carol", ("policy", "simulate", "policy.toml", *SINCE), 5, "numbers"),
    ("service", ("policy", "simulate", "policy.toml", *SINCE), 5, "login of a service"),
    ("alice", ("policy", "simulate", "bad-policy.toml", *SINCE), 3, "rule[1].consent"),
    ("alice", ("policy", "simulate", "nowhere.toml", *SINCE), 6, "nowhere.toml"),
    ("alice", ("policy", "simulate", "policy.toml"), 2, "--since"),
    ("alice", ("policy", "simulate", "policy.toml", *SINCE, "--until", "2026-10-31"), 2, "has no length"),
    ("alice", ("policy", "activate", "bad-policy.toml", "--yes"), 3, "rule[1].consent"),
    ("alice", ("policy", "activate", "shadowed.toml", "--yes"), 3, "rule[2] (again): is never reached"),
    ("alice", ("policy", "approve", "no-such-version", "--yes"), 6, ""),
    ("carol", ("policy", "rollback", "--yes"), 5, ""),
    ("alice", ("stop",), 2, ""),
    ("alice", ("stop", "--lift", "no-such-stop"), 2, "no id of a stop"),
    ("carol", ("stop", "+4930123456", "--yes"), 5, ""),
    # holds
    ("alice", ("hold", "place", "--matter", "x"), 2, "Say what to hold"),
    ("alice", ("hold", "place", CALL), 2, "--matter"),
    ("alice", ("hold", "place", "whatever", "--matter", "x"), 2, "not clear what to hold"),
    ("alice", ("hold", "place", "call:../x", "--matter", "x"), 2, "no id"),
    ("alice", ("hold", "place", CALL, "--matter", ""), 8, "has a matter"),
    ("alice", ("hold", "place", "case:k-nosuchcase", "--matter", "x"), 8, "can be about"),
    ("alice", ("hold", "place", "--query", "colour=red", "--matter", "x"), 8, "no query"),
    ("alice", ("hold", "place", "--query", "colour", "--matter", "x"), 2, "NAME=VALUE"),
    ("alice", ("hold", "place", "--from", "nowhere", "--matter", "x"), 6, "list of what to hold"),
    ("carol", ("hold", "place", CALL, "--matter", "x"), 5, ""),
    ("service", ("hold", "place", CALL, "--matter", "x"), 5, ""),
    ("away", ("hold", "place", CALL, "--matter", "x"), 4, "PostgreSQL does not answer"),
    ("alice", ("hold", "add", "../x", CALL), 2, "no id of a hold"),
    ("alice", ("hold", "add", "h-nosuchhold", CALL), 6, "no such hold"),
    ("alice", ("hold", "release", "h-nosuchhold", "--reason", "x"), 6, "no such hold"),
    ("alice", ("hold", "release", "h-nosuchhold"), 2, "--reason"),
    ("bob", ("hold", "approve", "h-nosuchhold", "--yes"), 6, "no such hold"),
    ("bob", ("hold", "show", "h-nosuchhold"), 6, "no such hold"),
    ("carol", ("hold", "list"), 5, ""),
    ("alice", ("hold", "list", "--of", "x y"), 2, "no id"),
    # quarantine
    ("alice", ("recordings", "quarantine", "set", "../x", "--reason", "x"), 2, "no id"),
    ("alice", ("recordings", "quarantine", "set", f"{NOBODY}-01", "--reason", "x"), 6, "no such segment"),
    ("alice", ("recordings", "quarantine", "set", MISSING, "--reason", "x"), 7, "cannot go to quarantine"),
    ("alice", ("recordings", "quarantine", "set", FIRST, "--reason", ""), 8, "has a reason"),
    ("alice", ("recordings", "quarantine", "set", FIRST, "--reason", "x", "--until", "2020-01-01"), 8, "90"),
    ("carol", ("recordings", "quarantine", "set", FIRST, "--reason", "x"), 5, ""),
    ("alice", ("recordings", "quarantine", "release", QUARANTINED, "keep", "--reason", "x"), 5, ""),
    ("bob", ("recordings", "quarantine", "release", FIRST, "keep", "--reason", "x"), 7, "not in quarantine"),
    ("bob", ("recordings", "quarantine", "release", FIRST, "burn", "--reason", "x"), 2, "burn"),
    ("carol", ("recordings", "quarantine", "list"), 5, ""),
    # database
    ("away", ("calls", "list"), 4, "PostgreSQL does not answer"),
    ("away", ("recordings", "list"), 4, "PostgreSQL does not answer"),
    ("away", ("people", "list"), 4, "PostgreSQL does not answer"),
    ("away", ("report", "outcomes"), 4, "PostgreSQL does not answer"),
    ("alice", ("report", "outcomes", "--day", "2026-11-21", "--since", "2026-11-20"), 2, "Name a day"),
    ("alice", ("report", "outcomes", "--since", "2026-11-21", "--until", "2026-11-20"), 2, "has no length"),
    ("away", ("db", "upgrade"), 4, "PostgreSQL does not answer"),
    ("away", ("events", "tail"), 4, "PostgreSQL does not answer"),
    ("alice", ("db", "restored", "--dry-run"), 3, "vault.eu.keys"),
    ("other", ("db", "status"), 3, "db init"),
    ("other", ("db", "upgrade"), 3, "db init"),
    ("other", ("calls", "show", CALL), 3, "db init"),
    ("wrong", ("calls", "list"), 5, "refuses this login"),
    ("service", ("calls", "list"), 5, "login of a service"),
    ("service", (*EXPORT, FIRST, *WHY, *ID), 5, "login of a service"),
    ("alice", ("people", "add", "eve", "--role", "agent"), 5, ""),
    ("alice", ("people", "disable", "bob", "--yes"), 5, ""),
    ("alice", ("people", "list"), 5, ""),
    ("service", ("people", "add", "eve", "--role", "agent"), 5, ""),
    # people
    ("host", ("people", "add", "Eve!", "--role", "agent"), 2, "no login for a person"),
    ("host", ("people", "add", "fsgov_eve", "--role", "agent"), 2, "no login for a person"),
    ("host", ("people", "add", "eve", "--role", "king"), 2, "king"),
    ("host", ("people", "add", "eve"), 2, "--role"),
    ("host", ("people", "add", "alice", "--role", "agent"), 7, "there already"),
    ("host", ("people", "disable", "nobody", "--yes"), 6, "no such person"),
    # retention
    ("carol", ("retention", "list"), 5, "refuses this to the login"),
    ("service", ("retention", "list"), 5, "login of a service"),
    ("away", ("retention", "history"), 4, "PostgreSQL does not answer"),
    ("alice", ("retention", "list", f"{NOBODY}-01"), 6, NOBODY),
    ("alice", ("retention", "diff", "no-such-version"), 6, "no such policy"),
    ("bob", ("retention", "propose", "2026-11-21"), 2, "--reason"),
    ("carol", ("retention", "propose", "2026-11-21", "--reason", "x", "--yes"), 5, "refuses this"),
    ("alice", ("retention", "approve", "7", "--yes"), 6, "waits for approval"),
    ("carol", ("calls", "anchor", CALL, "contract_end", "2030-06-30T12:00Z"), 5, "refuses this"),
    ("alice", ("calls", "anchor", NOBODY, "contract_end", "2030-06-30"), 6, NOBODY),
    ("alice", ("calls", "anchor", CALL, "call_end", "2030-06-30"), 2, "call_end"),
    ("alice", ("calls", "anchor", CALL, "contract_end", "soon"), 2, "no day and no instant"),
    ("alice", ("calls", "anchor", CALL, "contract_end", "2030-06-30T12:00"), 2, "no offset"),
    ("alice", ("calls", "anchor", CALL, "contract_end", "2306-06-30"), 8, "no day that a period"),
    # ids and numbers
    ("alice", ("calls", "show", "../../etc/passwd"), 2, "no id"),
    ("alice", ("calls", "show", NOBODY), 6, NOBODY),
    ("alice", ("calls", "explain", NOBODY), 6, NOBODY),
    ("alice", ("calls", "explain", "'; DROP TABLE calls --"), 2, "no id"),
    ("alice", ("calls", "explain", UNRECORDED), 7, "never decided"),
    ("carol", ("calls", "explain", CALL), 5, "numbers"),
    ("alice", ("calls", "list", "--limit", "0"), 2, "--limit"),
    ("alice", ("calls", "list", "--since", "yesterday"), 2, "--since"),
    ("alice", ("recordings", "show", "x y"), 2, "no id"),
    ("alice", ("recordings", "show", UNRECORDED), 6, "no recording"),
    ("alice", ("recordings", "list", "--state", "lost"), 2, "--state"),
    ("alice", ("recordings", "verify", NOBODY), 6, NOBODY),
    ("alice", ("recordings", "verify"), 2, "ID..."),
    # reconcile
    ("alice", ("reconcile",), 5, "Only ops of every tenant"),
    ("service", ("reconcile",), 5, "login of a service"),
    ("away", ("reconcile",), 4, "PostgreSQL does not answer"),
    ("host", ("reconcile", "--apply", "everything"), 2, "everything"),
    ("host", ("reconcile", "--grace", "soon"), 2, "no duration"),
    # scrub
    ("carol", ("scrub",), 5, "refuses this to the login"),
    ("away", ("scrub",), 4, "PostgreSQL does not answer"),
    # purge
    ("alice", ("purge", "plan", FIRST, "--yes"), 5, "refuses this to the login"),
    ("carol", ("purge", "plan", "--dry-run"), 5, ""),
    ("bob", ("purge", "plan", NOBODY, "--yes"), 7, "nothing to destroy"),
    ("bob", ("purge", "plan", "../x", "--yes"), 2, "no id"),
    ("bob", ("purge", "plan", FIRST, "--valid", "60 d", "--yes"), 8, "30 days"),
    ("away", ("purge", "plan", "--dry-run"), 4, "PostgreSQL does not answer"),
    ("alice", ("purge", "approve", "pl-nobody", "--yes"), 6, "no such plan"),
    ("alice", ("purge", "stop", "x", "--yes"), 2, "no id of a plan"),
    ("alice", (*PROPOSE, "--most", "5", "--yes"), 5, "refuses this to the login"),
    ("bob", (*PROPOSE, "--yes"), 2, "--most"),
    ("bob", (*PROPOSE, "--most", "5", "--valid", "2 years", "--yes"), 8, "a day to a year"),
    ("bob", (*PROPOSE, "--most", "5", "--valid", "5 min", "--yes"), 2, "no length of time"),
    ("bob", (*PROPOSE, "--most", "5", "--timezone", "Mars/Olympus", "--yes"), 8, "no time zone"),
    ("bob", (*PROPOSE, "--most", "5", "--at", "24:30", "--yes"), 2, "no time of day"),
    ("alice", ("purge", "schedule", "approve", "sc-nobody", "--yes"), 6, "no such schedule"),
    ("alice", ("purge", "schedule", "end", "pl-x", "--yes"), 2, "no id of a schedule"),
    ("carol", ("purge", "schedule", "list"), 5, "refuses this to the login"),
    ("carol", ("purge", "status"), 5, "refuses this to the login"),
    ("host", ("purge", "apply", "pl-nobody"), 6, "no such plan"),
    ("alice", ("purge", "apply", "pl-nobody"), 3, "keep needs"),
    ("carol", ("purge", "lost"), 5, "refuses this to the login"),
    ("away", ("purge", "lost"), 4, "PostgreSQL does not answer"),
    ("alice", ("purge", "settle", "../x", "--reason", "x"), 2, "no id of an act"),
    ("alice", ("purge", "settle", "p-nobody.1"), 2, "--reason"),
    ("alice", ("purge", "settle", "p-nobody.1", "--reason", "x"), 6, "no such lost act"),
    ("alice", ("purge", "resume", "--yes"), 2, "Ask with a reason"),
    ("alice", ("purge", "resume", "--reason", "x", "--yes"), 7, "Purge does not wait"),
    ("alice", ("purge", "resume", "--approve", "--yes"), 5, "refuses this to the login"),
    ("alice", ("purge", "certificate"), 2, "Name a recording"),
    ("alice", ("purge", "certificate", FIRST), 7, "not destroyed"),
    ("alice", ("purge", "certificate", NOBODY), 6, "no such segment"),
    ("alice", ("purge", "certificate", "--verify", "host.toml", "--key", "other.pub"), 8, "no certificate"),
    # exports
    ("alice", (*EXPORT, FIRST, *WHY), 2, "No identity"),
    ("alice", (*EXPORT, FIRST, *WHY, "--identity", "nowhere"), 6, "no identity file"),
    ("alice", (*EXPORT, FIRST, *WHY, "--identity", "host.toml"), 5, "can be read by others"),
    ("alice", (*EXPORT, FIRST, *WHY, "--identity", "alice.password"), 3, "line 1"),
    ("alice", (*EXPORT, MISSING, *WHY, *ID), 7, "no audio"),
    ("alice", (*EXPORT, CALL, *WHY[:-1], "one.wav", *ID), 2, "do not fit one file"),
    ("alice", (*EXPORT, FIRST, *WHY[:-1], "taken", *ID), 7, "is there already"),
    ("alice", (*EXPORT, FIRST, "--reason", " ", "--purpose", "review", "--output", "out", *ID), 2, "reason"),
    ("alice", (*EXPORT, FIRST, "--reason", "x", "--purpose", "fun", "--output", "out", *ID), 5, "purpose"),
    ("alice", (*EXPORT, FIRST, *WHY, *ID, "--purpose", "complaint"), 8, "has a case"),
    ("alice", (*EXPORT, FIRST, *WHY, *ID, "--purpose", "audit"), 5, "the auditor's"),
    ("alice", (*EXPORT, FIRST, *WHY, *ID, "--case", "k-nobodyhere"), 8, "Only a complaint"),
    ("alice", (*EXPORT, QUARANTINED, *WHY, *ID), 5, "quarantined"),
    ("carol", (*EXPORT, FIRST, *WHY, *ID), 5, ""),
    ("novault", (*EXPORT, FIRST, *WHY, *ID), 3, "vault.eu"),
    ("lostvault", (*EXPORT, FIRST, *WHY, *ID), 6, ""),
    ("lostvault", ("recordings", "verify", FIRST), 6, "1 of 1"),
    # what was made of recordings
    ("alice", ("recordings", "attach", FIRST, "nowhere.txt", *SCORE), 6, "no such file"),
    ("alice", (*ATTACH, "--kind", "A B", "--purpose", "evidence"), 2, "no kind"),
    ("alice", (*ATTACH, "--kind", "score", "--purpose", "fun"), 5, "serve"),
    ("alice", ("recordings", "attach", CALL, "failing.toml", *SCORE), 6, "no such segment"),
    ("alice", ("recordings", "attach", MISSING, "failing.toml", *SCORE), 7, "sealed to"),
    ("carol", (*ATTACH, *SCORE), 5, ""),
    ("alice", ("recordings", "artefacts", NOBODY), 6, NOBODY),
    ("alice", (*EXPORT, "d-abcdefghijkl", *WHY, *ID), 6, "no such artefact"),
    ("alice", (*DETACH, "--yes"), 2, "--approve"),
    ("alice", (*DETACH, "--reason", "x"), 6, "no such artefact"),
    ("bob", (*DETACH, "--approve", "--yes"), 6, "no such artefact"),
    ("carol", (*DETACH, "--reason", "x"), 5, ""),
    # evidence
    ("alice", (*EXPORT, FIRST, "--evidence", *WHY), 2, "--recipient"),
    ("alice", (*EXPORT, FIRST, "--evidence", *WHY, *FOR, "--key", NONE), 3, "not a public key"),
    ("alice", (*EXPORT, FIRST, "--evidence", *WHY[:-1], "taken", *FOR, *KEY), 7, "is there already"),
    ("carol", (*EXPORT, FIRST, "--evidence", *WHY, *FOR, *KEY), 5, ""),
    ("absent", ("recordings", "prove", "nowhere", *KEY), 6, "no evidence bundle"),
    ("absent", ("recordings", "prove", "filled"), 2, "--key"),
    ("absent", ("recordings", "prove", "filled", "--key", NONE), 3, "not a public key"),
    # other vaults
    ("alice", ("recordings", "copy", FIRST, "--to", "eu", *REASON), 5, "permission denied"),
    ("alice", ("recordings", "copy", FIRST, "--to", "nowhere", *REASON), 3, "not configured here"),
    ("alice", ("recordings", "copy", FIRST, "--to", "eu"), 2, "--reason"),
    ("bob", ("recordings", "copy", FIRST, "--to", "eu", *REASON), 7, "in that vault"),
    ("bob", ("recordings", "copy", NOBODY, "--to", "eu", *REASON), 6, NOBODY),
    ("bob", ("recordings", "copy", MISSING, "--to", "eu", *REASON), 7, "no audio"),
    ("bob", ("recordings", "copy", FIRST, "--to", "eu", "--reason", ""), 7, "needs a reason"),
    ("bob", ("recordings", "move", FIRST, "--to", "eu", *REASON, "--yes"), 7, "in that vault"),
    ("alice", ("recordings", "move", FIRST, "--to", "nowhere", *REASON, "--yes"), 3, "not configured here"),
    ("alice", ("recordings", "drop", FIRST, "--from", "eu", *REASON, "--yes"), 5, "permission denied"),
    ("bob", ("recordings", "drop", FIRST, "--from", "eu", *REASON, "--yes"), 6, "no copy to drop"),
    ("alice", ("recordings", "copies", "x y"), 2, "no id"),
    ("carol", ("recordings", "copies"), 5, ""),
    # what people ask about themselves
    ("carol", ("subject", "find", "+493012345"), 5, ""),
    ("alice", ("subject", "find"), 2, "Say who"),
    ("service", ("subject", "find", "+493012345"), 5, "login of a service"),
    ("alice", ("subject", "open", "erase", "+493012345"), 5, ""),
    ("bob", ("subject", "open", "erase"), 8, "of somebody"),
    ("bob", ("subject", "open", "forget", "+493012345"), 2, "forget"),
    ("bob", ("subject", "open", "erase", "+493012345", "--due", "2020-01-01"), 8, "due after it came"),
    ("away", ("subject", "list"), 4, "PostgreSQL does not answer"),
    ("alice", ("subject", "list"), 5, ""),
    ("bob", ("subject", "show", "r-nobodyhere"), 6, "no such request"),
    ("bob", ("subject", "show", "'; DROP"), 2, "no id of a request"),
    ("bob", ("subject", "export", "r-nobodyhere", "--recipient", "x", "--output", "out"), 6, "no such req"),
    ("bob", ("subject", "export", "r-nobodyhere", "--output", "out"), 2, "--recipient"),
    ("bob", ("subject", "erase", "r-nobodyhere", "--yes"), 6, "no such request"),
    ("bob", ("subject", "find", "anonymous"), 2, "nobody's number"),
    ("bob", ("subject", "open", "erase", "+493012345", "Withheld"), 2, "nobody's number"),
    ("bob", ("subject", "answer", "r-nobodyhere"), 6, "no such request"),
    ("bob", ("subject", "answer", "r-nobodyhere", "--refused", "--until", "2027-01-01"), 2, "Either"),
    ("alice", ("report", "access"), 5, ""),
    ("bob", ("report", "access", "--since", "2026-11-21", "--until", "2026-11-20"), 2, "has no length"),
    # live acts: no daemon runs
    ("alice", ("calls", "start", CALL), 4, "govern does not answer"),
    ("alice", ("calls", "stop", "no/../id"), 2, "no id"),
    ("alice", ("calls", "resume", CALL), 4, "govern does not answer"),
    ("alice", ("calls", "tag", CALL), 2, "TAG"),
    ("alice", ("calls", "consent", CALL, "maybe"), 2, "maybe"),
    ("alice", ("calls", "consent", CALL, "given", "--party", "0"), 2, "--party"),
    ("alice", ("calls", "pause", CALL), 4, "govern does not answer"),
    ("deaf", ("calls", "pause", CALL), 4, "govern does not answer"),
    # the log
    ("alice", ("events", "tail", "--after", "12"), 2, "no cursor"),
    ("carol", ("events", "tail"), 5, ""),
    ("alice", ("events", "verify"), 2, "--key"),
    ("alice", ("events", "verify", "--key", NONE), 2, "Name an export, or --live"),
    ("alice", ("events", "verify", "--live", "--key", NONE), 3, "not a public key"),
    ("alice", ("events", "verify", "--live", "--key", "nowhere.pub"), 6, "nowhere.pub"),
    ("alice", ("events", "verify", "nowhere", "--key", "keys/log.key.pub"), 6, "not an exported log"),
    ("alice", ("events", "verify", "--live", "--key", "other.pub"), 8, "cannot be trusted"),
    ("alice", ("events", "verify", "--live", "--key", "keys/log.key.pub", "--expect", "host.toml"), 8, ""),
    ("alice", ("events", "export", "host.toml"), 2, "cannot be written"),
    ("alice", ("events", "export", "filled"), 7, "an export already"),
    ("alice", ("events", "schema", "no.such"), 6, "no such entry type"),
    ("alice", ("events", "schema", "../catalog"), 6, "no such entry type"),
]  # fmt: skip

# `demo` has no input: what it refuses is in the demo's own tests
WITHOUT_INPUT = {"demo"}


@pytest.fixture(scope="module")
def firm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    with company(tmp_path_factory.mktemp("firm")) as found:
        prepare(found)
        yield found


def prepare(firm: Company) -> None:
    """Configurations and files with one thing wrong."""
    root = firm.root
    host, alice = (root / "host.toml").read_text(), DESK.format(login="alice")
    elsewhere = (
        f'[admin]\ndsn = "{firm.site.dsn.rpartition("/")[0].replace(":" + password(firm), "")}/postgres"\n'
    )
    texts = {
        "broken": 'host = "fs1"\n[switch\n',
        "faults": host.replace("port = 1", "port = 0")
        .replace('directory = "spool"', 'directory = "spool"\nkeep_sealed = "soon"')
        .replace('url = "file:vault/audio"', 'url = "ftp://x/y"'),
        "empty": "",
        "badpolicy": host.replace('"policy.toml"', '"bad-policy.toml"'),
        "badkey": host.replace("age1", "AGE-SECRET-KEY-1"),
        "away": '[admin]\ndsn = "postgresql://alice@127.0.0.1:1/fsgov"\n',
        "other": elsewhere + f'user = "postgres"\npassword = "file:{root}/pg/password"\n',
        "wrong": alice.replace("alice.password", "bob.password"),
        "service": alice.replace('"alice"', '"fsgov_ship"').replace("alice.password", "logins/ship"),
        "novault": alice.replace("[vault.eu]", "[vault.us]"),
        "lostvault": alice.replace("file:vault/audio", "file:no-vault"),
        "deaf": alice.replace('"c.sock"', '"deaf.sock"'),
    }
    for name, text in texts.items():
        (root / f"{name}.toml").write_text(text)
    policy = (root / "policy.toml").read_text()
    (root / "bad-policy.toml").write_text(policy.replace('consent = "none"', 'consent = "maybe"', 1))
    test = '[[test]]\nname = "the rest is not recorded"\ncall = { dialled = "1" }\n'
    (root / "failing.toml").write_text(policy + test + 'expect = { record = "always" }\n')
    rest = policy.index('[[rule]]\nname = "rest"')
    again = '[[rule]]\nname = "again"\nwhen.dialled = "+49309018201*"\nrecord = "never"\n'
    (root / "shadowed.toml").write_text(policy[:rest] + again + policy[rest:])
    (root / "taken").mkdir()
    (root / "taken" / f"{FIRST}.json").touch()
    (root / "filled").mkdir()
    (root / "filled" / "entries.jsonl").touch()
    made = firm.fsgov("keys", "generate", "signing", "--output", "desk/other.key", "--json").json
    write_private(root / "other.pub", made["public"])
    deaf = socket.socket(socket.AF_UNIX)
    deaf.bind(str(root / "deaf.sock"))
    deaf.close()
    firm.keep()


def password(firm: Company) -> str:
    return (firm.root / "pg" / "password").read_text().strip()


@pytest.fixture(scope="module")
def before(firm: Company) -> dict[str, object]:
    return {**firm.snapshot(), "top": sorted(firm.root.iterdir())}


@pytest.fixture(scope="module")
def ended(
    request: pytest.FixtureRequest, firm: Company, before: dict[str, object]
) -> Iterator[Callable[[str, tuple[str, ...]], Done]]:
    """How each chosen case ended; two run at a time, since most of it is the start of Python."""
    with ThreadPoolExecutor(2) as pool:
        chosen = [item.callspec.params for item in request.session.items if hasattr(item, "callspec")]
        running = {
            (case["who"], case["words"]): pool.submit(firm.fsgov, *case["words"], who=case["who"], code=None)
            for case in chosen
            if "who" in case and "words" in case
        }
        yield lambda who, words: running[who, words].result()


CHOSEN = [
    pytest.param(*case, marks=() if number % 3 == 0 else (pytest.mark.slow,))
    for number, case in enumerate(CASES)
]
"""A third of them in `make test`: each is a start of Python. All of them in `make crash`."""


@pytest.mark.parametrize(("who", "words", "code", "said"), CHOSEN, ids=lambda value: str(value)[:60])
def test_bad_input_is_told(
    firm: Company,
    ended: Callable[[str, tuple[str, ...]], Done],
    who: str,
    words: tuple[str, ...],
    code: int,
    said: str,
) -> None:
    done = ended(who, words)
    assert done.code == code, done
    told = done.out + done.err
    assert said in told
    assert "Traceback" not in told
    if words[0] not in ("check", "status"):
        assert done.err.startswith("fsgov: ")
        assert "\n  hint: " in done.err
    assert password(firm) not in told
    assert firm.site.secret not in told


def test_nothing_of_this_changed_a_row_or_a_file(firm: Company, before: dict[str, object]) -> None:
    """Runs after the cases: the same module, in order. What was refused is kept, and has its line."""
    after = {**firm.snapshot(), "top": sorted(firm.root.iterdir())}
    changed = {name for name in after | before if after.get(name) != before.get(name)}
    assert changed <= {"refused_accesses", "outbox", "origins"}
    kept = "SELECT count(*) FROM fsgov.refused_accesses"
    lines = "SELECT count(*) FROM fsgov.outbox WHERE position('access.refused'::bytea IN line) > 0"
    assert firm.site.ask(kept) == firm.site.ask(lines)
    ((now, _),), ((then, _),) = after["outbox"], before["outbox"]  # type: ignore[misc, str-unpack]
    assert [(now - then,)] == firm.site.ask(lines)


def test_every_command_is_among_the_cases() -> None:
    tried = {name for name in ALL for _, words, _, _ in CASES if " ".join(words).startswith(name)}
    assert set(ALL) - tried == WITHOUT_INPUT


def test_a_spool_that_everybody_may_read_is_told_by_check(firm: Company) -> None:
    calls = firm.root / "spool" / "calls"
    calls.chmod(0o755)
    try:
        assert "spool" in firm.fsgov("check", code=3).out
    finally:
        calls.chmod(0o700)


def test_a_fault_of_fsgov_itself_is_one_line_and_a_place(firm: Company, tmp_path: Path) -> None:
    """A schema file that is damaged is nobody's input: the unexpected path, end to end."""
    done = firm.fsgov("events", "tail", who="alice", PYTHONPATH=str(broken_catalog(tmp_path)), code=1)
    assert "This is a fault of fsgov itself" in done.err
    assert "Traceback" not in done.err
    place = firm.root / "state" / "fsgov" / "error.log"
    assert str(place) in done.err
    assert "ZeroDivisionError" in place.read_text()


def broken_catalog(directory: Path) -> Path:
    """A start-up file that breaks one function of the catalog."""
    (directory / "sitecustomize.py").write_text(
        "import fsgov.catalog.log as log\n"
        "def broken(*_):\n    raise ZeroDivisionError('on purpose')\n"
        "log.lines = broken\n"
    )
    return directory
