"""What a mutated event socket does to esl: a BadFrame or nothing, and a connection that is made again.

`FSGOV_FUZZ=1000000` (frames) and `FSGOV_FUZZ_SEED` give the long form; a failure names its seed and number.
"""

from __future__ import annotations

import itertools
import os
import random
from collections import Counter
from collections.abc import Callable
from pathlib import PurePosixPath

import gevent
import pytest

from fsgov.esl.frames import BadFrame, Frames
from fsgov.esl.link import Link
from fsgov.esl.pool import Pool
from fsgov.esl.resync import Survey
from fsgov.esl.translate import Translator
from fsgov.events import Event, Resynced
from tests.fuzz.mutated import mutants, originals
from tests.scripted_socket import PASSWORD, Peer, eventually, serving

COUNT = int(os.environ.get("FSGOV_FUZZ", "20000"))
SEED = int(os.environ.get("FSGOV_FUZZ_SEED", "1"))
CORE = "5f9e6d25-b626-473b-a61c-c63284987e7d"


def test_mutated_frames_end_in_a_bad_frame_or_not_at_all() -> None:
    dice, translator, seen = random.Random(SEED), Translator(["tenant"]), Counter[str]()
    good = originals()[5]
    for number, mutant in enumerate(mutants(SEED, COUNT)):
        frames, stream = Frames(), mutant + good
        cut = dice.randrange(len(stream) + 1)
        try:
            for frame in itertools.chain(frames.feed(stream[:cut]), frames.feed(stream[cut:])):
                seen["frames"] += 1
                if frame.is_event:
                    event = translator.translate(frame.headers, 1)
                    seen[type(event).__name__] += 1
                    assert all(isinstance(n + v, str) for n, v in frame.headers.pairs())
                assert isinstance(frame.text, str)
        except BadFrame:
            seen["bad"] += 1
        except BaseException as fault:
            raise AssertionError(f"seed {SEED}, mutant {number}: {mutant[:200]!r}") from fault
    # it must have reached what it is about
    assert seen["bad"] > COUNT / 50
    assert seen["frames"] > COUNT / 10
    assert seen["LegCreated"] > COUNT / 1000
    assert translator.counts["unreadable"] > 0
    assert translator.counts["forged"] > 0


def switch_of(stream: list[bytes], listened: Callable[[], None]) -> Callable[[Peer], None]:
    """A switch that answers commands, and sends the next piece of the stream to whoever subscribes.

    `listened` is called when somebody subscribes after the last piece.
    """

    def script(peer: Peer) -> None:
        peer.greet()
        while command := peer.command():
            match command.split()[0:2]:
                case ["api", "global_getvar"]:
                    peer.answer(CORE)
                case ["api", "status"]:
                    peer.answer("0 session(s) - peak 0, last 5min 0 \n")
                case ["api", "show"]:
                    peer.answer('{"row_count": 0}\n')
                case ["event", _]:
                    peer.accept("+OK event listener enabled plain")
                    if stream:
                        peer.write(stream.pop())
                        gevent.sleep(0.002)
                        return  # whatever it was taken for: the connection ends, in a frame or between two
                    listened()
                case _:
                    peer.answer("-ERR\n")

    return script


@pytest.mark.timeout(600)
def test_a_link_survives_every_stream_and_listens_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fsgov.esl.pool._Pauses.__next__", lambda _: 0.001)
    failures: list[str] = []
    monkeypatch.setattr(
        gevent.get_hub(), "handle_error", lambda where, kind, fault, _: failures.append(f"{where}: {fault!r}")
    )
    pieces = [b"".join(mutants(SEED + n, 20)) for n in range(max(20, COUNT // 400))]
    left, told, marks = list(pieces), list[Event](), list[int]()
    with serving(switch_of(left, lambda: marks.append(len(told)))) as port:
        pool = Pool("127.0.0.1", port, PASSWORD, size=3)
        translator = Translator()
        survey = Survey(pool, translator, PurePosixPath("/spool/audio"))
        link = Link("127.0.0.1", port, PASSWORD, survey, translator, told.append)
        pool.start()
        link.start()
        assert eventually(lambda: marks, 15 + len(pieces) * 0.5)
        assert eventually(lambda: any(isinstance(event, Resynced) for event in told[marks[-1] :]), 15)
        assert link.connected
        link.stop()
        pool.stop()
    assert failures == []
    assert link.counts["malformed"] > len(pieces) / 10
