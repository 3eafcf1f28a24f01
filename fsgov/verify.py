"""Checks an exported log without trusting, asking or parsing anything but its lines and signed checkpoints.

An export is a directory:

    entries.jsonl     the exact lines in the order of `seq`, from 0; each is followed by one newline
    checkpoints.txt   signed notes in the order of their size, with one blank line between two of them
                      (a checkpoint's text has no blank line, so blocks are text, signatures, text, …)

The public key is not in it: the verifier has it from elsewhere. A line's leaf is the RFC 6962 hash of its
bytes without the newline; JSON is never parsed. A checkpoint states its time on the extension line
`time …Z`, by the clock of the signer; one that hands over to another key names it on the line `next …`, and
both have signed it (`merkle.signers`).

What is found: an edited, removed, added or swapped line up to the last checkpoint, always; a log cut together
with its checkpoints, where the verifier holds a later checkpoint (`expect`). Lines after the last checkpoint
are counted as not yet covered: nobody has signed them.
"""

from __future__ import annotations

import heapq
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from fsgov.errors import Conflict, Damaged, NotFound
from fsgov.merkle import Checkpoint, Frontier, PublicKey, Signers, Span, Stranger, leaf_hash, stated

ENTRIES = "entries.jsonl"
CHECKPOINTS = "checkpoints.txt"
_LONGEST_LINE = 1 << 20


class BrokenLog(Damaged):
    """The log is not what was signed: the fault is in the lines `first` to `last` (seq, both included).

    `last` is None where nothing bounds it: the fault is at `first` or anywhere after it.
    """

    def __init__(self, message: str, detail: str, first: int, last: int | None) -> None:
        super().__init__(
            message, detail, "compare with the copy in a sink or the vault; keep this one as it is"
        )
        self.first = first
        self.last = last


@dataclass(frozen=True, slots=True)
class Report:
    """What an intact log proves: `covered` of its `lines` are signed, as of `time` with `root`.

    log_id and time are "" and root the empty root where no checkpoint is there; `expected` says that a
    checkpoint from outside was among those that hold.
    """

    log_id: str
    lines: int
    covered: int
    root: str
    time: str
    checkpoints: int
    expected: bool
    signers: tuple[Span, ...] = ()
    """Whose keys signed which lines first."""
    unjudged: int = 0
    """Checkpoints before the first of a key that was given. The lines they cover are covered by that key."""

    @property
    def uncovered(self) -> int:
        return self.lines - self.covered

    def __str__(self) -> str:
        at = f" at {self.time}" if self.time else ""
        rest = f", {self.uncovered} lines not yet covered" if self.uncovered else ""
        rest += f", {self.unjudged} checkpoints of a key before were not judged" if self.unjudged else ""
        for span in self.signers:
            if span.how == "handed over":
                rest += f"; from {span.first} on signed by {span.key.key_id.hex()}, handed over"
            if span.how == "alone":
                rest += f"; from {span.first} on signed by {span.key.key_id.hex()} without a handover: "
                rest += f"lines {span.first} to {span.known - 1} rest on its word alone"
        return f"complete to {self.covered}{at}{rest}"


def verify_export(
    lines: Iterable[bytes],
    checkpoints: Iterable[bytes],
    keys: PublicKey | Sequence[PublicKey],
    expect: bytes | None = None,
) -> Report:
    """What the lines (each with its newline) and the signed checkpoints (in the order of size) prove.

    keys: those that the verifier knows of, in the order of time. One is enough where keys were handed over;
    after a loss the next one has to be given too. Raises BrokenLog where a line, a root or the order does not
    fit, Damaged where a note cannot be trusted. Memory is constant in both.
    """
    notes = _Notes(Signers([keys] if isinstance(keys, PublicKey) else keys))
    held = [stated(expect)] if expect is not None else []
    walk = _Walk(iter(lines))
    count = 0
    for checkpoint in heapq.merge(notes.ascending(checkpoints, walk), held, key=lambda each: each.size):
        if expect is not None and checkpoint is held[0]:
            notes.signers.check(expect)
        walk.reach(checkpoint)
        count += 1
    covered = walk.frontier.size
    root = walk.frontier.root().hex()
    last = walk.last
    uncovered = walk.rest()
    return Report(
        log_id=last.log_id if last else "",
        lines=covered + uncovered,
        covered=covered,
        root=root,
        time=last.time if last else "",
        checkpoints=count - len(held),
        expected=bool(held),
        signers=notes.signers.spans,
        unjudged=notes.unjudged,
    )


def verify_directory(
    directory: Path,
    keys: PublicKey | Sequence[PublicKey],
    expect: bytes | None = None,
    seen: Callable[[int], None] = lambda _: None,
) -> Report:
    """What the export in `directory` proves; NotFound where a part of it is missing.

    seen: is told how many bytes of the lines were read since it was told last.
    """
    try:
        with (directory / ENTRIES).open("rb") as entries, (directory / CHECKPOINTS).open("rb") as notes:
            return verify_export(_told(read_lines(entries), seen), read_notes(notes), keys, expect)
    except FileNotFoundError as error:
        raise NotFound(
            "not an exported log", f"{error.filename} is missing", "fsgov events export writes one"
        ) from None


def write_export(directory: Path, lines: Iterable[bytes], checkpoints: Iterable[bytes]) -> int:
    """Writes an export from lines (without newlines, from seq 0) and signed notes; answers how many lines.

    The caller reads the checkpoints before the lines, so that none of them is ahead. Conflict where there is
    an export already. Both files appear whole (fsync, then rename) or not at all.
    """
    directory.mkdir(parents=True, exist_ok=True)
    if any((directory / name).exists() for name in (ENTRIES, CHECKPOINTS)):
        raise Conflict("there is an export already", str(directory), "choose another directory")
    count = 0
    with _part(directory / ENTRIES).open("wb") as entries:
        for line in lines:
            if b"\n" in line:
                raise Damaged("a line of the log has a newline in it", f"seq {count}")
            entries.write(line + b"\n")
            count += 1
        _settle(entries)
    with _part(directory / CHECKPOINTS).open("wb") as notes:
        for place, note in enumerate(checkpoints):
            notes.write(b"\n" + note if place else note)
        _settle(notes)
    for name in (CHECKPOINTS, ENTRIES):
        _part(directory / name).rename(directory / name)
    return count


def read_lines(entries: BinaryIO) -> Iterator[bytes]:
    """The lines of a file, each with its newline; one that never ends is given in pieces without."""
    return iter(lambda: entries.readline(_LONGEST_LINE), b"")


def _told(lines: Iterable[bytes], seen: Callable[[int], None]) -> Iterator[bytes]:
    for line in lines:
        seen(len(line))
        yield line


def read_notes(notes: BinaryIO) -> Iterator[bytes]:
    """The signed notes of a `checkpoints.txt`."""
    note = b""
    blanks = 0
    for line in read_lines(notes):
        if line == b"\n":
            blanks += 1
            if blanks == 2:
                yield note
                note, blanks = b"", 0
                continue
        note += line
        if len(note) > _LONGEST_LINE:
            raise Damaged("the signed note cannot be trusted", "it does not end")
    if note:
        yield note


class _Walk:
    """The way along the lines, from checkpoint to checkpoint: nothing is kept but the tree's edge."""

    def __init__(self, lines: Iterator[bytes]) -> None:
        self.frontier = Frontier()
        self.last: Checkpoint | None = None
        self._lines = lines

    def reach(self, checkpoint: Checkpoint) -> None:
        """Takes lines up to the checkpoint and compares the root."""
        good = self.frontier.size
        if self.last and self.last.log_id != checkpoint.log_id:
            raise BrokenLog(
                "the checkpoints are of different logs",
                f"{self.last.origin}, {checkpoint.origin}",
                good,
                None,
            )
        while self.frontier.size < checkpoint.size:
            line = next(self._lines, None)
            if line is None:
                raise BrokenLog(
                    "the log was cut",
                    f"it ends after {self.frontier.size} lines, {checkpoint.size} were signed",
                    good,
                    checkpoint.size - 1,
                )
            self.frontier.append(leaf_hash(_whole(line, self.frontier.size)))
        if self.frontier.root() != checkpoint.root:
            if checkpoint.size == good:
                raise BrokenLog("two checkpoints contradict each other", f"both of size {good}", good, None)
            last = checkpoint.size - 1
            raise BrokenLog("the log was changed", f"somewhere in lines {good} to {last}", good, last)
        self.last = checkpoint

    def rest(self) -> int:
        """How many lines follow."""
        count = 0
        for line in self._lines:
            _whole(line, self.frontier.size + count)
            count += 1
        return count


class _Notes:
    """The checkpoints as they are opened: `unjudged` of them came before the first of a key that is known."""

    def __init__(self, signers: Signers) -> None:
        self.signers = signers
        self.unjudged = 0

    def ascending(self, notes: Iterable[bytes], walk: _Walk) -> Iterator[Checkpoint]:
        before, opened = 0, False
        strange: Stranger | None = None
        for note in notes:
            try:
                checkpoint = self.signers.open(note)
            except Stranger as error:
                if opened:
                    raise _broken(error, walk) from None
                strange = strange or error
                self.unjudged += 1
                continue
            except Damaged as error:
                raise _broken(error, walk) from None
            if strange is not None and not opened and checkpoint.successor is None:
                raise _broken(strange, walk)  # nobody handed over to the key that is known
            opened = True
            if checkpoint.size < before:
                detail = f"{checkpoint.size} after {before}"
                raise BrokenLog("the checkpoints are out of order", detail, walk.frontier.size, None)
            before = checkpoint.size
            yield checkpoint
        if strange is not None and not opened:
            raise _broken(strange, walk)


def _broken(fault: Damaged, walk: _Walk) -> BrokenLog:
    return BrokenLog(fault.message, fault.detail, walk.frontier.size, None)


def _whole(line: bytes, seq: int) -> bytes:
    if not line.endswith(b"\n") or line == b"\n":
        raise BrokenLog(
            "a line of the log is not whole", f"line {seq} is empty, unended or above 1 MiB", seq, seq
        )
    return line[:-1]


def _part(path: Path) -> Path:
    return path.with_name(path.name + ".part")


def _settle(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())
