"""Compiling a policy outside of govern: a child reads it, govern only takes the finished pieces in.

Ten thousand rules take the child seconds. What it makes comes back with its rules packed (policy/packed.py),
in frames that take govern a millisecond or two; its loop goes round between them.
"""

from __future__ import annotations

import json
import os
import pickle
import struct
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Any, BinaryIO

import gevent
from gevent import subprocess

from fsgov import errors
from fsgov.config.policy_file import check_place, check_prompts, load_policy
from fsgov.errors import FsgovError, Unreachable
from fsgov.policy import Policy, parse
from fsgov.policy.index import Index
from fsgov.policy.packed import PackedRules, pack

LENGTH = struct.Struct("<I")
RULES, KEYS = 500, 200
"""In one frame."""
APART = ("rules", "trials", "index", "decisions")
NICE = 10
Frame = tuple[str, Any]


def compiled(text: str, vaults: Mapping[str, str]) -> Policy:
    """The policy of a complete text, checked against this host, without its tests. Cooperative.

    Raises BadConfiguration; Unreachable where the child cannot be had.
    """
    return _from_child({"vaults": dict(vaults)}, text)


def compiled_file(path: Path, vaults: Mapping[str, str]) -> Policy:
    """The same of a policy file, with what it includes."""
    return _from_child({"vaults": dict(vaults), "file": str(path)}, "")


def _from_child(wanted: dict[str, Any], text: str) -> Policy:
    try:
        child = subprocess.Popen(
            [sys.executable, "-m", "fsgov.govern.compiling"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
    except OSError as fault:
        raise Unreachable("The policy cannot be compiled", str(fault)) from fault
    try:
        with suppress(OSError):  # it has ended: its silence says so
            child.stdin.write(json.dumps(wanted).encode() + b"\n" + text.encode())
            child.stdin.close()
        return _assembled(_frames(child.stdout.read))
    finally:
        child.kill()
        child.wait()
        child.stdout.close()


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
    packed: list[bytes] = []
    buckets: dict[Any, Any] = {}
    rest: dict[str, Any] = {}
    for name, content in frames:
        match name:
            case "fault":
                kind: type[FsgovError] = getattr(errors, content[0], FsgovError)
                raise kind(*content[1:])
            case "policy":
                head = content
            case "rules":
                packed += content
            case "keys":
                buckets.update(content)
            case _:
                rest = content
    return Policy(
        **head, rules=PackedRules(packed, len(rest["anywhere"])), index=Index(buckets=buckets, **rest)
    )


def taken_apart(policy: Policy) -> Iterator[Frame]:
    """The policy in pieces, the large ones a few rules at a time."""
    names = [field.name for field in fields(policy) if field.name not in APART]
    yield "policy", {name: getattr(policy, name) for name in names}
    for rules in _pieces(policy.rules, RULES):
        yield "rules", [pack(rule) for rule in rules]
    index = policy.index
    for keys in _pieces(tuple(index.buckets.items()), KEYS):
        yield "keys", keys
    yield (
        "index",
        {field.name: getattr(index, field.name) for field in fields(index) if field.name != "buckets"},
    )


def _pieces(whole: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    for start in range(0, len(whole), size):
        yield whole[start : start + size]


def _read(wanted: dict[str, Any], text: str) -> Policy:
    if "file" in wanted:
        return load_policy(Path(wanted["file"]), wanted["vaults"])
    policy = parse(text, "that was activated")
    check_place(policy, Path("that was activated"), wanted["vaults"])
    check_prompts(policy)
    return policy


def main(source: BinaryIO, sink: BinaryIO) -> int:
    """`python -m fsgov.govern.compiling`: a line of what is wanted (JSON) and the text in, frames out."""
    with suppress(OSError):  # a unit of systemd may forbid it, as that of govern does
        os.nice(NICE)
    wanted, text = json.loads(source.readline()), source.read().decode()
    frames: Iterator[Frame]
    try:
        frames = taken_apart(_read(wanted, text))
    except FsgovError as fault:
        frames = iter([("fault", (type(fault).__name__, fault.message, fault.detail, fault.hint))])
    for frame in (*frames, ("end", None)):
        body = pickle.dumps(frame, pickle.HIGHEST_PROTOCOL)
        sink.write(LENGTH.pack(len(body)) + body)
    sink.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.stdin.buffer, sys.stdout.buffer))
