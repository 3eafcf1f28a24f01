"""The public age v1 vectors: each ends exactly as it says, and releases exactly what it says."""

from __future__ import annotations

import hashlib
import io
import zlib
from pathlib import Path

import pytest

from fsgov import envelope
from fsgov.errors import NotFound

VECTORS = Path(__file__).parent.parent / "vectors" / "age"
KNOWN_KEYS = {"expect", "payload", "identity", "passphrase", "file key", "compressed", "comment"}
FAILURES = {
    "no match": NotFound,
    "header failure": envelope.HeaderDamaged,
    "HMAC failure": envelope.MacDamaged,
    "payload failure": envelope.PayloadDamaged,
}


def parsed(path: Path) -> tuple[dict[str, str], bytes]:
    head, _, body = path.read_bytes().partition(b"\n\n")
    keys = dict(line.split(": ", 1) for line in head.decode().splitlines())
    return keys, zlib.decompress(body) if keys.get("compressed") == "zlib" else body


def has_a_feature_we_lack(keys: dict[str, str]) -> bool:
    return not KNOWN_KEYS.issuperset(keys) or "passphrase" in keys or keys["expect"] == "armor failure"


ALL = {path.name: parsed(path) for path in sorted(VECTORS.iterdir()) if path.suffix != ".md"}
OURS = {name: vector for name, vector in ALL.items() if not has_a_feature_we_lack(vector[0])}


def test_no_vector_is_lost_or_ignored_unseen() -> None:
    assert (len(ALL), len(ALL) - len(OURS)) == (34, 0)


@pytest.mark.parametrize("name", OURS)
def test_vector_ends_as_expected(name: str) -> None:
    keys, sealed = OURS[name]
    identities = [envelope.Identity.parse(keys["identity"])] if "identity" in keys else []
    target = io.BytesIO()
    if keys["expect"] == "success":
        opened = envelope.unseal(io.BytesIO(sealed), target, identities)
        assert opened.sha256 == keys["payload"]
        assert opened.size == len(target.getvalue())
    else:
        with pytest.raises(FAILURES[keys["expect"]]) as caught:
            envelope.unseal(io.BytesIO(sealed), target, identities)
        assert type(caught.value) is FAILURES[keys["expect"]]
    released = hashlib.sha256(target.getvalue()).hexdigest()
    assert released == keys.get("payload", hashlib.sha256(b"").hexdigest())
