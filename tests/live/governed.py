"""`fsgov run` beside a real FreeSWITCH: the demo's site and stage, with a policy told apart by who calls."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from fsgov.catalog.desk import Desk
from fsgov.catalog.rows import SegmentRow, WholeCall
from fsgov.cli import live
from fsgov.demo import site, verdict
from fsgov.demo.site import Site
from fsgov.demo.stage import Stage
from tests.live.phones import Phones, Placed, eventually

PLAIN, ASKED, NEVER, NOTICE, OPT_OUT, CUT, ON_B, AT_ONCE, HELD, HELD_ASKED, ARMED = (
    f"+4722{n:02}" for n in range(11)
)
"""How the numbers of callers begin, one kind for each rule."""
POLICY = f"""
version = "live"
timezone = "Europe/Berlin"
[purpose.evidence]
basis = "contract"
retain_max = "5 years"
[purpose.training]
basis = "consent"
retain_max = "6 months"
[prompt.question]
file = "prompts/question-de.wav"
[prompt.sorry]
file = "prompts/notice-en.wav"

[[rule]]
name = "plain"
when.caller = ["{PLAIN}*"]
record = "always"
consent = "none"
purposes = ["evidence"]
pause = {{ by = "mask", max = "3 min", at_max = "stop" }}
[[rule]]
name = "asked"
when.caller = ["{ASKED}*"]
record = "always"
consent = "opt_in"
purposes = ["evidence", "training"]
ask = {{ prompt = "question", yes = "1", no = "2", timeout = "3 s", withdraw = "*9" }}
[[rule]]
name = "notice"
when.caller = ["{NOTICE}*"]
record = "always"
consent = "notice"
purposes = ["evidence"]
ask = {{ prompt = "question", withdraw = "*9" }}
[[rule]]
name = "opt out"
when.caller = ["{OPT_OUT}*"]
record = "always"
consent = "opt_out"
purposes = ["evidence"]
ask = {{ prompt = "question", no = "2", timeout = "2 s", withdraw = "*9" }}
[[rule]]
name = "cut"
when.caller = ["{CUT}*"]
record = "always"
consent = "none"
purposes = ["evidence"]
pause = {{ by = "cut" }}
[[rule]]
name = "on b"
when.caller = ["{ON_B}*"]
record = "always"
consent = "none"
purposes = ["evidence"]
leg = "b"
[[rule]]
name = "at once"
when.caller = ["{AT_ONCE}*"]
record = "always"
consent = "none"
purposes = ["evidence"]
unbuffered = true
[[rule]]
name = "armed"
when.caller = ["{ARMED}*"]
consent = "none"
purposes = ["evidence"]
armed = true
[[rule]]
name = "held"
when.caller = ["{HELD}*"]
consent = "none"
purposes = ["evidence"]
gate = true
require = "before_answer"
[[rule]]
name = "held, asked"
when.caller = ["{HELD_ASKED}*"]
consent = "opt_in"
purposes = ["evidence", "training"]
ask = {{ prompt = "question", yes = "1", no = "2", timeout = "3 s" }}
gate = true
require = "before_answer"
[[rule]]
name = "never"
record = "never"
"""


class Shelf(threading.Thread):
    """Keeps each file that the switch writes, by a second name, whatever becomes of the first."""

    def __init__(self, audio: Path, kept: Path) -> None:
        super().__init__(daemon=True)
        self._audio, self._kept = audio, kept
        kept.mkdir()
        self.ended = False

    def run(self) -> None:
        while not self.ended:
            for file in self._audio.glob("*.wav"):
                kept = self._kept / file.name
                if not kept.exists():
                    try:
                        os.link(file, kept)
                    except FileNotFoundError:
                        continue
            time.sleep(0.05)

    def sha256(self, segment: str) -> str:
        return hashlib.sha256((self._kept / f"{segment}.wav").read_bytes()).hexdigest()

    def names(self, call: str) -> list[str]:
        """The segments with at least one frame of audio."""
        return sorted(path.stem for path in self._kept.glob(f"{call}-*.wav") if path.stat().st_size > 44)


class Governed:
    """The service, the phones, and a desk; `over` waits for a call's end and gives what came of it."""

    def __init__(self, stage: Stage, phones: Phones, desk: Desk, shelf: Shelf) -> None:
        self.stage, self.phones, self.desk, self.shelf = stage, phones, desk, shelf

    def act(self, placed: Placed, act: str) -> int:
        return live.ask(self.stage.site.control, "POST", f"/v1/calls/{placed.call}/{act}")[0]

    def now(self, placed: Placed) -> dict[str, object]:
        """The conversation as govern sees it; empty where it has none."""
        return next((each for each in self.stage.live() if each["call"] == placed.call), {})

    def recording(self, placed: Placed, n: int = 1, within: float = 10.0) -> None:
        """Until the switch has started the nth recording of this call."""
        name = f"{placed.call}-{n:02}.wav"

        def begun() -> bool:
            return any(
                event.get("Record-File-Path", "").endswith(name) and event.get("Event-Name") == "RECORD_START"
                for event in tuple(self.phones.switch_ear.events)
            )

        eventually(begun, within, f"{name} was not started")

    def over(self, call: str, within: float = 30.0) -> WholeCall:
        def entered() -> WholeCall | None:
            try:
                whole = self.desk.call(call)
            except Exception:
                return None
            return whole if whole.call.outcome and not whole.call.missing else None

        return eventually(entered, within, f"{call} is not entered: {self.stage.last_words()}")  # type: ignore[return-value]

    def audio(self, segment: SegmentRow) -> bytes:
        """What an export gives; it must be what the switch wrote."""
        audio = verdict.opened(self.stage.site, self.desk, segment)
        digest = hashlib.sha256(audio).hexdigest()
        assert digest == segment.audio_sha256
        assert digest == self.shelf.sha256(segment.segment)
        return audio

    def whole(self, whole: WholeCall) -> list[bytes]:
        """The audio of all segments, and that nothing else was written for this call."""
        there = [segment for segment in whole.segments if segment.state != "missing"]
        assert self.shelf.names(whole.call.call) == [segment.segment for segment in there]
        return [self.audio(segment) for segment in there]


@pytest.fixture(scope="module")
def governed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Governed]:
    if "FSGOV_LIVE_PHONES" not in os.environ:
        pytest.skip("FSGOV_LIVE_PHONES=host:port:password names no switch that places calls")
    switch = os.environ["FSGOV_LIVE_FREESWITCH"]
    host, port, password = switch.split(":", 2)
    assert host == "127.0.0.1", "the switch writes into this host's spool"
    where = Site(tmp_path_factory.mktemp("real"))
    site.make(where, POLICY)
    (where.host / "switch.password").write_text(password + "\n")
    site.configure(where, int(port))
    dial = os.environ.get("FSGOV_LIVE_DIAL", "sofia/internal/{}@127.0.0.1:5060")
    phones = Phones(switch, os.environ["FSGOV_LIVE_PHONES"], dial, where.switch / "sweep.wav")
    shelf = Shelf(where.spool / "audio", where.switch / "kept")
    shelf.start()
    with Stage.open(where) as stage:
        stage.start_service()
        stage.wait_ready()
        with stage.desk("bob") as dsn, closing(Desk(dsn)) as desk:
            yield Governed(stage, phones, desk, shelf)
    shelf.ended = True
    phones.close()


def result(whole: WholeCall) -> tuple[str | None, str]:
    return whole.call.outcome, whole.call.outcome_cause
