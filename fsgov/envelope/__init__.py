"""The sealed format: age v1 (c2sp.org/age) with X25519 recipients, over byte streams.

Pure: no files are opened, no randomness is taken; both are arguments. The public `age` tool opens what is
sealed here, and the other way round. `bech32` and `keys` are who can open, `header` and `stream` the format,
`seal` the whole.
"""

from fsgov.envelope.faults import HeaderDamaged, MacDamaged, PayloadDamaged
from fsgov.envelope.keys import Identity, Random, Recipient, parse_identities
from fsgov.envelope.seal import (
    Beside,
    Opened,
    Sealed,
    check_opens,
    seal,
    seal_bytes,
    unseal,
    unseal_bytes,
    unwrap_identity,
    wrap_identity,
)

__all__ = [
    "Beside",
    "HeaderDamaged",
    "Identity",
    "MacDamaged",
    "Opened",
    "PayloadDamaged",
    "Random",
    "Recipient",
    "Sealed",
    "check_opens",
    "parse_identities",
    "seal",
    "seal_bytes",
    "unseal",
    "unseal_bytes",
    "unwrap_identity",
    "wrap_identity",
]
