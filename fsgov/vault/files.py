"""`file:PATH`: a bucket that is a directory, for one host, the demo and tests.

    PATH/.fsgov-bucket                the mark: without it (a disk that is not mounted) nothing is written
    PATH/KEY/VERSION.object           the bytes; there exactly when the version is
    PATH/KEY/VERSION.json             its metadata, written first and removed last
    PATH/KEY/VERSION.part             an upload that was cut; the next one of that key removes it

It cannot make anything immutable, and who can read the directory can read all of it: see docs/threat-model.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import secrets
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from fsgov.errors import BadConfiguration, BadUsage, Damaged, FsgovError, NotFound, NotPermitted, Unreachable
from fsgov.vault.bucket import (
    BLOCK,
    Bucket,
    Instant,
    LockMode,
    Stat,
    Stored,
    Version,
    checked_key,
    checked_metadata,
)

_MARK = ".fsgov-bucket"
_VERSION = re.compile(r"[0-9a-f]{1,64}")


class FileBucket(Bucket):
    """A directory as a bucket; directories are 0700, files 0600."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.url = f"file:{path}"

    def create(self) -> None:
        with _in_our_words(self.url):
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not (self.path / _MARK).exists():
                _write(
                    self.path / _MARK, [b"sealed objects of fsgov; see file vaults in its documentation\n"]
                )
                _sync(self.path)

    def put(self, key: str, path: Path, sha256: str, size: int, metadata: Mapping[str, str]) -> Stored:
        with _in_our_words(self.url), path.open("rb") as file:
            source = self.paced(file)
            return self._put(key, iter(lambda: source.read(BLOCK), b""), sha256, size, metadata)

    def put_bytes(self, key: str, content: bytes, metadata: Mapping[str, str]) -> Stored:
        with _in_our_words(self.url):
            return self._put(key, [content], hashlib.sha256(content).hexdigest(), len(content), metadata)

    def stat(self, key: str, version_id: str | None = None) -> Stat:
        with _in_our_words(self.url):
            if version_id is None:
                version_id = max(self._versions(self._place(key)), default="0")
            place = self._object(key, version_id)
            size = place.stat().st_size
            metadata = json.loads(place.with_suffix(".json").read_bytes())
        return Stat(key, version_id, size, metadata.get("sha256", ""), metadata)

    def get(self, key: str, version_id: str) -> Iterator[bytes]:
        with _in_our_words(self.url), self._object(key, version_id).open("rb") as source:
            while block := source.read(BLOCK):
                yield block

    def list(self, prefix: str = "") -> Iterator[Version]:
        with _in_our_words(self.url):
            self._there()
            found = sorted(self._objects(prefix))
            newest = {place.parent: place for place in found}
            for place in found:
                key = str(place.parent.relative_to(self.path))
                if key.startswith(prefix):
                    with contextlib.suppress(FileNotFoundError):  # removed since
                        told = place.stat()
                        modified = told.st_mtime_ns // 1000
                        yield Version(key, place.stem, told.st_size, modified, place == newest[place.parent])

    def remove(self, key: str, version_id: str) -> None:
        if not version_id:
            raise BadUsage("A removal names its version", key)
        with _in_our_words(self.url):
            place = self._object(key, version_id)
            for path in (place, place.with_suffix(".json")):
                path.unlink(missing_ok=True)
            self._tidy(place.parent)

    def uploads(self, key: str) -> Sequence[str]:
        with _in_our_words(self.url):
            return sorted(path.stem for path in self._place(key).glob("*.part"))

    def abort(self, key: str, upload: str) -> None:
        with _in_our_words(self.url):
            place = self._object(key, upload)
            place.with_suffix(".part").unlink(missing_ok=True)
            if not place.exists():
                place.with_suffix(".json").unlink(missing_ok=True)
            self._tidy(place.parent)

    def close(self) -> None:
        """Nothing is held open."""

    def lock(self, key: str, version_id: str, until: Instant, mode: LockMode) -> Stat:
        raise _cannot("locked", self.url)

    def hold(self, key: str, version_id: str, on: bool) -> Stat:
        raise _cannot("held", self.url)

    def _put(
        self, key: str, blocks: Iterable[bytes], sha256: str, size: int, metadata: Mapping[str, str]
    ) -> Stored:
        claimed = checked_metadata(metadata, sha256)
        place = self._place(key)
        _make(place, self.path)
        for cut in place.glob("*.part"):
            cut.unlink(missing_ok=True)
        version = f"{time.time_ns():016x}{secrets.token_hex(4)}"
        part = place / f"{version}.part"
        try:
            length, digest = _write(part, blocks)
            if (length, digest) != (size, sha256):
                raise Damaged("The file is not the one that was sealed", f"{key}: {length} of {size} bytes")
            _write(place / f"{version}.json", [json.dumps(claimed).encode()])
            _sync(place)
            part.rename(place / f"{version}.object")
            _sync(place)
        except BaseException:
            part.unlink(missing_ok=True)
            if not (place / f"{version}.object").exists():
                (place / f"{version}.json").unlink(missing_ok=True)
            raise
        return Stored(key, version, size, sha256)

    def _there(self) -> None:
        if not (self.path / _MARK).exists():
            raise NotFound(
                "There is no such vault bucket", self.url, f"is the disk mounted? It lacks {_MARK}"
            )

    def _place(self, key: str) -> Path:
        self._there()
        return self.path / checked_key(key)

    def _object(self, key: str, version_id: str) -> Path:
        place = self._place(key)
        if not _VERSION.fullmatch(version_id):
            raise NotFound("There is no such version", f"{key} {version_id}")
        return place / f"{version_id}.object"

    def _versions(self, place: Path) -> Iterator[str]:
        return (path.stem for path in place.glob("*.object"))

    def _objects(self, prefix: str) -> Iterator[Path]:
        """Files of versions whose key begins with prefix. A directory that goes meanwhile is no fault."""
        start, _, name = prefix.rpartition("/")
        try:
            there = [each for each in (self.path / start).iterdir() if each.name.startswith(name)]
        except (FileNotFoundError, NotADirectoryError):
            return
        for each in there:
            for folder, _, files in os.walk(each, onerror=_unless_gone):
                yield from (Path(folder, file) for file in files if file.endswith(".object"))

    def _tidy(self, place: Path) -> None:
        """Make the removal durable, and take away directories that have become empty, up to the bucket's own.

        Others may do the same beside us.
        """
        with contextlib.suppress(FileNotFoundError):
            _sync(place)
        with contextlib.suppress(OSError):
            while place != self.path:
                place.rmdir()
                place = place.parent
        with contextlib.suppress(FileNotFoundError):
            _sync(place)


def _write(path: Path, blocks: Iterable[bytes]) -> tuple[int, str]:
    seen, length = hashlib.sha256(), 0
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
        for block in blocks:
            out.write(block)
            seen.update(block)
            length += len(block)
        out.flush()
        os.fsync(out.fileno())
    return length, seen.hexdigest()


def _make(place: Path, root: Path) -> None:
    """Make the directories of a key; each is durable before anything is put into it."""
    if place != root and not place.is_dir():
        _make(place.parent, root)
        place.mkdir(mode=0o700, exist_ok=True)
        _sync(place.parent)


def _unless_gone(failure: OSError) -> None:
    if not isinstance(failure, FileNotFoundError | NotADirectoryError):
        raise failure


def _sync(directory: Path) -> None:
    opened = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _cannot(become: str, url: str) -> FsgovError:
    return BadConfiguration(
        f"Nothing in a file vault can be {become}: whoever owns the directory can remove it",
        url,
        "an immutable policy needs an s3:// vault whose bucket has object lock",
    )


@contextlib.contextmanager
def _in_our_words(url: str) -> Iterator[None]:
    try:
        yield
    except FsgovError:
        raise
    except FileNotFoundError as failure:
        raise NotFound(
            "There is no such object or version", f"{url} {failure.filename or ''}".strip()
        ) from failure
    except PermissionError as failure:
        raise NotPermitted("This login may not use the vault", f"{url}: {failure.strerror}") from failure
    except OSError as failure:
        hint = "free space on its disk" if failure.errno in (errno.ENOSPC, errno.EDQUOT) else ""
        raise Unreachable(
            "The vault's directory does not work", f"{url}: {failure.strerror}", hint
        ) from failure
