"""Frames of the captures, changed at random, reproducibly by a seed."""

from __future__ import annotations

import random
from collections.abc import Iterator

from tests import wire

CHOSEN = (
    "encodings",
    "hostile-callers",
    "record-basic",
    "call-conference",
    "live-dtmf",
    "commands-replies",
    "heartbeat",
)
WORDS = (
    *(b"\n", b"\n\n", b"\r\n", b"\0", b": ", b"%", b"%0A", b"%00", b"%FF", b"\xff\xfe", b"{", b"}", b'"'),
    *(b"[" * 2000, b"9" * 5000, b"\xc2\xb2", b"Unique-ID: ", b"Command: sendevent"),
    b"Content-Length: ",
    b"Content-Length: 0\n",
    b"Content-Length: -1\n",
    b"Content-Length: 99999999999999999999\n",
    b"Content-Type: text/event-plain\n",
    b"Content-Type: text/event-json\n",
    b"Content-Type: command/reply\n",
    b"Content-Type: auth/request\n\n",
    b"Content-Type: text/disconnect-notice\n\n",
    b"Event-Name: CHANNEL_CREATE\n",
    b"Event-Date-Timestamp: 99999999999999999999999\n",
)


def originals() -> list[bytes]:
    """Every frame of the chosen captures as it was on the wire."""
    found = []
    for name in CHOSEN:
        for stream in wire.connections(wire.CAPTURES / f"{name}.jsonl").values():
            while (taken := wire.take(stream)) is not None:
                rest = taken[1]
                found.append(stream[: len(stream) - len(rest)])
                stream = rest
    return found


def mutate(dice: random.Random, frame: bytes, other: bytes) -> bytes:
    """That frame with one to three changes."""
    data = bytearray(frame)
    for _ in range(dice.randint(1, 3)):
        at = dice.randrange(len(data) + 1)
        if dice.random() < 0.6:
            at = min(at, dice.randrange(120))  # most of the harm is done in the first lines
        to = min(len(data), at + dice.choice((0, 1, 2, 10, 1000)))
        match dice.randrange(7):
            case 0 if data:
                data[min(at, len(data) - 1)] = dice.randrange(256)
            case 1:
                del data[at:to]
            case 2:
                data[at:at] = dice.choice(WORDS)
            case 3:
                data[at:to] = data[at:to] * 2
            case 4:
                data[at:at] = other[: dice.randrange(len(other) + 1)]
            case 5:
                digits = [i for i, b in enumerate(data[:300]) if 48 <= b <= 57] or [0]
                data[dice.choice(digits) : dice.choice(digits) + 1] = str(dice.randrange(10**6)).encode()
            case _:
                del data[at:]
    return bytes(data)


def mutants(seed: int, count: int) -> Iterator[bytes]:
    dice, frames = random.Random(seed), originals()
    for _ in range(count):
        yield mutate(dice, dice.choice(frames), dice.choice(frames))
