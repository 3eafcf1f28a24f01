"""What PostgreSQL keeps of a JSON text: jsonb has no NUL and no broken UTF-8, which a caller may send."""

from __future__ import annotations

import re

_NUL = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")


def kept(whole: str) -> str:
    """The same JSON, with something in place of what no jsonb can hold."""
    if "\\u0000" in whole:
        whole = _NUL.sub("\\1\ufffd", whole)
    return whole.encode(errors="replace").decode()
