"""The service beside a simulated switch, asked for its health as Prometheus and an operator would."""

from __future__ import annotations

import http.client
import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fsgov.demo.stage import Stage
from tests.acceptance.play import HEARTBEAT
from tests.live.cli import fsgov

PARTS = ("govern", "ship", "keep")
SAMPLE = re.compile(r"(?P<name>[a-z_]+)(?:\{(?P<labels>.*)\})? (?P<value>\S+)")


@dataclass(frozen=True)
class Scrape:
    """What one part exported at one moment."""

    text: str

    def names(self) -> set[str]:
        """The families with a TYPE line, as they are written in rules (counters with `_total`)."""
        return set(re.findall(r"^# TYPE (\S+)", self.text, re.MULTILINE))

    def samples(self) -> set[str]:
        """The names that samples have: a histogram's are its buckets, sum and count."""
        found = (SAMPLE.fullmatch(line) for line in self.text.splitlines())
        return {sample["name"] for sample in found if sample}

    def value(self, name: str, **labels: str) -> float:
        """The sum of the samples of this name that have these labels."""
        wanted = {f'{label}="{value}"' for label, value in labels.items()}
        found = 0.0
        for line in self.text.splitlines():
            sample = SAMPLE.fullmatch(line)
            if sample and sample["name"] == name and wanted <= set((sample["labels"] or "").split(",")):
                found += float(sample["value"])
        return found


class Service:
    """The three parts under `fsgov run`, with their health on ports that the system chose."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.log = stage.site.host / "run.log"

    def start(self) -> None:
        """Start them, and learn the ports from the log."""
        self._configure(dict.fromkeys(PARTS, 0))
        before = len(self.words())
        self.stage.start_service()
        self.stage.wait_ready()

        def known() -> bool:
            found = re.findall(r"event=health.listening port=(\d+) part=(\w+)", self.words()[before:])
            self.ports = {part: int(port) for port, part in found}
            return len(self.ports) == len(PARTS)

        until(known)
        self._configure(self.ports)

    def switch_again(self) -> None:
        """The switch starts, which writes the configuration anew."""
        self.stage.start_switch(*HEARTBEAT)
        self._configure(self.ports)

    def _configure(self, ports: dict[str, int]) -> None:
        place = self.stage.site.service
        text = place.read_text().partition("\n[health]")[0]
        lines = "\n".join(f'{part} = "127.0.0.1:{port}"' for part, port in ports.items())
        place.write_text(f"{text}\n[health]\n{lines}\n")

    def words(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def get(self, part: str, page: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.ports[part], timeout=10)
        try:
            connection.request("GET", page)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def scrape(self, part: str) -> Scrape:
        status, text = self.get(part, "/metrics")
        assert status == 200, text
        return Scrape(text.decode())

    def ready(self, part: str) -> tuple[int, dict[str, Any]]:
        status, text = self.get(part, "/readyz")
        return status, json.loads(text)

    def reason(self, part: str, check: str) -> str:
        """Why this check of /readyz fails, "" where it does not; the status agrees."""
        status, told = self.ready(part)
        assert (status == 200) is told["ready"] is all(each["ok"] for each in told["checks"].values())
        return str(told["checks"][check].get("reason", ""))

    def alarms(self, part: str) -> dict[str, str]:
        return dict(self.ready(part)[1]["alarms"])

    def status(self, *words: str) -> str:
        """What `fsgov status` says on the switch host."""
        return fsgov("--config", str(self.stage.site.service), "status", *words, cwd=self.stage.site.host).out

    def up(self) -> set[tuple[str, str]]:
        """Part and name of each alarm in `fsgov status`."""
        return {(each["part"], each["alarm"]) for each in json.loads(self.status("--json"))["alarms"]}

    def entered(self, type_: str, alarm: str) -> int:
        """Lines of this type about this alarm that the running parts of the host have written."""
        lines = [
            json.loads(line)
            for path in (self.stage.site.spool / "entries").glob("*.jsonl")
            for line in path.read_text().splitlines()
        ]
        return sum(line["type"] == f"fsgov.{type_}.v1" and line["data"]["alarm"] == alarm for line in lines)


def until(holds: Callable[[], object], seconds: float = 30.0, why: Callable[[], object] = str) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, why()
        time.sleep(0.1)
