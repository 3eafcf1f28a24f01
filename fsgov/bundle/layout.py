"""What lies where in a bundle, and the one spelling of what is written there.

    README.md                  for people: what this is, and how to check it with public tools
    SHA256SUMS                 the digest of every other file but those below proof/
    bundle.json                format, whose life it is, for whom, by whom, when; random bytes
    public-key.txt, .pem       the key that signed: to be compared with the one that the operator publishes
    rows.json                  the rows of the catalog, by table
    policies/<sha256>.toml     the policies, under their own digests
    log/lines.jsonl            every line of the log about it, in the log's order
    log/handovers.txt          where the log's key was changed: the signed notes by which one handed over to
                               the next, as in an exported checkpoints.txt
    recordings/<segment>.age   the sealed object, as it lies in the vault
    recordings/<segment>.wav   the audio, as the switch wrote it; only where it was opened
    keys/<segment>.txt         the age identity that opens the sealed object; only where it was opened
    artefacts/<artefact>.age   what was made of it, sealed
    certificates/<segment>.json    the exact certificate of what is destroyed
    former/<log_id>.jsonl, .paths, .checkpoint    lines of a log that ended with a restore, and their proof
    proof/line.jsonl           the line of the log that has the digest of SHA256SUMS
    proof/paths.txt            the way from each line to the root: those of log/lines.jsonl, then that one
    proof/checkpoint.txt       the signed note with size and root of the log
    proof/signed.txt, signature.bin    the text that was signed, and the signature: the same, for openssl

What is below proof/ comes after the digest was signed, and proves itself: each has one right spelling.
"""

from __future__ import annotations

import base64
import re
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fsgov.errors import Damaged, NotFound
from fsgov.merkle import PublicKey, sides

FORMAT = 1
README, SUMS, MANIFEST, ROWS = "README.md", "SHA256SUMS", "bundle.json", "rows.json"
KEY, KEY_PEM = "public-key.txt", "public-key.pem"
LINES, HANDOVERS = "log/lines.jsonl", "log/handovers.txt"
FORMER = "former/"
ANCHOR, PATHS = "proof/line.jsonl", "proof/paths.txt"
NOTE, SIGNED, SIGNATURE = "proof/checkpoint.txt", "proof/signed.txt", "proof/signature.bin"
PROOF = frozenset({ANCHOR, PATHS, NOTE, SIGNED, SIGNATURE})
SMALL = 64 * 1024 * 1024
"""Bytes of a file that is read whole: everything but recordings."""

_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)?")
_SUM = re.compile(r"([0-9a-f]{64})  (\S+)")
_PATH = re.compile(r"(0|[1-9][0-9]{0,18})((?: (?:left|right):[0-9a-f]{64})*)")
_ED25519 = bytes.fromhex("302a300506032b6570032100")
"""RFC 8410: what stands before an Ed25519 key in its SubjectPublicKeyInfo."""


@dataclass(frozen=True, slots=True)
class Way:
    """The way from a line to the root of the log: its number, and the hashes on it from the bottom up."""

    seq: int
    hashes: tuple[bytes, ...]


def sums_text(digests: Mapping[str, str]) -> str:
    """SHA256SUMS of these files, as `sha256sum` writes it, by name."""
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items()))


def read_sums(text: str) -> dict[str, str]:
    """Digest of each file. Raises Damaged where it is not what `sums_text` writes."""
    found = {}
    for line in text.splitlines():
        match = _SUM.fullmatch(line)
        if match is None or not _NAME.fullmatch(match[2]) or match[2] in PROOF | {SUMS}:
            raise damaged(SUMS, "a line of it names no file of a bundle")
        found[match[2]] = match[1]
    if sums_text(found) != text:
        raise damaged(SUMS, "it is not in order")
    return found


def paths_text(size: int, paths: Sequence[Way]) -> str:
    """One line for each way, in a log of `size` lines: its number, then `left:` or `right:` and a hash."""
    return "".join(
        f"{path.seq}"
        + "".join(
            f" {side}:{value.hex()}" for side, value in zip(sides(path.seq, size), path.hashes, strict=False)
        )
        + "\n"
        for path in paths
    )


def read_paths(text: str, size: int) -> list[Way]:
    """The ways. Raises Damaged where they are not spelled as `paths_text` does."""
    found = []
    for line in text.splitlines():
        match = _PATH.fullmatch(line)
        if match is None:
            raise damaged(PATHS, "a line of it is no way to a root")
        steps = match[2].split()
        found.append(Way(int(match[1]), tuple(bytes.fromhex(step.partition(":")[2]) for step in steps)))
    if any(path.seq >= size for path in found) or paths_text(size, found) != text:
        raise damaged(PATHS, "a way in it is not one of a log of that size")
    return found


def pem(key: PublicKey) -> str:
    """The key as openssl reads it."""
    text = base64.b64encode(_ED25519 + key.raw).decode("ascii")
    return f"-----BEGIN PUBLIC KEY-----\n{text}\n-----END PUBLIC KEY-----\n"


def files_of(directory: Path) -> dict[str, Path]:
    """Every file of a bundle by its name. Raises NotFound, Damaged (what is neither file nor directory)."""
    if not (directory / SUMS).is_file() or not (directory / MANIFEST).is_file():
        raise NotFound(
            "This is no evidence bundle", str(directory), "fsgov recordings export --evidence writes one"
        )
    found = {}
    for path in sorted(directory.rglob("*")):
        name = path.relative_to(directory).as_posix()
        mode = path.lstat().st_mode
        if stat.S_ISDIR(mode):
            continue
        if not stat.S_ISREG(mode) or not _NAME.fullmatch(name):
            raise damaged(name[:100], "a bundle has no such file")
        found[name] = path
    return found


def damaged(name: str, why: str) -> Damaged:
    """The fault of one file."""
    return Damaged("The bundle is not what was signed", f"{name}: {why}", "ask for another copy of it")
