"""Checkpoints as objects of a vault: the anchor that the writer of the log cannot take back unseen."""

from __future__ import annotations

from fsgov.errors import NotFound
from fsgov.journal.sink import Anchor
from fsgov.vault import Bucket

FOLDER = "log"


class VaultAnchor(Anchor):
    """`log/<log_id>/<size, twelve digits>.checkpoint` in the audio bucket, which people may read."""

    def __init__(self, vault: str, bucket: Bucket) -> None:
        self.name = f"vault:{vault}"
        self._bucket = bucket
        self._signed: dict[str, int] = {}

    def signed(self, log_id: str) -> int:
        if log_id not in self._signed:  # listed once in a life: there is an object for each minute of growth
            names = [version.key.rpartition("/")[2] for version in self._bucket.list(f"{FOLDER}/{log_id}/")]
            self._signed[log_id] = max((int(name.partition(".")[0]) for name in names), default=0)
        return self._signed[log_id]

    def sign(self, log_id: str, size: int, note: bytes) -> None:
        key = f"{FOLDER}/{log_id}/{size:012}.checkpoint"
        try:
            self._bucket.stat(key)
        except NotFound:
            self._bucket.put_bytes(key, note, {})
        self._signed[log_id] = size

    def close(self) -> None:
        self._signed.clear()  # while it is let go, another keep may sign
