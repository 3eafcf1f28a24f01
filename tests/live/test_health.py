"""The parts as processes: what they export, and what breaking their surroundings does to it. About 90 s."""

from __future__ import annotations

import http.client
import json
import re
import resource
import socket
from collections.abc import Iterator
from contextlib import closing
from functools import partial

import psutil
import pytest

from fsgov import embedded
from fsgov.catalog.desk import Desk
from fsgov.cli import live
from fsgov.config.settings import Address
from fsgov.demo import site
from fsgov.demo.scenes import Talk
from fsgov.demo.site import Site
from fsgov.demo.stage import Stage
from fsgov.errors import BadConfiguration
from fsgov.health.listener import serving
from fsgov.health.metrics import TABLE
from tests.acceptance.play import HEARTBEAT, begun, go_on, hang_up, plain, policy
from tests.live.vitals import PARTS, Service, until
from tests.parts import postgres
from tests.unit.test_health_rules import PROCESS, used_by_rules


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    where = Site(tmp_path_factory.mktemp("h"))
    postgres.prepare(where.database)
    with Stage.open(where) as stage:
        site.make(where, policy())
        stage.start_switch(*HEARTBEAT)
        found = Service(stage)
        found.start()
        yield found


def ready(service: Service) -> None:
    """Nothing is left of an earlier test."""
    until(lambda: all(service.ready(part)[0] == 200 and not service.alarms(part) for part in PARTS), 60)


def once(service: Service, type_: str, alarm: str) -> bool:
    """One line of that type has been written."""
    return service.entered(type_, alarm) == 1


def told(service: Service, part: str, alarm: str, up: bool) -> None:
    """The alarm is there, or is not, in /readyz, /metrics and `fsgov status`."""
    until(lambda: (alarm in service.alarms(part)) is up, 40, lambda: (service.alarms(part), service.words()))
    assert service.scrape(part).value("fsgov_alarms", alarm=alarm.partition(".")[0]) == float(up)


def test_each_part_exports_its_rows_and_rules_watch_nothing_else(service: Service) -> None:
    everything: set[str] = {"up"}
    for part in PARTS:
        scrape = service.scrape(part)
        assert scrape.names() == {row.name for row in TABLE if part in row.parts} | PROCESS
        everything |= scrape.samples()
        assert scrape.value("fsgov_build_info", part=part) == 1
    assert used_by_rules() - everything == set()


def test_a_call_moves_the_counters_and_leaves_no_trace_of_who_called(service: Service) -> None:
    ready(service)
    played = begun(service.stage, plain("counted"))
    until(lambda: service.scrape("govern").value("fsgov_captures", state="on") == 1)
    during = service.scrape("govern")
    assert during.value("fsgov_recorder_commands_total", command="open", result="accepted") == 1
    assert 0 < during.value("fsgov_recorder_reply_seconds_sum") < 3
    assert during.value("fsgov_recorder_start_seconds_count") == 1
    assert live.ask(service.stage.site.control, "POST", f"/v1/calls/{played.call}/pause")[0] == 200
    assert service.scrape("govern").value("fsgov_paused_calls") == 1
    assert service.scrape("govern").value("fsgov_pause_age_seconds") > 0
    go_on(service.stage, played, Talk(0.5), hang_up())
    until(lambda: service.scrape("govern").value("fsgov_calls_total", outcome="recorded") == 1)
    assert service.scrape("govern").value("fsgov_paused_calls") == 0
    until(lambda: service.scrape("ship").value("fsgov_spool_segments", state="entered") == 1)
    shipped = service.scrape("ship")
    assert shipped.value("fsgov_ship_step_seconds_count", step="store") == 1
    sealed = sum(path.stat().st_size for path in (service.stage.site.spool / "sealed").glob("*.age"))
    assert shipped.value("fsgov_stored_bytes_total") == sealed > 0
    until(lambda: service.scrape("ship").value("fsgov_spool_unentered_bytes") == 0)
    until(lambda: service.scrape("keep").value("fsgov_log_lines") > 10)
    assert service.scrape("keep").value("fsgov_log_moved_lines_total") > 10
    pages = "".join(service.scrape(part).text for part in PARTS)
    for trace in (played.call, "22999001", "220001"):
        assert trace not in pages


def test_the_socket_has_the_same_pages_and_the_address_takes_no_act(service: Service) -> None:
    assert live.ask(service.stage.site.control, "GET", "/healthz")[1]["alive"] is True
    connection = http.client.HTTPConnection("127.0.0.1", service.ports["govern"], timeout=10)
    with closing(connection):
        connection.request("POST", "/v1/calls/x/pause")
        assert connection.getresponse().status == 404
    for part in PARTS:
        assert service.get(part, "/healthz")[0] == 200
        assert service.get(part, "/v1/calls")[0] == 404


def test_a_dead_switch_and_a_vault_that_is_gone(service: Service) -> None:
    ready(service)
    stage = service.stage
    assert stage.switch is not None
    vault = stage.site.root / "vault" / "audio"
    stage.switch.child.kill()
    vault.rename(vault.with_name("away"))
    until(lambda: service.reason("govern", "switch"), 10)
    assert service.scrape("govern").value("fsgov_switch_connected") == 0
    assert service.scrape("govern").value("fsgov_ready", check="switch") == 0
    told(service, "govern", "switch", True)
    told(service, "ship", "vault.demo", True)
    assert service.reason("ship", "vault.demo")
    assert service.get("govern", "/healthz")[0] == 200
    assert service.up() == {("govern", "switch"), ("ship", "vault.demo")}
    words = service.status()
    assert "switch (govern): The switch does not answer. See whether FreeSWITCH runs" in words
    assert "vault.demo (ship)" in words
    vault.with_name("away").rename(vault)
    service.switch_again()
    told(service, "govern", "switch", False)
    told(service, "ship", "vault.demo", False)
    until(lambda: service.ready("govern")[0] == 200 and service.ready("ship")[0] == 200)
    for alarm in ("switch", "vault.demo"):
        until(partial(once, service, "alarm.cleared", alarm))
        assert service.entered("alarm.raised", alarm) == 1
    assert "no alarms" in service.status()
    assert "event=alarm.raised alarm=switch" in service.words()


def test_a_database_that_is_stopped(service: Service) -> None:
    ready(service)
    stage = service.stage
    embedded.stop(stage.site.database)
    until(lambda: service.reason("ship", "database") and service.reason("keep", "database"), 30)
    told(service, "ship", "database", True)
    told(service, "keep", "log", True)
    assert service.ready("govern")[0] == 200
    played = begun(stage, plain("without a database"))
    go_on(stage, played, Talk(0.5), hang_up())
    until(lambda: service.scrape("ship").value("fsgov_spool_segments", state="stored") == 1)
    assert service.scrape("ship").value("fsgov_spool_unentered_bytes") > 0
    assert service.scrape("keep").value("fsgov_log_leading") == 0
    assert stage.database is not None
    stage.database.revive()
    told(service, "ship", "database", False)
    told(service, "keep", "log", False)
    ready(service)
    assert service.scrape("keep").value("fsgov_log_leading") == 1
    with stage.desk("bob") as dsn, closing(Desk(dsn)) as desk:

        def of_keep() -> list[str]:
            lines = [json.loads(row.line) for row in desk.log.lines(desk.log.state().log_id)]
            return [line["type"] for line in lines if line["data"].get("alarm") == "log"]

        until(lambda: len(of_keep()) == 2)
        assert of_keep() == ["fsgov.alarm.raised.v1", "fsgov.alarm.cleared.v1"]


def test_a_spool_that_cannot_be_written(service: Service) -> None:
    ready(service)
    assert service.stage.service is not None
    parts = psutil.Process(service.stage.service.pid).children(recursive=True)
    (scribe,) = [part for part in parts if "fsgov.spool.scribe" in part.cmdline()]
    _, hard = resource.prlimit(scribe.pid, resource.RLIMIT_FSIZE)
    before = service.scrape("govern").value(
        "fsgov_recorder_commands_total", command="open", result="accepted"
    )
    resource.prlimit(scribe.pid, resource.RLIMIT_FSIZE, (0, hard))
    try:
        told(service, "govern", "spool", True)
        assert "spool" in service.reason("govern", "spool")
        call = service.stage.do("call", **{"as": "lost", "caller": "+4722999001", "dialled": "+4722000100"})
        service.stage.do("bridge", call="lost", agent="1000")
        until(lambda: service.scrape("govern").value("fsgov_recorder_commands_total", result="spool"))
        told(service, "govern", "recorder", True)
    finally:
        resource.prlimit(scribe.pid, resource.RLIMIT_FSIZE, (hard, hard))
    told(service, "govern", "spool", False)
    told(service, "govern", "recorder", False)
    now = service.scrape("govern").value("fsgov_recorder_commands_total", command="open", result="accepted")
    assert now == before + 1
    service.stage.do("hang_up", call="lost", by="a")
    for type_ in ("alarm.raised", "alarm.cleared"):
        until(partial(once, service, type_, "spool"))
    assert call["call"]


def test_an_address_that_is_taken_is_told(service: Service) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = Address("127.0.0.1", other.getsockname()[1])
        taken = pytest.raises(BadConfiguration, match=r"health\.ship = 127\.0\.0\.1:")
        with taken, serving(lambda *_: [], address, "ship"):
            pass


def test_a_part_that_ends_by_itself_is_told_by_those_that_live(service: Service) -> None:
    """The last of this file: the alarm stays up for ten minutes."""
    ready(service)
    for part, how in (("ship", "once"), ("ship", "2 times"), ("keep", "once")):
        _process(service, part).kill()
        until(partial(_again, service, part))
        until(partial(_told_of, service, part))
        if how == "once":
            assert service.alarms("govern")[f"part.{part}"] == f"{part} has ended once without being told to"
            until(partial(once, service, "alarm.raised", f"part.{part}"))
    assert service.scrape("govern").value("fsgov_alarms", alarm="part") == 2
    assert service.up() == {("govern", "part.ship"), ("govern", "part.keep")}
    assert "part.keep (govern): keep has ended once" in service.status()
    ends = json.loads((service.stage.site.spool / "parts.json").read_text())
    assert {part: len(times) for part, times in ends.items()} == {"govern": 0, "ship": 2, "keep": 1}


def _told_of(service: Service, part: str) -> bool:
    return f"part.{part}" in service.alarms("govern")


def _process(service: Service, part: str) -> psutil.Process:
    assert service.stage.service is not None
    children = psutil.Process(service.stage.service.pid).children()
    (found,) = [child for child in children if child.cmdline()[-2:] == ["--part", part]]
    return found


def _again(service: Service, part: str) -> bool:
    """It has been started again, and its loop goes round."""
    known = re.findall(r"event=health.listening port=(\d+) part=(\w+)", service.words())
    service.ports.update({name: int(port) for port, name in known})
    try:
        return _process(service, part).is_running() and service.get(part, "/readyz")[0] == 200
    except (ValueError, OSError, psutil.Error):
        return False
