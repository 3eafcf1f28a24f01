"""Live acts from the command line: through govern's socket to a switch, and what the audio says of them."""

from __future__ import annotations

import getpass
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fsgov.simulator.remote import Remote
from tests.live.cli import NOBODY, Company, company

ON_DEMAND = """
[[rule]]
name = "on demand"
when.dialled = ["+4930901830"]
record = "on_demand"
consent = "none"
purposes = ["evidence"]
[[rule]]
name = "rest"
"""


@dataclass
class Host:
    """The company, its switch and its govern."""

    firm: Company
    switch: Remote

    def answered(self, name: str, dialled: str) -> str:
        """A call between two people; its id."""
        call = str(self.switch.do("call", **{"as": name, "caller": "+493012345", "dialled": dialled})["call"])
        self.switch.do("bridge", call=name, agent="1000")
        return call

    def act(self, *words: str, code: int = 0, who: str = "host") -> Any:
        return self.firm.fsgov("calls", *words, "--json", who=who, code=code)


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    root = tmp_path_factory.mktemp("h")
    with company(root) as firm:
        firm.hire("me", "supervisor", "--os-user", getpass.getuser())
        policy = root / "policy.toml"
        policy.write_text(policy.read_text().replace('[[rule]]\nname = "rest"\n', ON_DEMAND.lstrip()))
        (root / "sim").mkdir()
        with Remote.start(recordings=root / "spool" / "audio", directory=root / "sim") as switch:
            settings = root / "host.toml"
            settings.write_text(settings.read_text().replace("port = 1\n", f"port = {switch.address[1]}\n"))
            with firm.part("govern"):
                found = Host(firm, switch)
                until(lambda: firm.fsgov("status", "--json", code=None).json["govern"]["switch"]["connected"])
                yield found


def until(holds: Callable[[], object], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_pause_resume_tag_and_stop_are_acknowledged(host: Host) -> None:
    call = host.answered("one", "+493090182012")
    host.switch.wait_for("opened", timeout=10)
    time.sleep(1.0)
    assert host.act("pause", call).json == {"call": call, "act": "pause", "acknowledged": True, "reason": ""}
    until(lambda: host.switch.world("masked"))
    time.sleep(0.5)
    host.act("resume", call)
    until(lambda: host.switch.world("unmasked"))
    host.act("tag", call, "complaint")
    host.act("stop", call)
    until(lambda: host.switch.world("closed"))
    spans = host.switch.world("closed")[0]["spans"]
    assert [masked for _, _, masked in spans] == [False, True, False]
    assert "live" in host.act("pause", NOBODY, code=6).err
    host.switch.do("hang_up", call="one", by="a")


def test_a_call_on_demand_is_started_by_somebody(host: Host) -> None:
    before = len(host.switch.world("opened"))
    call = host.answered("two", "+4930901830")
    time.sleep(1.0)
    assert len(host.switch.world("opened")) == before
    host.act("start", call)
    until(lambda: len(host.switch.world("opened")) == before + 1)
    host.switch.do("hang_up", call="two", by="a")
    until(lambda: host.act("stop", call, code=None).code in (6, 7))  # type: ignore[arg-type]


def test_what_the_switch_does_not_acknowledge_is_said(host: Host) -> None:
    call = host.answered("three", "+493090182012")
    time.sleep(1.0)
    host.switch.do("fault", kind="silence", command="uuid_record * mask")
    done = host.act("pause", call, code=4)
    assert done.json["acknowledged"] is False
    assert "not acknowledged" in done.err
    host.switch.do("hang_up", call="three", by="a")


def test_a_tag_that_is_none_is_refused(host: Host) -> None:
    call = host.answered("four", "+493090182012")
    time.sleep(0.5)
    assert "1 to 64" in host.act("tag", call, "x" * 65, code=2).err
    host.switch.do("hang_up", call="four", by="a")


def test_status_and_check_see_the_switch(host: Host) -> None:
    told = host.firm.fsgov("status", "--json").json
    assert told["govern"]["switch"]["core"] == host.switch.core_uuid
    found = host.firm.fsgov("check", "--json").json
    assert next(each for each in found if each["of"] == "switch")["state"] == "ok"


def test_a_wrong_password_of_the_switch_is_told(host: Host) -> None:
    wrong = host.firm.root / "wrong.toml"
    secret = host.firm.root / "wrong.password"
    secret.touch(mode=0o600)
    secret.write_text("nonsense")
    text = (host.firm.root / "host.toml").read_text()
    wrong.write_text(text.replace('"ClueCon"', f'"file:{secret}"'))
    assert "the switch refuses the login" in host.firm.fsgov("check", who="wrong", code=5).out


def test_the_socket_is_not_for_everybody(host: Host) -> None:
    assert Path(host.firm.root / "c.sock").stat().st_mode & 0o777 == 0o660
