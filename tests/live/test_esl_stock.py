"""Each override of greenswitch 0.0.19 against the stock class: the same scene, what either does.

When one of these fails for the stock class, greenswitch has mended it: the override can go.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import gevent
import pytest
from greenswitch.esl import InboundESL

from fsgov.errors import NotPermitted, Unreachable
from fsgov.esl.connection import Connection, Unanswered
from tests import wire
from tests.scripted_socket import PASSWORD, Peer, eventually, serving

STOCK, OURS = InboundESL, Connection
HOSTILE = wire.connections(wire.CAPTURES / "hostile-callers.jsonl")


@contextmanager
def built(
    kind: type[Any], port: int, *, host: str = "127.0.0.1", timeout: float = 2, **more: Any
) -> Iterator[Any]:
    """A client of that class, taken away without its own stop, which hangs on the stock class."""
    client = kind(host, port, PASSWORD, timeout=timeout, **more)
    try:
        yield client
    finally:
        client._run = False
        readers = (client._receive_events_greenlet, client._process_events_greenlet)
        gevent.killall([g for g in readers if g], timeout=1)
        for name in ("sock_file", "sock"):
            if getattr(client, name, None):
                getattr(client, name).close()


@contextmanager
def connected(kind: type[Any], port: int, **more: Any) -> Iterator[Any]:
    with built(kind, port, **more) as client:
        client.connect()
        yield client


def friendly(peer: Peer) -> None:
    peer.greet()
    peer.wait_for_end()


def patience(kind: type[Any], seconds: float) -> float:
    """How long to wait: the stock class is known not to come to an end, ours may be on a busy machine."""
    return seconds if kind is STOCK else 10.0


def ends_within(seconds: float, act: Any) -> str:
    """What the act ends with, or "hangs"."""
    greenlet = gevent.spawn(act)
    greenlet.join(seconds)
    if not greenlet.ready():
        greenlet.kill()
        return "hangs"
    return type(greenlet.exception).__name__ if greenlet.exception else "answers"


@pytest.fixture(autouse=True)
def _no_traceback_of_greenlets() -> Iterator[None]:
    hub = gevent.get_hub()
    hub.NOT_ERROR, kept = (*hub.NOT_ERROR, Exception), hub.NOT_ERROR
    yield
    hub.NOT_ERROR = kept


def events_of(kind: type[Any], stream: bytes, name: str, count: int) -> list[Any]:
    """The events of that name that a receiver gets when these bytes come after the handshake."""

    def script(peer: Peer) -> None:
        peer.greet()
        peer.command()
        peer.write(stream)
        peer.wait_for_end()

    seen: list[Any] = []
    with serving(script) as port, connected(kind, port) as client:
        client.register_handle(name, seen.append)
        gevent.spawn(client.send, "api go").join(0.3)
        eventually(lambda: len(seen) >= count, 10 if count == 1 else 1.5)
    return seen


def after_handshake(stream: bytes) -> bytes:
    """The events of a capture's connection, without its replies (there is nobody to whom they answer)."""
    return b"".join(
        b"".join(f"{n}: {v}\n".encode() for n, v in f.headers) + b"\n" + f.body
        for f in wire.frames(stream)
        if f.get("Content-Type").startswith("text/event-")
    )


@pytest.mark.parametrize(("kind", "forged"), [(STOCK, True), (OURS, False)])
def test_a_display_name_forges_consent(kind: type[Any], forged: bool) -> None:
    """A SIP caller's name is `Bob%0AUnique-ID: …ff%0Avariable_fsgov_consent: given` (hostile-callers)."""
    created = events_of(kind, after_handshake(HOSTILE[1]), "CHANNEL_CREATE", 1)
    true_uuid = next(e.uuid for e in wire.events(wire.CAPTURES / "hostile-callers.jsonl", 1))
    first = created[0].headers
    assert (first.get("variable_fsgov_consent") == "given") is forged
    assert (first.get("Unique-ID") != true_uuid) is forged


@pytest.mark.parametrize(("kind", "understood"), [(STOCK, False), (OURS, True)])
def test_events_in_json(kind: type[Any], understood: bool) -> None:
    stream = after_handshake(wire.connections(wire.CAPTURES / "event-json-one-call.jsonl")[1])
    seen = events_of(kind, stream, "CHANNEL_ANSWER", 1 if understood else 9)
    assert bool(seen) is understood


@pytest.mark.parametrize(("kind", "alive"), [(STOCK, False), (OURS, True)])
def test_bytes_that_are_no_utf8(kind: type[Any], alive: bool) -> None:
    """A caller's Latin-1 name in a reply's body, as `uuid_getvar` gives it."""

    def script(peer: Peer) -> None:
        peer.greet()
        peer.command()
        peer.write(b"Content-Type: api/response\nContent-Length: 4\n\nJos\xe9")
        peer.wait_for_end()

    with serving(script) as port, connected(kind, port) as client:
        ending = ends_within(patience(kind, 0.6), lambda: client.send("api uuid_getvar x caller_id_name"))
        assert (ending == "answers") is alive


@pytest.mark.parametrize(("kind", "ending"), [(STOCK, "hangs"), (OURS, "Unanswered")])
def test_a_command_without_an_answer(kind: type[Any], ending: str) -> None:
    with serving(friendly) as port, connected(kind, port) as client:
        deadline = {} if kind is STOCK else {"deadline": 0.2}
        assert (
            ends_within(patience(kind, 0.6), lambda: client.send("api uuid_exists x", **deadline)) == ending
        )


@pytest.mark.parametrize(("kind", "whole"), [(STOCK, False), (OURS, True)])
def test_a_command_longer_than_the_socket_takes_at_once(kind: type[Any], whole: bool) -> None:
    size, came = 24 << 20, []

    def script(peer: Peer) -> None:
        peer.greet()
        gevent.sleep(0.2)
        came.append(peer.received(quiet=0.5))

    with serving(script) as port, connected(kind, port) as client:
        gevent.spawn(client.send, "x" * size).join(0.01)
        assert eventually(lambda: came, 10)
    assert (came[0] == size + 2) is whole


@pytest.mark.parametrize(("kind", "ending"), [(STOCK, "hangs"), (OURS, "Unanswered")])
def test_a_command_that_waits_when_the_connection_ends(kind: type[Any], ending: str) -> None:
    def script(peer: Peer) -> None:
        peer.greet()
        peer.command()

    with serving(script) as port, connected(kind, port) as client:
        deadline = {} if kind is STOCK else {"deadline": 60}  # it is not its deadline that ends the wait
        assert (
            ends_within(patience(kind, 0.6), lambda: client.send("api uuid_exists x", **deadline)) == ending
        )
        assert not client.connected


@pytest.mark.parametrize(("kind", "rounds"), [(STOCK, 1000), (OURS, 0)])
def test_an_end_of_file_inside_a_body(kind: type[Any], rounds: int) -> None:
    """The stock class asks a closed socket for the rest for ever, and lets no other greenlet run."""
    if kind is STOCK:
        asked = []

        class Ended:
            def read(self, _: int) -> bytes:
                asked.append(1)
                if len(asked) == rounds:
                    raise RuntimeError("it would go on")
                return b""

        with warnings.catch_warnings(), pytest.raises(RuntimeError, match="go on"):
            warnings.simplefilter("ignore")
            InboundESL._read_socket(Ended(), 100)
        return

    def script(peer: Peer) -> None:
        peer.greet()
        peer.command()
        peer.write(b"Content-Type: api/response\nContent-Length: 100\n\nten bytes.")

    with serving(script) as port, connected(kind, port) as client:
        assert ends_within(patience(kind, 0.6), lambda: client.send("api status")) == "Unanswered"
        assert client.lost.is_set()


@pytest.mark.parametrize(("kind", "honest"), [(STOCK, False), (OURS, True)])
def test_a_frame_that_is_none(kind: type[Any], honest: bool) -> None:
    """The reader is gone; does the connection say so?"""

    def script(peer: Peer) -> None:
        peer.greet()
        peer.write(b"No-Content-Type: here\n\n")
        peer.wait_for_end()

    with serving(script) as port, connected(kind, port) as client:
        client._receive_events_greenlet.join(2)
        assert client._receive_events_greenlet.dead
        assert client.connected is not honest


@pytest.mark.parametrize(("kind", "bounded"), [(STOCK, False), (OURS, True)])
def test_events_faster_than_they_are_received(kind: type[Any], bounded: bool) -> None:
    def script(peer: Peer) -> None:
        peer.greet()
        peer.command()
        for n in range(500):
            peer.event(f"Event-Name: X\nN: {n}")
        peer.wait_for_end()

    more = {"backlog": 100} if bounded else {}
    seen: list[str] = []
    gate = gevent.event.Event()

    def receive(event: Any) -> None:
        gate.wait()
        seen.append(event.headers["N"])

    with serving(script) as port, connected(kind, port, **more) as client:
        client.register_handle("*", receive)
        gevent.spawn(client.send, "api go").join(0.5)
        assert eventually(lambda: client.connected is not bounded)
        if bounded:
            assert client.counts["lagged"] == 1
            gate.set()
            assert eventually(lambda: len(seen) >= 100)
            gevent.sleep(0.02)
            assert seen == [str(n) for n in range(len(seen))]  # in order, without a gap, and then no more
            assert len(seen) <= 102
        else:
            assert client._esl_event_queue.qsize() > 400
            gate.set()


@pytest.mark.parametrize(("kind", "held_back"), [(STOCK, True), (OURS, False)])
def test_one_receiver_that_blocks(kind: type[Any], held_back: bool) -> None:
    def script(peer: Peer) -> None:
        peer.greet()
        peer.command()
        peer.event("Event-Name: A")
        peer.event("Event-Name: B")
        peer.wait_for_end()

    seen: list[str] = []
    gate = gevent.event.Event()
    with serving(script) as port, connected(kind, port) as client:
        client.register_handle("A", lambda _: gate.wait())
        client.register_handle("B", lambda e: seen.append(e.headers["Event-Name"]))
        gevent.spawn(client.send, "api go").join(0.3)
        assert (not eventually(lambda: seen, patience(kind, 0.5))) is held_back
        gate.set()


@pytest.mark.parametrize(("kind", "ending"), [(STOCK, "hangs"), (OURS, "Unreachable")])
def test_a_server_that_never_greets(kind: type[Any], ending: str) -> None:
    with serving(lambda peer: peer.wait_for_end()) as port, built(kind, port, timeout=0.3) as client:
        assert ends_within(patience(kind, 1.5), client.connect) == ending


@pytest.mark.parametrize(("kind", "works"), [(STOCK, False), (OURS, True)])
def test_ipv6(kind: type[Any], works: bool) -> None:
    with serving(friendly, "::1") as port, built(kind, port, host="::1") as client:
        assert (ends_within(patience(kind, 2), client.connect) == "answers") is works


def test_a_name_is_resolved() -> None:
    with serving(friendly) as port, Connection("localhost", port, PASSWORD, timeout=2) as client:
        assert client.connected
    with pytest.raises(Unreachable):
        Connection("no-such-host.invalid", 8021, PASSWORD, timeout=5).connect()


def test_a_wrong_password_an_access_list_and_a_closed_port_are_told_apart() -> None:
    def refuse(peer: Peer) -> None:
        peer.write(b"Content-Type: auth/request\n\n")
        peer.command()
        peer.accept("-ERR invalid")

    def reject(peer: Peer) -> None:
        peer.write(b"Content-Type: text/rude-rejection\nContent-Length: 24\n\nAccess Denied, go away.\n")

    with serving(refuse) as port, pytest.raises(NotPermitted, match="password"):
        Connection("127.0.0.1", port, "wrong", timeout=2).connect()
    with serving(reject) as port, pytest.raises(NotPermitted, match="host"):
        Connection("127.0.0.1", port, PASSWORD, timeout=2).connect()
    with pytest.raises(Unreachable, match="reached"):
        Connection("127.0.0.1", port, PASSWORD, timeout=2).connect()


def test_a_late_reply_is_not_the_next_commands() -> None:
    def script(peer: Peer) -> None:
        peer.greet()
        peer.command()
        gevent.sleep(0.3)
        peer.answer("of the first")
        peer.command()
        peer.answer("of the second")
        peer.wait_for_end()

    with serving(script) as port, connected(OURS, port) as client:
        with pytest.raises(Unanswered) as missed:
            client.send("api first", deadline=0.1)
        assert missed.value.sent is not None
        assert client.outstanding == 1
        assert client.send("api second", deadline=2).text == "of the second"
        assert client.outstanding == 0


def test_a_reply_to_no_command_ends_the_connection() -> None:
    def script(peer: Peer) -> None:
        peer.greet()
        peer.answer("of nobody's")
        peer.wait_for_end()

    with serving(script) as port, connected(OURS, port) as client:
        assert client.lost.wait(2)
        assert "no command" in client.reason


def test_a_command_is_one_line() -> None:
    with (
        serving(friendly) as port,
        connected(OURS, port) as client,
        pytest.raises(Exception, match="one line"),
    ):
        client.send("api x\n\napi uuid_kill y")
