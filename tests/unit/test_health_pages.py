"""/metrics, /healthz, /readyz of a part that is made of values; histograms as Prometheus adds them up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from falcon import testing

from fsgov.alarms import Alarms
from fsgov.errors import Unreachable
from fsgov.health import metrics
from fsgov.health.metrics import Collected, Kind, Row
from fsgov.health.pages import application
from fsgov.health.spread import Spread
from fsgov.health.vitals import Readings, by, one

ROWS = (
    Row("fsgov_build_info", Kind.GAUGE, ("version", "part"), ("keep",), "Which."),
    Row("fsgov_alarms", Kind.GAUGE, ("alarm",), ("keep",), "Alarms."),
    Row("fsgov_ready", Kind.GAUGE, ("check",), ("keep",), "Ready."),
    Row("fsgov_loop_age_seconds", Kind.GAUGE, (), ("keep",), "Age."),
    Row("fsgov_things_total", Kind.COUNTER, ("kind",), ("keep",), "Things."),
    Row("fsgov_took_seconds", Kind.HISTOGRAM, (), ("keep",), "Took."),
    Row("fsgov_elsewhere", Kind.GAUGE, (), ("ship",), "Of another part."),
)


class Part:
    """A part as a test wants it."""

    part = "keep"

    def __init__(self) -> None:
        self.alarms = Alarms("keep", lambda *_: None, lambda: 1)
        self.age = 0.0
        self.wrong: dict[str, str] = {"database": "", "sink.file": ""}
        self.spread = Spread((0.1, 1.0))
        self.more: Readings = {}

    def turned(self) -> float:
        return self.age

    def limit(self) -> float:
        return 5.0

    def checks(self) -> Mapping[str, str]:
        return self.wrong

    def readings(self) -> Readings:
        things = by({"a": 3, "b": 1}, known=("a", "c"))
        return {"fsgov_things_total": things, "fsgov_took_seconds": {(): self.spread}, **self.more}


@pytest.fixture
def part(monkeypatch: pytest.MonkeyPatch) -> Part:
    monkeypatch.setattr(metrics, "TABLE", ROWS)
    return Part()


def ask(part: Part, page: str, **headers: str) -> Any:
    return testing.TestClient(application(part)).simulate_get(page, headers=headers)


def test_it_lives_while_its_loop_turns(part: Part) -> None:
    assert ask(part, "/healthz").status_code == 200
    part.age = 5.01
    answer = ask(part, "/healthz")
    assert answer.status_code == 503
    assert answer.json == {"part": "keep", "alive": False, "loop_age_seconds": 5.0}


def test_it_is_ready_while_nothing_is_wrong(part: Part) -> None:
    assert ask(part, "/readyz").status_code == 200
    part.wrong["database"] = "PostgreSQL does not answer"
    part.alarms.raise_("log", Unreachable("It does not grow"))
    answer = ask(part, "/readyz")
    assert answer.status_code == 503
    assert answer.json == {
        "part": "keep",
        "ready": False,
        "checks": {
            "database": {"ok": False, "reason": "PostgreSQL does not answer"},
            "sink.file": {"ok": True},
        },
        "alarms": {"log": "It does not grow"},
    }


def test_a_part_whose_loop_is_stuck_is_not_ready(part: Part) -> None:
    part.age = 60
    answer = ask(part, "/readyz")
    assert answer.status_code == 503
    assert answer.json["checks"]["loop"]["ok"] is False


def test_metrics_are_what_prometheus_reads(part: Part) -> None:
    for seconds in (0.05, 0.1, 0.5, 7.0):
        part.spread.add(seconds)
    part.alarms.raise_("sink.file", Unreachable("full"))
    part.wrong["sink.file"] = "full"
    answer = ask(part, "/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    lines = answer.text.splitlines()
    for line in (
        'fsgov_things_total{kind="a"} 3.0',
        'fsgov_things_total{kind="c"} 0.0',
        'fsgov_took_seconds_bucket{le="0.1"} 2.0',
        'fsgov_took_seconds_bucket{le="1.0"} 3.0',
        'fsgov_took_seconds_bucket{le="+Inf"} 4.0',
        "fsgov_took_seconds_count 4.0",
        'fsgov_alarms{alarm="sink"} 1.0',
        'fsgov_alarms{alarm="log"} 0.0',
        'fsgov_ready{check="sink.file"} 0.0',
        'fsgov_ready{check="database"} 1.0',
    ):
        assert line in lines
    assert "fsgov_elsewhere" not in answer.text
    assert "process_resident_memory_bytes" in answer.text


def test_the_other_format_is_given_to_who_asks_for_it(part: Part) -> None:
    answer = ask(part, "/metrics", Accept="application/openmetrics-text")
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert answer.text.endswith("# EOF\n")


@pytest.mark.parametrize(("more", "fault"), [({"fsgov_new": one(1)}, "fsgov_new"), (None, "fsgov_took")])
def test_a_reading_without_its_row_is_a_fault_and_so_is_a_row_without_its_reading(
    part: Part, monkeypatch: pytest.MonkeyPatch, more: Readings | None, fault: str
) -> None:
    if more is None:
        monkeypatch.setattr(part, "readings", dict)
        fault = "fsgov_things_total"
    else:
        part.more = more
    with pytest.raises(KeyError, match=fault):
        list(Collected(part).collect())


def test_nothing_but_the_three_pages(part: Part) -> None:
    assert ask(part, "/v1/calls").status_code == 404
    assert testing.TestClient(application(part)).simulate_post("/readyz").status_code == 405
