"""The verifiable log's mathematics: RFC 6962 trees and proofs, C2SP signed notes and checkpoints. Pure.

`tree` grows, `proof` shows that a line is in it and that it only grew, `checkpoint` is what is said about it,
`note` who says so, `signers` which keys may.
"""

from fsgov.merkle.checkpoint import Checkpoint
from fsgov.merkle.note import (
    PublicKey,
    alone,
    generate_signing_key,
    load_signing_key,
    only,
    open_note,
    sign_note,
    signed_by,
    signing_key_pem,
)
from fsgov.merkle.proof import (
    consistency_proof,
    inclusion_proof,
    inclusion_proofs,
    sides,
    verify_consistency,
    verify_inclusion,
)
from fsgov.merkle.signers import Signers, Span, Stranger, stated
from fsgov.merkle.tree import EMPTY_ROOT, Frontier, leaf_hash, node_hash, root

__all__ = [
    "EMPTY_ROOT",
    "Checkpoint",
    "Frontier",
    "PublicKey",
    "Signers",
    "Span",
    "Stranger",
    "alone",
    "consistency_proof",
    "generate_signing_key",
    "inclusion_proof",
    "inclusion_proofs",
    "leaf_hash",
    "load_signing_key",
    "node_hash",
    "only",
    "open_note",
    "root",
    "sides",
    "sign_note",
    "signed_by",
    "signing_key_pem",
    "stated",
    "verify_consistency",
    "verify_inclusion",
]
