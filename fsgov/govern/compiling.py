"""Compiling a policy outside of govern: a child reads it, govern only takes the finished pieces in.

Ten thousand rules take the child seconds. What it makes comes back in frames of a few rules each; govern
breathes after every frame, so that its loop is never held up for longer than one of them.
"""

from __future__ import annotations

import gc
import json
import os
import pickle
import struct
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Any, BinaryIO

import gevent
from gevent import subprocess

from fsgov import errors
from fsgov.config.policy_file import check_place, check_prompts
from fsgov.errors import FsgovError, Unreachable
from fsgov.policy import Policy, parse
from fsgov.policy.index import Index

LENGTH = struct.Struct("<I")
RULES, KEYS = 8, 200
"""In one frame: about a millisecond of govern's time."""
LARGE = ("rules", "trials", "index")
NICE = 10
Frame = tuple[str, Any]


def compiled(text: str, vaults: Collection[str]) -> Policy:
    """The policy of a complete text, checked against this host. Cooperative; raises BadConfiguration.

    Raises Unreachable where the child cannot be had.
    """
    try:
        child = subprocess.Popen(
            [sys.executable, "-m", "fsgov.govern.compiling"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
    except OSError as fault:
        raise Unreachable("The policy cannot be compiled", str(fault)) from fault
    collecting = gc.isenabled()
    gc.disable()  # a collection looks at every rule there is, in one go
    try:
        with suppress(OSError):  # it has ended: its silence says so
            child.stdin.write(json.dumps(list(vaults)).encode() + b"\n" + text.encode())
            child.stdin.close()
        return _assembled(_frames(child.stdout.read))
    finally:
        child.kill()
        child.wait()
        child.stdout.close()
        gc.freeze()  # a policy stays until the next one: no collection needs to look at it again
        if collecting:
            gc.enable()


def _frames(read: Callable[[int], bytes]) -> Iterator[Frame]:
    while True:
        head = read(LENGTH.size)
        if len(head) < LENGTH.size:
            raise Unreachable("The policy cannot be compiled", "the compiler has ended")
        frame: Frame = pickle.loads(read(*LENGTH.unpack(head)))  # noqa: S301 - our own child
        if frame[0] == "end":
            return
        yield frame
        gevent.sleep(0)


def _assembled(frames: Iterator[Frame]) -> Policy:
    head: dict[str, Any] = {}
    lists: dict[str, list[Any]] = {"rules": [], "trials": []}
    buckets: dict[Any, Any] = {}
    rest: dict[str, Any] = {}
    for name, content in frames:
        match name:
            case "fault":
                kind: type[FsgovError] = getattr(errors, content[0], FsgovError)
                raise kind(*content[1:])
            case "policy":
                head = content
            case "keys":
                buckets.update(content)
            case "index":
                rest = content
            case _:
                lists[name].extend(content)
    index = Index(buckets=buckets, **rest)
    return Policy(**head, rules=tuple(lists["rules"]), trials=tuple(lists["trials"]), index=index)


def taken_apart(policy: Policy) -> Iterator[Frame]:
    """The policy in pieces, the large ones a few rules at a time."""
    names = [field.name for field in fields(policy) if field.name not in LARGE]
    yield "policy", {name: getattr(policy, name) for name in names}
    for name in ("rules", "trials"):
        for piece in _pieces(getattr(policy, name), RULES):
            yield name, piece
    index = policy.index
    for keys in _pieces(tuple(index.buckets.items()), KEYS):
        yield "keys", keys
    yield (
        "index",
        {
            "anywhere": index.anywhere,
            "variables": index.variables,
            "countries": index.countries,
        },
    )


def _pieces(whole: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    for start in range(0, len(whole), size):
        yield whole[start : start + size]


def main(source: BinaryIO, sink: BinaryIO) -> int:
    """`python -m fsgov.govern.compiling`: a line of vaults (JSON) and the text in, frames out."""
    os.nice(NICE)
    vaults, text = json.loads(source.readline()), source.read().decode()
    frames: Iterator[Frame]
    try:
        policy = parse(text, "that was activated")
        check_place(policy, Path("that was activated"), vaults)
        check_prompts(policy)
        frames = taken_apart(policy)
    except FsgovError as fault:
        frames = iter([("fault", (type(fault).__name__, fault.message, fault.detail, fault.hint))])
    for frame in (*frames, ("end", None)):
        body = pickle.dumps(frame, pickle.HIGHEST_PROTOCOL)
        sink.write(LENGTH.pack(len(body)) + body)
    sink.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.stdin.buffer, sys.stdout.buffer))
