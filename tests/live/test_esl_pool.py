"""The command pool against a server that answers as told: order, deadlines, and whose reply is whose."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import gevent
import pytest
from gevent.event import Event
from gevent.queue import Queue

from fsgov.errors import BadUsage
from fsgov.esl.pool import Pool, Unanswered
from tests.scripted_socket import PASSWORD, Peer, eventually, serving


@contextmanager
def pool_of(answer: Callable[[Peer, str], None], size: int = 3, **more: float) -> Iterator[Pool]:
    """A started pool whose server hands each command line to `answer`."""

    def script(peer: Peer) -> None:
        peer.greet()
        while command := peer.command():
            if command == "exit":
                return
            answer(peer, command.removeprefix("api "))

    with serving(script) as port:
        pool = Pool("127.0.0.1", port, PASSWORD, size=size, reserved=1, **more)  # type: ignore[arg-type]
        pool.start()
        assert eventually(lambda: pool.ready == size)
        try:
            yield pool
        finally:
            pool.stop()


def echo(peer: Peer, command: str) -> None:
    peer.answer(f"+OK {command}")


def test_each_sender_gets_the_reply_to_its_own_command() -> None:
    with pool_of(echo) as pool:
        senders = [gevent.spawn(pool.send, f"c{n}", 5.0) for n in range(200)]
        gevent.joinall(senders, timeout=10)
        assert [s.value.text for s in senders] == [f"+OK c{n}" for n in range(200)]
        assert all(s.value.sent <= s.value.now for s in senders)


def test_urgent_commands_overtake_those_that_wait() -> None:
    gate, order = Event(), []

    def slowly(peer: Peer, command: str) -> None:
        order.append(command)
        if command.startswith("start"):
            gate.wait()
        peer.answer("+OK")

    with pool_of(slowly) as pool:
        starts = [gevent.spawn(pool.send, f"start {n}", 5.0) for n in range(10)]
        assert eventually(lambda: len(order) == 2)
        gevent.sleep(0.05)
        assert sorted(order) == ["start 0", "start 1"]  # the third seat is kept free
        assert pool.send("stop", 1.0, urgent=True).text == "+OK"
        gate.set()
        gevent.joinall(starts, timeout=5)
        assert order[2] == "stop"


def test_urgent_commands_are_first_where_no_seat_is_free() -> None:
    turns: Queue[None] = Queue()
    order: list[str] = []

    def slowly(peer: Peer, command: str) -> None:
        order.append(command)
        turns.get()
        peer.answer("+OK")

    with pool_of(slowly) as pool:
        waiting = [gevent.spawn(pool.send, f"mask {n}", 5.0, urgent=True) for n in range(3)]
        waiting += [gevent.spawn(pool.send, f"start {n}", 5.0) for n in range(6)]
        assert eventually(lambda: len(order) == 3)
        waiting.append(gevent.spawn(pool.send, "stop", 5.0, urgent=True))
        gevent.sleep(0.02)
        turns.put(None)
        assert eventually(lambda: len(order) == 4)
        assert order[3] == "stop"
        for _ in range(20):
            turns.put(None)
        gevent.joinall(waiting, timeout=5)


def test_a_late_reply_reaches_nobody_and_its_seat_is_used_again_only_then() -> None:
    gate = Event()

    def one_is_slow(peer: Peer, command: str) -> None:
        if command == "slow":
            gate.wait()
        echo(peer, command)

    with pool_of(one_is_slow, size=2, grace=5.0) as pool:
        with pytest.raises(Unanswered) as missed:
            pool.send("slow", 0.1)
        assert missed.value.sent is not None
        with pytest.raises(Unanswered) as never:
            pool.send("other", 0.1)  # one seat waits for its late reply, one is for urgent ones
        assert never.value.sent is None
        assert pool.send("stop", 1.0, urgent=True).text == "+OK stop"
        gate.set()
        assert eventually(lambda: pool.ready == 2)
        assert [pool.send(f"c{n}", 1.0).text for n in range(5)] == [f"+OK c{n}" for n in range(5)]
        assert pool.counts["late"] == 1
        assert pool.counts["replaced"] == 0


def test_a_seat_whose_reply_never_comes_is_replaced() -> None:
    def mute(peer: Peer, command: str) -> None:
        if command != "mute":
            echo(peer, command)

    with pool_of(mute, size=2, grace=0.1) as pool:
        with pytest.raises(Unanswered):
            pool.send("mute", 0.1)
        assert eventually(lambda: pool.counts["replaced"] == 1)
        assert pool.send("next", 3.0).text == "+OK next"


def test_a_connection_that_breaks_under_a_command() -> None:
    def hang_up(peer: Peer, command: str) -> None:
        if command == "die":
            peer.sock.close()
            raise OSError
        echo(peer, command)

    with pool_of(hang_up) as pool:
        with pytest.raises(Unanswered) as broken:
            pool.send("die", 5.0)
        assert broken.value.sent is not None
        assert pool.send("next", 3.0).text == "+OK next"
        assert eventually(lambda: pool.ready == 3)


def test_without_a_switch_a_command_ends_at_its_deadline_and_did_nothing() -> None:
    with serving(lambda _: None) as port:
        pass
    pool = Pool("127.0.0.1", port, PASSWORD, size=2)
    pool.start()
    with pytest.raises(Unanswered) as never:
        pool.send("uuid_exists x", 0.2)
    assert never.value.sent is None
    pool.stop()


def test_a_command_of_two_lines_is_refused_and_hurts_nobody() -> None:
    with pool_of(echo, size=2) as pool:
        with pytest.raises(BadUsage):
            pool.send("x\n\napi uuid_kill y", 1.0)
        assert pool.send("next", 1.0).text == "+OK next"
