"""The certificate of a destroyed recording: what it says, and how anybody proves it by the public key alone.

A certificate file is JSON on one line:

    body         the exact text that was certified (below); its SHA-256 is in `line`
    line         the exact line segment.destroyed of the log; `seq` its place, `proof` the way to the root
    batch        the line purge.certified, with the Merkle root over the bodies made together; its own
                 `seq` and `proof`, and the `place`, `size` and `path` of this body in it
    checkpoint   the signed state of the log that both proofs lead to
    handovers    checkpoints by which a key of the log handed over to the next, before that one

Bodies are leaves of RFC 6962, as lines are. Nothing here asks a database or a vault.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fsgov.errors import Damaged
from fsgov.merkle import PublicKey, Signers, leaf_hash, stated, verify_inclusion

FORMAT = "fsgov certificate 1"
_NOT_THAT = (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError)
"""What reading JSON that is something else may raise."""
ENCODE = json.JSONEncoder(separators=(",", ":"), ensure_ascii=True).encode


@dataclass(frozen=True, slots=True)
class Removed:
    """A version (or delete marker) that a vault listed, and lists no more. bucket: `audio` or `keys`."""

    vault: str
    bucket: str
    key: str
    version: str

    def plain(self) -> dict[str, str]:
        return {"vault": self.vault, "bucket": self.bucket, "key": self.key, "version": self.version}


@dataclass(frozen=True, slots=True)
class Listed:
    """What proves it: at this time the vault listed no version of this key, nor an unfinished upload."""

    vault: str
    bucket: str
    key: str
    at: str

    def plain(self) -> dict[str, str | int]:
        return {"vault": self.vault, "bucket": self.bucket, "key": self.key, "at": self.at, "versions": 0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Destruction:
    """What is certified of one recording. Instants are RFC 3339.

    plan and the persons are null where only the ledger tells of it (a restored dump had lost the rest);
    remade: there is an older certificate.
    """

    segment: str
    call: str
    tenant: str
    cause: str | None
    plan: str | None
    proposed_by: str | None
    approved_by: str | None
    audio_sha256: str | None
    sealed_sha256: str
    sealed_size: int
    key_sha256: str | None
    recipients: Sequence[str]
    key_destroyed_at: str
    begun_at: str
    removed: Sequence[Removed]
    listed: Sequence[Listed]
    destroyed_at: str
    complete_after: str
    remade: bool = False


def body(of: Destruction) -> bytes:
    """The text of a certificate. Raises Damaged where no listing proves it."""
    if not of.listed:
        raise Damaged("No listing proves that the recording is gone", of.segment)
    said = {
        "certificate": FORMAT,
        "segment": of.segment,
        "call": of.call,
        "tenant": of.tenant,
        "cause": of.cause,
        "plan": of.plan,
        "proposed_by": of.proposed_by,
        "approved_by": of.approved_by,
        "audio_sha256": of.audio_sha256,
        "sealed": {"sha256": of.sealed_sha256, "size": of.sealed_size},
        "key": {
            "sha256": of.key_sha256,
            "recipients": list(of.recipients),
            "destroyed_at": of.key_destroyed_at,
        },
        "begun_at": of.begun_at,
        "removed": [each.plain() for each in of.removed],
        "listed": [each.plain() for each in of.listed],
        "destroyed_at": of.destroyed_at,
        "complete_after": of.complete_after,
        "remade": of.remade,
    }
    return ENCODE(said).encode()


@dataclass(frozen=True, slots=True)
class Proven:
    """A line of the log: its bytes, its place, and the hashes that lead to the root of the checkpoint."""

    line: bytes
    seq: int
    proof: Sequence[bytes]


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate with everything that proves it."""

    body: bytes
    entry: Proven
    batch: Proven
    place: int
    size: int
    path: Sequence[bytes]
    checkpoint: bytes
    handovers: Sequence[bytes] = ()

    def text(self) -> str:
        """As a file has it."""
        return ENCODE(
            {
                "format": FORMAT,
                "body": self.body.decode(),
                **_plain(self.entry),
                "batch": {
                    **_plain(self.batch),
                    "place": self.place,
                    "size": self.size,
                    "path": [_b64(each) for each in self.path],
                },
                "checkpoint": self.checkpoint.decode(),
                "handovers": [each.decode() for each in self.handovers],
            }
        )

    @classmethod
    def parse(cls, text: str) -> Certificate:
        """Raises Damaged where the file is none, or says something else besides."""
        try:
            said = json.loads(text)
            if said["format"] != FORMAT:
                raise ValueError(said["format"])
            batch = said["batch"]
            found = cls(
                said["body"].encode(),
                _proven(said),
                _proven(batch),
                int(batch["place"]),
                int(batch["size"]),
                [_bytes(each) for each in batch["path"]],
                said["checkpoint"].encode(),
                tuple(each.encode() for each in said["handovers"]),
            )
        except _NOT_THAT as fault:
            raise Damaged("This is no certificate", f"{type(fault).__name__}: {fault}"[:200]) from None
        if found.text() != text.removesuffix("\n"):
            raise Damaged(
                "This is no certificate", "it is not spelled as one, or says something that nothing proves"
            )
        return found


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a certificate that holds proves."""

    said: Mapping[str, Any]
    log_id: str
    seq: int
    signed_size: int
    signed_at: str


def verify(certificate: Certificate, keys: Sequence[PublicKey]) -> Verdict:
    """What it proves, by one of these keys, or one that they have handed over to, alone.

    Raises Damaged: which of its parts does not hold.
    """
    signers = Signers(keys)
    signers.follow(certificate.handovers, stated(certificate.checkpoint))
    checkpoint = signers.open(certificate.checkpoint)
    entry, batch = certificate.entry, certificate.batch
    for name, each in (("line", entry), ("batch", batch)):
        if not verify_inclusion(leaf_hash(each.line), each.seq, checkpoint.size, each.proof, checkpoint.root):
            raise Damaged("The certificate does not hold", f"its {name} is not in the log that was signed")
    line, of_batch = _line(entry.line), _line(batch.line)
    said = _object(certificate.body, "its body")
    facts = line.get("data", {})
    digest = hashlib.sha256(certificate.body).hexdigest()
    if line.get("type") != "fsgov.segment.destroyed.v1" or facts.get("certificate") != digest:
        raise Damaged("The certificate does not hold", "its line is about another text")
    if (line.get("subject"), facts.get("plan"), facts.get("cause"), facts.get("call")) != (
        said.get("segment"),
        said.get("plan"),
        said.get("cause"),
        said.get("call"),
    ):
        raise Damaged("The certificate does not hold", "its line is about another recording")
    root = of_batch.get("data", {}).get("root", "")
    if (of_batch.get("type"), of_batch.get("subject"), of_batch.get("data", {}).get("certificates")) != (
        "fsgov.purge.certified.v1",
        facts.get("batch"),
        certificate.size,
    ) or not verify_inclusion(
        leaf_hash(certificate.body), certificate.place, certificate.size, certificate.path, _hex(root)
    ):
        raise Damaged("The certificate does not hold", "it is not in the batch that was certified")
    check_listed(said)
    return Verdict(said, checkpoint.log_id, entry.seq, checkpoint.size, checkpoint.time)


def check_listed(said: Mapping[str, Any]) -> None:
    """Raises Damaged where a certificate's body does not say that all it names was listed, and gone."""
    try:
        listed = {_place(each) for each in said["listed"]}
        gone = bool(listed) and all(each["versions"] == 0 for each in said["listed"])
        removed = {_place(each) for each in said["removed"]}
    except _NOT_THAT:
        raise Damaged("The certificate does not hold", "what it says was removed cannot be read") from None
    if not gone:
        raise Damaged("The certificate does not hold", "no listing proves that the recording is gone")
    if removed - listed:
        raise Damaged("The certificate does not hold", "something was removed that was not listed afterwards")


def _place(each: Mapping[str, Any]) -> tuple[Any, ...]:
    return each["vault"], each["bucket"], each["key"]


def _plain(each: Proven) -> dict[str, Any]:
    return {"line": each.line.decode(), "seq": each.seq, "proof": [_b64(value) for value in each.proof]}


def _proven(said: Mapping[str, Any]) -> Proven:
    return Proven(said["line"].encode(), int(said["seq"]), [_bytes(each) for each in said["proof"]])


def _line(line: bytes) -> dict[str, Any]:
    return _object(line, "its line")


def _object(text: bytes, what: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except _NOT_THAT:
        found = None
    if not isinstance(found, dict):
        raise Damaged("The certificate does not hold", f"{what} is no JSON object")
    return found


def _hex(text: Any) -> bytes:
    try:
        return bytes.fromhex(text)
    except (TypeError, ValueError):
        return b""


def _b64(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
