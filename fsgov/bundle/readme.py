"""The README of a bundle: what it is, and each step of its check with public tools alone.

`readme.md` beside this file is its text: words between @ are filled in; a part after `@@ PREFIX` is left out
where the bundle has no file of that name.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib import resources

_PART = re.compile(r"^@@ ?(.*)\n", re.MULTILINE)
_CONTENTS = (
    ("the audio", "recordings/", ".wav"),
    ("the sealed recording", "recordings/", ".age"),
    ("what was made of it", "artefacts/", ".age"),
    ("the certificate of its destruction", "certificates/", ".json"),
)


def text(
    *,
    call: str,
    segments: Sequence[str],
    recipient: str,
    reason: str,
    made_by: str,
    made_at: str,
    files: Sequence[str],
) -> str:
    """The page for a bundle of these files."""
    first, *rest = _PART.split((resources.files("fsgov.bundle") / "readme.md").read_text(encoding="utf-8"))
    steps: list[str] = []
    tail = ""
    for prefix, part in zip(rest[::2], rest[1::2], strict=True):
        if not prefix:
            tail = part
        elif any(name.startswith(prefix) for name in files):
            steps.append(part.replace("@n@", str(6 + len(steps))))
    holds = [
        words
        for words, prefix, suffix in _CONTENTS
        if any(name.startswith(prefix) and name.endswith(suffix) for name in files)
    ]
    page = f"{first}{''.join(steps)}{tail}"
    filled = {
        "what": f"the recording {segments[0]}" if len(segments) == 1 else f"its {len(segments)} recordings",
        "contents": ", ".join(["rows", "lines", *holds]),
        "former": "former/*.jsonl " if any(name.startswith("former/") for name in files) else "",
        "call": call,
        "made_at": made_at,
        "made_by": _plain(made_by),
        "recipient": _plain(recipient),
        "reason": _plain(reason),
    }
    return re.sub(r"@(\w+)@", lambda found: filled[found[1]], page)


def _plain(words: str) -> str:
    """The words of a person as text of a page: nothing in them begins a block, or is filled in again."""
    return " ".join(words.replace("`", "'").replace("<", "(").split())
