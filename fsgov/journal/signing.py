"""The key that signs the log, and how it takes over from the one that signed before.

Keep goes on with a log only where it may: its key signed the newest checkpoint, or the key before is at hand
and hands over, or the configuration names that one among the earlier ones, because it is lost. A keep that
was left with an old key, or given any other, signs nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from fsgov.errors import BadConfiguration
from fsgov.merkle import Checkpoint, PublicKey, sign_note, signed_by

SIGNER = "fsgov"
"""The name under which checkpoints are signed; the key's hash tells installations, and keys, apart."""


class Signer:
    """Signs checkpoints. `due`: its next one is the first of this key, handed over or alone; None: it is not.

    prior: the key before, for as long as it has to hand over. earlier: public keys that signed once.
    """

    def __init__(
        self,
        key: Ed25519PrivateKey,
        prior: Ed25519PrivateKey | None = None,
        earlier: Sequence[PublicKey] = (),
    ) -> None:
        self.public = PublicKey.of(SIGNER, key)
        self.due: Literal["handed over", "alone"] | None = None
        self.before: PublicKey | None = None
        """Whose log it goes on with, while that is due."""
        self._key = key
        self._prior = prior
        self._earlier = tuple(earlier)

    def take_up(self, newest: bytes) -> None:
        """Go on after this checkpoint. Raises BadConfiguration where this key may not."""
        prior = PublicKey.of(SIGNER, self._prior) if self._prior is not None else None
        known = [self.public, *([prior] if prior else []), *self._earlier]
        text, by = signed_by(newest, known)
        holder = Checkpoint.parse(text).successor or next((key for key in known if key in by), None)
        self.before = None if holder == self.public else holder
        if holder == self.public:
            self.due = None
        elif holder is not None and holder == prior and self.public not in by:
            self.due = "handed over"
        elif holder in self._earlier and self.public not in by:  # who has handed over never comes back
            self.due = "alone"
        else:
            named = f"handed over to {holder}" if holder else "signed by a key that is not known here"
            raise BadConfiguration(
                "The log goes on under another key",
                f"its newest checkpoint is {named}; log.signing_key is {self.public.key_id.hex()}",
                "log.prior_key hands over; where that one is lost, name its public line in log.earlier_keys",
            )

    def sign(self, checkpoint: Checkpoint) -> bytes:
        """The signed note; where a handover is due, it is that one."""
        if self.due == "handed over" and self._prior is not None:
            text = replace(checkpoint, successor=self.public).text()
            return sign_note(text, SIGNER, self._prior, self._key)
        return sign_note(checkpoint.text(), SIGNER, self._key)
