"""Policies and stops in the real govern, against the simulated switch: judged by what the switch wrote.

PostgreSQL, govern and the switch are real processes; ship and keep are not needed and do not run.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from fsgov import config, embedded
from fsgov.catalog.inforce import Acting
from fsgov.cli import live
from fsgov.demo import site
from fsgov.demo.site import Site, tone
from fsgov.demo.stage import Stage
from fsgov.errors import BadConfiguration
from fsgov.govern.compiling import compiled
from fsgov.policy import parse
from tests.acceptance.play import fsgov
from tests.parts import postgres

CALLER, OTHER = "+4722999001", "+4722999002"
LINE = "+4722000100"
SECOND = 50
"""Moments of the switch: frames of 20 ms."""
_numbers = itertools.count(1)


def document(version: str, *, record: bool = True, head: str = "", ask: str = "") -> str:
    rule = f'record = "always"\nconsent = "{"notice" if ask else "none"}"\npurposes = ["evidence"]\n{ask}'
    return f"""version = "{version}"
timezone = "Europe/Berlin"
{head}
[purpose.evidence]
basis = "contract"
retain_max = "5 years"
[[rule]]
name = "line of {version}"
when.dialled = ["{LINE}"]
{rule if record else 'record = "never"'}
[[rule]]
name = "rest"
record = "never"
"""


class Host:
    """The stage with a govern of its own, and people at their desks."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.govern: subprocess.Popen[bytes] | None = None
        self.up: list[str] = []

    def start(self) -> None:
        self.govern = self.stage.start_service(part="govern")
        eventually(self.stage.connected)

    def stop(self) -> None:
        assert self.govern is not None
        self.govern.terminate()
        assert self.govern.wait(30) == 0

    @contextmanager
    def acting(self, person: str) -> Iterator[Acting]:
        with self.stage.desk(person) as dsn, closing(Acting(dsn)) as acting:
            yield acting

    def said(self, *words: str, person: str = "bob", code: int = 0) -> Any:
        done = fsgov(self.stage, *words, "--json", person=person)
        assert done.code == code, done
        return json.loads(done.out) if done.out else done.err

    def file(self, **facts: Any) -> Path:
        version = f"v{next(_numbers)}"
        path = self.stage.site.host / f"{version}.toml"
        path.write_text(document(version, **facts))
        return path

    def activated(self, **facts: Any) -> str:
        """A new document in force on this host; its version."""
        path = self.file(**facts)
        self.said("policy", "activate", str(path), "--yes")
        eventually(lambda: self.policy()["version"] == path.stem, 1.5 * crowd())
        return path.stem

    def policy(self) -> dict[str, Any]:
        return dict(self.status()["policy"])

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = live.ask(self.stage.site.control, "GET", "/v1/status")[1]
        return found

    def call(self, caller: str = CALLER) -> str:
        """An answered call; its id."""
        name = f"call {next(_numbers)}"
        made = self.stage.do("call", caller=caller, dialled=LINE, **{"as": name})
        self.up.append(name)
        self.stage.do("bridge", call=name, agent="1000")
        return str(made["call"])

    def opened(self, call: str) -> int:
        return len(self.stage.ledger.all("opened", uuid=call))

    def closed(self, call: str) -> list[int]:
        return [each["moment"] for each in self.stage.ledger.all("closed", uuid=call)]

    def recorded(self, call: str) -> None:
        self.stage.ledger.wait("opened", uuid=call, timeout=10)

    def entries(self, type_: str) -> list[dict[str, Any]]:
        folder = self.stage.site.spool / "entries"
        lines = [line for path in sorted(folder.glob("*.jsonl")) for line in path.read_text().splitlines()]
        found = [json.loads(line) for line in lines]
        return [each for each in found if each["type"] == f"fsgov.{type_}.v1"]


def crowd() -> float:
    """How many want each processor, at least one: a second is what a host takes that does nothing else."""
    return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


def eventually(true: Callable[[], object], within: float = 20.0) -> None:
    end = time.monotonic() + within
    while not true():
        assert time.monotonic() < end, "it has not come true"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    where = Site(tmp_path_factory.mktemp("f"))
    postgres.prepare(where.database)
    with Stage.open(where) as stage:
        site.make(where, document("file"))
        stage.start_switch()
        host = Host(stage)
        host.start()
        yield host
        host.stop()


@pytest.fixture
def host(running: Host) -> Iterator[Host]:
    """govern and PostgreSQL run; no call and no stop is left over afterwards."""
    if running.govern is None or running.govern.poll() is not None:
        running.start()
    yield running
    for name in running.up:
        running.stage.do("hang_up", call=name, by="a")
    running.up.clear()
    eventually(lambda: not running.stage.live())
    with running.acting("bob") as acting:
        for stop in acting.stops():
            acting.lift(stop.id)
    eventually(lambda: running.status()["stops"] == 0)


# -- policies --------------------------------------------------------------------------------------------


def test_the_file_is_in_force_until_the_first_activation(host: Host) -> None:
    assert host.policy() | {"sha256": ""} == {"version": "file", "sha256": "", "activated": False}
    before = host.call()
    host.recorded(before)
    version = host.activated()
    assert host.policy()["activated"]
    assert host.entries("host.policy")[-1]["data"]["version"] == version
    assert host.govern is not None
    (host.stage.site.host / "policy.toml").write_text(document("file2", record=False))
    host.govern.send_signal(1)
    log = host.stage.site.host / "govern.log"
    eventually(lambda: "policy.file_checked" in log.read_text())
    assert host.policy()["version"] == version


def test_new_calls_are_decided_within_a_second_and_running_ones_keep_theirs(host: Host) -> None:
    first = host.activated()
    before = host.call()
    host.recorded(before)
    path = host.file(record=False)
    with host.acting("bob") as acting:
        now = next(row.sha256 for row in acting.history() if row.state == "in force")
        acting.activate(path.stem, path.read_text(), "none", now)
    time.sleep(1.0 * crowd())
    after = host.call()
    eventually(lambda: any(each["call"] == after and each["rule"] for each in host.stage.live()))
    rules = {each["call"]: each["rule"] for each in host.stage.live()}
    assert rules == {before: f"line of {first}", after: f"line of {path.stem}"}
    time.sleep(0.5)
    assert host.opened(after) == 0
    assert host.closed(before) == []


def test_two_persons_at_their_desks(host: Host) -> None:
    first = host.activated()
    path = host.file(record=False, head='approval = "two_persons"')
    assert host.said("policy", "activate", str(path), "--yes")["state"] == "proposed"
    assert "proposed" in host.said("policy", "approve", path.stem, "--yes", code=5)
    assert host.said("policy", "approve", "v-nowhere", "--yes", person="alice", code=6)
    time.sleep(1.0 * crowd())
    assert host.policy()["version"] == first
    assert host.said("policy", "approve", path.stem, "--dry-run", person="alice")["state"] == "not done"
    host.said("policy", "approve", path.stem, "--yes", person="alice")
    eventually(lambda: host.policy()["version"] == path.stem, 1.5 * crowd())
    back = host.said("policy", "rollback", "--yes")
    assert (back["version"], back["state"]) == (first, "proposed")
    history = host.said("policy", "history", person="alice")
    assert [row["state"] for row in history[:2]] == ["proposed", "in force"]
    host.said("policy", "approve", first, "--yes", person="alice")
    eventually(lambda: host.policy()["version"] == first, 1.5 * crowd())


def test_what_changes_is_shown_first_and_what_is_wrong_refused(host: Host) -> None:
    first = host.activated()
    path = host.file(record=False)
    shown = host.stage.fsgov("policy", "activate", str(path), "--dry-run", person="bob")
    assert f'~ version: "{first}" -> "{path.stem}"' in shown.err
    assert shown.code == 0
    changes = host.said("policy", "diff", "in-force", str(path))
    assert {change["kind"] for change in changes} == {"changed", "added", "removed"}
    assert host.said("policy", "diff", first, "in-force") == []
    path.write_text(path.read_text() + '[[test]]\nname = "x"\ncall = {}\nexpect = { rule = "moon" }\n')
    for words in (("test", str(path)), ("activate", str(path), "--yes")):
        assert host.stage.fsgov("policy", *words, person="bob").code == 3
    path.write_text("version = 1\n")
    assert host.stage.fsgov("policy", "activate", str(path), "--yes", person="bob").code == 3
    good = host.file()
    assert host.stage.fsgov("policy", "activate", str(good), "--yes", person="alice").code == 5
    time.sleep(0.8)
    assert host.policy()["version"] == first


def test_a_prompt_that_is_not_here_leaves_the_former_in_force(host: Host) -> None:
    first = host.activated()
    tone(host.stage.site.host / "ask.wav", 0.5, 500.0)
    head = f'[prompt.ask]\nfile = "{host.stage.site.host}/ask.wav"'
    path = host.file(head=head, ask='ask = { prompt = "ask" }')
    text = config.load_policy(path).text
    (host.stage.site.host / "ask.wav").rename(host.stage.site.host / "kept.wav")
    with host.acting("bob") as acting:
        now = next(row.sha256 for row in acting.history() if row.state == "in force")
        acting.activate(path.stem, text, "none", now)
    eventually(lambda: "in_force" in host.status()["alarms"])
    assert host.policy()["version"] == first
    raised = host.entries("alarm.raised")
    assert raised[-1]["data"]["alarm"] == "in_force"
    host.said("policy", "rollback", "--yes")
    eventually(lambda: "in_force" not in host.status()["alarms"])
    assert host.policy()["version"] == first
    host.call()


def test_without_postgresql_the_last_activated_policy_and_the_stops_are_in_force(host: Host) -> None:
    version = host.activated()
    with host.acting("alice") as acting:
        acting.place("number", CALLER, "")
    eventually(lambda: host.status()["stops"] == 1)
    host.stop()
    embedded.stop(host.stage.site.database)
    try:
        host.start()
        assert host.policy() | {"sha256": ""} == {"version": version, "sha256": "", "activated": True}
        stopped, other = host.call(CALLER), host.call(OTHER)
        host.recorded(other)
        assert host.opened(stopped) == 0
        here = host.said("stop", f"number:{OTHER}", "--local", "--yes", person="alice")
        eventually(lambda: host.closed(other), 1.0 * crowd())
        assert [row["id"] for row in host.said("stop", "--list", "--local", person="alice")] == [here["id"]]
        host.said("stop", "--lift", here["id"], "--local", person="alice")
        host.stage.ledger.wait("opened", uuid=other, nth=2)
    finally:
        assert host.stage.database is not None
        host.stage.database.revive()
    placed = [each for each in host.entries("stop.placed") if each["subject"] == here["id"]]
    assert [set(each["data"]) for each in placed] == [{"kind", "actor"}]
    eventually(lambda: host.stage.fsgov("stop", "--list", person="bob").code == 0)


# -- stops -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", [CALLER, LINE, "tenant:default", "host:demo"])
def test_a_stop_ends_what_runs_within_a_second_until_it_is_lifted(host: Host, what: str) -> None:
    host.activated()
    call, other = host.call(CALLER), host.call(OTHER)
    host.recorded(call)
    host.recorded(other)
    kind, _, name = what.rpartition(":")
    with host.acting("alice") as acting:
        stop = acting.place(kind or "number", name, "because")
        moment = host.stage.moment()
        eventually(lambda: host.closed(call))
        assert host.closed(call)[0] - moment <= SECOND
        if what == CALLER:
            assert host.closed(other) == []
        else:
            eventually(lambda: host.closed(other))
        again = host.call(CALLER)
        time.sleep(0.5)
        assert host.opened(again) == 0
        halted = {each["subject"]: each["data"]["stops"] for each in host.entries("call.halted")}
        assert halted[call] == [stop]
        assert halted[again] == [stop]
        acting.lift(stop)
    host.stage.ledger.wait("opened", uuid=call, nth=2)
    host.stage.ledger.wait("opened", uuid=again)


def test_people_stop_and_lift_at_their_desk(host: Host) -> None:
    host.activated()
    call = host.call()
    host.recorded(call)
    assert not host.said("stop", CALLER, "--dry-run")["done"]
    made = host.said("stop", "+47 22 999 001", "--reason", "he wants it", "--yes")
    eventually(lambda: host.closed(call))
    (row,) = host.said("stop", "--list", person="alice")
    assert (row["id"], row["number"], row["reason"]) == (made["id"], CALLER, "he wants it")
    assert host.stage.fsgov("calls", "start", call).code == 7
    host.said("stop", "--lift", made["id"], person="alice")
    host.stage.ledger.wait("opened", uuid=call, nth=2)
    for words in (("--lift", made["id"]), ("--lift", "nonsense"), (), ("moon",), (CALLER, "--list")):
        assert host.stage.fsgov("stop", *words, person="bob").code in (2, 6)
    said = host.stage.fsgov("stop", CALLER, person="bob")
    assert (said.code, "Stop every recording" in said.err) == (130, True)


def test_the_number_stands_in_no_line(host: Host) -> None:
    with host.acting("alice") as acting:
        acting.place("number", CALLER, "")
    eventually(lambda: host.status()["stops"] == 1)
    for path in (host.stage.site.spool / "entries").glob("*.jsonl"):
        assert CALLER not in path.read_text()
    assert CALLER not in (host.stage.site.host / "govern.log").read_text()
    assert (host.stage.site.spool / "stops.json").stat().st_mode & 0o777 == 0o600


# -- the compiler ----------------------------------------------------------------------------------------


def test_a_policy_compiled_in_a_child_is_the_same(running: Host) -> None:
    text = running.file().read_text()
    text += "".join(f'[[rule]]\nname = "n{n}"\nrecord = "never"\nwhen.dialled = ["{n}"]\n' for n in range(99))
    text = text.replace('[[rule]]\nname = "rest"\nrecord = "never"\n', "") + 'default = "never"\n'
    text = 'default = "never"\n' + text.removesuffix('default = "never"\n')
    found, expected = compiled(text, {"demo": ""}), parse(text)
    assert found == expected
    assert found.index == expected.index
    with pytest.raises(BadConfiguration, match="is not TOML"):
        compiled("version = ", {"demo": ""})
    with pytest.raises(BadConfiguration, match=r"there is no \[vault"):
        compiled(text.replace('record = "always"', 'record = "always"\nvault = "moon"'), {"demo": ""})
