"""How an age file can fail to open, told apart: its header, the header's seal, its payload.

That no identity fits is `fsgov.errors.NotFound`: the file may well be sound.
"""

from __future__ import annotations

from fsgov.errors import Damaged


class HeaderDamaged(Damaged):
    """The header is not an age v1 header, or a stanza for us is not one."""


class MacDamaged(Damaged):
    """The header was changed after it had been sealed."""


class PayloadDamaged(Damaged):
    """The payload was changed, cut or added to; nothing beyond the last sound chunk was released."""
