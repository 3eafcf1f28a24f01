"""Events per CPU second, from the socket's bytes to the core's commands, against stock greenswitch.

Both read the same bytes of a captured load (20 calls at 10 a second, every call recorded). Stock greenswitch
only parses them into its queue; ours parses, translates and runs the core: the peer has the advantage.
"""

from __future__ import annotations

import io
import logging
import statistics
import time
from collections.abc import Callable

from greenswitch.esl import ESLProtocol

from bench import Figure
from fsgov.call import Site
from fsgov.esl.frames import Frames
from fsgov.esl.translate import Translator
from fsgov.policy import Policy, parse
from fsgov.switchboard import Switchboard
from tests import wire

CHUNK = 16384
POLICY = """
version = "bench"
timezone = "UTC"
[purpose.evidence]
basis = "contract"
retain_max = "5 years"
anchor = "call_end"
[[rule]]
name = "all"
record = "always"
consent = "none"
purposes = ["evidence"]
"""


def load() -> bytes:
    """Everything the switch sent down the one connection of the capture."""
    return max(wire.connections(wire.CAPTURES / "load-20-calls-10cps.jsonl").values(), key=len)


def ours(raw: bytes, policy: Policy) -> int:
    """How many events went through parser, translator and core."""
    frames, translator = Frames(), Translator(policy.names_of_variables)
    board = Switchboard(policy, Site(host="bench", trunks=("internal",), audio="/spool/audio"))
    events, commands, now = 0, 0, 1_795_280_000_000_000
    for at in range(0, len(raw), CHUNK):
        for frame in frames.feed(raw[at : at + CHUNK]):
            now += 1000
            event = translator.translate(frame.headers, now) if frame.is_event else None
            events += frame.is_event
            if event is not None:
                commands += len(board.handle(event))
    assert commands > 100, "the core has decided nothing"
    return events


def stock(raw: bytes) -> int:
    """How many events stock greenswitch has put into its queue."""
    protocol = ESLProtocol()
    protocol.sock_file = io.BytesIO(raw)
    protocol.sock = io.BytesIO()
    protocol.connected = True
    protocol._commands_sent = [_Ignored() for _ in range(1000)]
    protocol.receive_events()
    return int(protocol._esl_event_queue.qsize())


class _Ignored:
    def set(self, _: object) -> None:
        """A reply that nobody waits for."""


def rate(work: Callable[[], int], rounds: int) -> float:
    started, events = time.process_time(), 0
    for _ in range(rounds):
        events += work()
    return events / (time.process_time() - started)


def figures(*, short: bool = False) -> list[Figure]:
    logging.disable(logging.CRITICAL)
    raw = load()
    policy = parse(POLICY)
    pairs = [
        (rate(lambda: ours(raw, policy), 4), rate(lambda: stock(raw), 2)) for _ in range(2 if short else 9)
    ]
    ratio = statistics.median(a / b for a, b in pairs)
    return [
        Figure(
            name="events from socket bytes to the core's commands",
            value=round(statistics.median(a for a, _ in pairs)),
            unit="events per CPU second",
            peer="stock greenswitch 0.0.19, parsing alone",
            peer_value=round(statistics.median(b for _, b in pairs)),
            goal="at least 4 times",
            holds=ratio >= 4,
        )
    ]
