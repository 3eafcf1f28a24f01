"""Frames against an oracle that shares no code with fsgov: captures cut anywhere, and what is no frame."""

from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fsgov.esl.frames import MAX_BODY, MAX_HEADERS, BadFrame, Frame, Frames
from tests import wire

STREAMS = {
    f"{name}-{number}": data
    for name in wire.names()
    for number, data in wire.connections(wire.CAPTURES / f"{name}.jsonl").items()
}
EVENT = b"Content-Length: %d\nContent-Type: text/event-plain\n\n%b"


def plain(text: bytes) -> bytes:
    return EVENT % (len(text), text)


def shown(frame: Frame) -> tuple[str, list[tuple[str, str]], bytes]:
    return frame.kind, list(frame.headers.pairs()), frame.body


def as_read(text: str) -> str:
    """The oracle keeps bytes that are no UTF-8; we read them as U+FFFD."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def joined(text: str) -> str:
    """The oracle shows an array of a JSON event as JSON; we show it as a plain event does."""
    if not text.startswith("["):
        return text
    return "ARRAY::" + "|:".join(json.loads(text))


def expected(frame: wire.Frame) -> tuple[str, list[tuple[str, str]], bytes]:
    event = wire.event(frame)
    if event is None or event.format == "xml":  # we never subscribe to XML: it passes as it is
        return frame.get("Content-Type"), [(n, as_read(v)) for n, v in frame.headers], frame.body
    headers = [(n, as_read(v)) for n, v in event.headers]
    if event.format == "json":
        headers = [(n, joined(v)) for n, v in headers]
    return frame.get("Content-Type"), headers, event.body


ORACLE = {name: [expected(f) for f in wire.frames(data)] for name, data in STREAMS.items()}


@pytest.mark.parametrize("name", STREAMS)
def test_each_capture_in_one_piece_gives_what_the_oracle_reads(name: str) -> None:
    assert [shown(f) for f in Frames().feed(STREAMS[name])] == ORACLE[name]


@pytest.mark.parametrize("name", STREAMS)
@given(data=st.data())
@settings(max_examples=4, deadline=None, database=None)
def test_each_capture_cut_anywhere_gives_what_the_oracle_reads(name: str, data: st.DataObject) -> None:
    stream = STREAMS[name]
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=30))
    edges = [0, *sorted(cuts), len(stream)]
    frames = Frames()
    found = [shown(f) for a, b in itertools.pairwise(edges) for f in frames.feed(stream[a:b])]
    assert found == ORACLE[name]


def test_one_byte_at_a_time() -> None:
    for name in ("record-basic-1", "encodings-2"):
        frames = Frames()
        stream = STREAMS[name][:30_000]
        found = [shown(f) for i in range(len(stream)) for f in frames.feed(stream[i : i + 1])]
        assert found == ORACLE[name][: len(found)]
        assert len(found) > 5


def test_a_value_is_decoded_after_the_lines_were_split() -> None:
    (frame,) = Frames().feed(plain(b"Event-Name: X\nName: Bob%0AUnique-ID: forged\nUnique-ID: true\n\n"))
    assert frame.headers.get("Unique-ID") == "true"
    assert frame.headers["Name"] == "Bob\nUnique-ID: forged"


def test_of_a_repeated_header_the_first_counts() -> None:
    (frame,) = Frames().feed(plain(b"Event-Name: X\nUnique-ID: one\nUnique-ID: two\n\n"))
    assert frame.headers["Unique-ID"] == "one"
    assert frame.headers.repeated("Unique-ID")
    assert not frame.headers.repeated("Event-Name")


def test_a_header_of_the_body_is_not_one_of_the_event() -> None:
    body = b"\nUnique-ID: forged\n\nvariable_fsgov_consent: given\n\n"
    (frame,) = Frames().feed(plain(b"Event-Name: X\nContent-Length: %d\n\n%b" % (len(body), body)))
    assert "Unique-ID" not in frame.headers
    assert frame.headers.starting("variable_fsgov_") == {}
    assert frame.body == body


@pytest.mark.parametrize("length", [b"5", b"99999", b"-1", b"x", b"\xc2\xb2", b"9" * 5000])
def test_a_wrong_length_inside_an_event_is_its_senders_and_does_not_reach_the_next_frame(
    length: bytes,
) -> None:
    stream = plain(b"Event-Name: X\nContent-Length: %b\n\nbody" % length) + plain(b"Event-Name: Y\n\n")
    assert [f.headers["Event-Name"] for f in Frames().feed(stream)] == ["X", "Y"]


def test_what_is_no_text_reads_as_a_replacement() -> None:
    (frame,) = Frames().feed(plain(b"Event-Name: X\nA: Jos%E9\nB: \xff\nC: a%00b\n\n"))
    assert [frame.headers[n] for n in "ABC"] == ["Jos\ufffd", "\ufffd", "a\ufffdb"]
    text = b'{"Event-Name": "X", "A": "\xe9\\u0000\\ud800", "B": "a\\nUnique-ID: forged"}'
    (frame,) = Frames().feed(b"Content-Length: %d\nContent-Type: text/event-json\n\n%b" % (len(text), text))
    assert frame.headers["A"] == "\ufffd\ufffd?"
    assert frame.headers["B"] == "a\nUnique-ID: forged"
    assert "Unique-ID" not in frame.headers


@pytest.mark.parametrize(
    ("name", "stream"),
    [
        ("no header line", b"nonsense\n\n"),
        ("an empty block", b"\n\n"),
        ("no name", b": x\n\n"),
        ("a name of control characters", b"\x01\x02: x\n\n"),
        ("no kind", b"Content-Length: 0\n\n"),
        ("a length of letters", b"Content-Length: ten\nContent-Type: api/response\n\n"),
        ("a negative length", b"Content-Length: -1\nContent-Type: api/response\n\n"),
        ("a superscript length", "Content-Length: ²\nContent-Type: api/response\n\n".encode()),
        ("two lengths", b"Content-Length: 1\nContent-Length: 2\nContent-Type: api/response\n\n"),
        ("a body too long", b"Content-Length: %d\nContent-Type: api/response\n\n" % (MAX_BODY + 1)),
        ("a length of many digits", b"Content-Length: " + b"9" * 60 + b"\nContent-Type: api/response\n\n"),
        ("headers without end", b"A: " + b"x" * (MAX_HEADERS + 1)),
        ("an event without end", EVENT % (13, b"Event-Name: X")),
        ("an empty event", EVENT % (0, b"")),
        ("no JSON", b"Content-Length: 2\nContent-Type: text/event-json\n\n{]"),
        ("no JSON object", b"Content-Length: 2\nContent-Type: text/event-json\n\n[]"),
        ("JSON too deep", b"Content-Length: 99999\nContent-Type: text/event-json\n\n" + b"[" * 99_999),
        (
            "a JSON number too long",
            b"Content-Length: 5007\nContent-Type: text/event-json\n\n" + b'{"a": ' + b"1" * 5000 + b"}",
        ),
    ],
)
@pytest.mark.parametrize("size", [1, 1000, 1 << 20])
def test_no_frame(name: str, stream: bytes, size: int) -> None:
    frames = Frames()
    good = plain(b"Event-Name: X\n\n")
    seen: list[Frame] = []
    with pytest.raises(BadFrame) as fault:
        for at in range(0, len(good + stream), size):
            seen += frames.feed((good + stream)[at : at + size])
    assert [f.headers["Event-Name"] for f in seen + fault.value.before] == ["X"], name
    with pytest.raises(BadFrame):
        frames.feed(good)


def test_the_longest_body_is_taken_and_comes_out_whole() -> None:
    frames = Frames()
    body = bytes(range(256)) * (MAX_BODY // 256)
    stream = b"Content-Type: api/response\nContent-Length: %d\n\n%b" % (len(body), body)
    found = [f for at in range(0, len(stream), 65536) for f in frames.feed(stream[at : at + 65536])]
    assert [f.body for f in found] == [body]


def test_a_frame_is_stamped_with_the_arrival_of_its_last_byte() -> None:
    frames, stream = Frames(), plain(b"Event-Name: X\n\n")
    assert frames.feed(stream[:-1], 1) == []
    assert [f.now for f in frames.feed(stream[-1:] + stream, 2)] == [2, 2]
