"""Policies that decided calls of this host, under their digest, until ship has entered them."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterator

from fsgov.spool.shelf import Shelf


def keep(shelf: Shelf, text: str) -> str:
    """Put the policy document on the shelf, durably; its digest (hex)."""
    digest = hashlib.sha256(text.encode()).hexdigest()
    if shelf.stamp(digest) is None:
        shelf.replace(digest, text.encode(), durable=True)
    return digest


def all_of(shelf: Shelf) -> Iterator[tuple[str, str, str]]:
    """Digest, version and text of every policy whose text is what its name says."""
    for digest, content in shelf.all():
        if hashlib.sha256(content).hexdigest() == digest:
            text = content.decode()
            yield digest, _version(text), text


def _version(text: str) -> str:
    try:
        return str(tomllib.loads(text).get("version", ""))
    except tomllib.TOMLDecodeError:
        return ""
