"""A recording's last way: what is wrong leaves no file, what is right is exact."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, cast

import pytest

from fsgov.catalog.rows import ReleasedKey, SegmentRow
from fsgov.checks.keys import holds_identity
from fsgov.cli import exporting
from fsgov.envelope import Identity, seal, wrap_identity
from fsgov.errors import BadConfiguration, BadUsage, Conflict, Damaged, FsgovError, NotFound, NotPermitted
from fsgov.media import parse_header
from fsgov.vault import Bucket
from tests.live.shipping import talk

RECIPIENT = Identity.generate(os.urandom)
AUDIO = talk(9000)
"""More than two chunks of the sealed format."""


class Shelf:
    """A bucket with one object, given in blocks of odd sizes."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    def get(self, key: str, version_id: str) -> Iterator[bytes]:
        assert (key, version_id) == ("default/x.age", "v1")
        yield from (self.content[at : at + 7001] for at in range(0, len(self.content), 7001))


class Stored:
    """Audio sealed as ship seals it, with its row."""

    def __init__(self, audio: bytes) -> None:
        identity, target = Identity.generate(os.urandom), io.BytesIO()
        sealed = seal(io.BytesIO(audio), target, [identity.recipient], os.urandom)
        self.content = target.getvalue()
        nothing: dict[str, Any] = {field.name: None for field in fields(SegmentRow)}
        self.row = SegmentRow(
            **{
                **nothing,
                "segment": "c-01",
                "state": "stored",
                "findings": [],
                "audio_sha256": sealed.plaintext_sha256,
                "object_key": "default/x.age",
                "version_id": "v1",
                "sealed_size": sealed.sealed_size,
                "sealed_sha256": sealed.sealed_sha256,
            }
        )
        wrapped = wrap_identity(identity, [RECIPIENT.recipient], os.urandom)
        self.key = ReleasedKey(
            "c-01", wrapped, "eu", "default/x.age", "v1", sealed.sealed_size, sealed.sealed_sha256, None
        )

    def export(self, path: Path, *, as_found: bool = False, who: Identity = RECIPIENT) -> exporting.Copy:
        bucket = cast(Bucket, Shelf(self.content))
        self.seen = 0

        def seen(more: int) -> None:
            self.seen += more

        return exporting.export(bucket, self.row, self.key, [who], path, seen, as_found=as_found)


def test_the_copy_is_exact_and_private(tmp_path: Path) -> None:
    path = tmp_path / "new" / "c-01.wav"
    stored = Stored(AUDIO)
    copy = stored.export(path)
    assert path.read_bytes() == AUDIO
    assert stored.seen == exporting.sealed_size([stored.row]) == len(stored.content)
    assert path.stat().st_mode & 0o777 == 0o600
    assert copy.sha256 == copy.stored_sha256 == hashlib.sha256(AUDIO).hexdigest()
    assert not copy.repaired
    assert [each.name for each in path.parent.iterdir()] == ["c-01.wav"]


def test_an_open_header_is_repaired_in_the_copy_and_both_digests_are_told(tmp_path: Path) -> None:
    stored = Stored(talk(500, closed=False))
    copy = stored.export(tmp_path / "a.wav")
    content = (tmp_path / "a.wav").read_bytes()
    assert content == talk(500)
    assert parse_header(content).closed(len(content))
    assert copy.repaired
    assert copy.sha256 == hashlib.sha256(content).hexdigest()
    assert copy.stored_sha256 == stored.row.audio_sha256 != copy.sha256


def test_as_found_leaves_the_header(tmp_path: Path) -> None:
    copy = Stored(talk(500, closed=False)).export(tmp_path / "a.wav", as_found=True)
    assert (tmp_path / "a.wav").read_bytes() == talk(500, closed=False)
    assert not copy.repaired
    assert copy.sha256 == copy.stored_sha256


def test_what_is_no_wav_is_left_as_it_is(tmp_path: Path) -> None:
    Stored(b"no header at all").export(tmp_path / "a.wav")
    assert (tmp_path / "a.wav").read_bytes() == b"no header at all"


def changed_byte(stored: Stored) -> None:
    middle = len(stored.content) // 2
    flipped = bytes([stored.content[middle] ^ 1])
    stored.content = stored.content[:middle] + flipped + stored.content[middle + 1 :]


def cut(stored: Stored) -> None:
    stored.content = stored.content[:-1]


def longer(stored: Stored) -> None:
    stored.content += b"x"


def another_object(stored: Stored) -> None:
    """Well sealed, by somebody who could write into the vault, but not what was stored."""
    other = Stored(AUDIO[:-2])
    stored.content, stored.key = other.content, other.key


def another_row(stored: Stored) -> None:
    stored.row = replace(stored.row, audio_sha256="0" * 64)


@pytest.mark.parametrize("harm", [changed_byte, cut, longer, another_object, another_row])
def test_a_damaged_recording_leaves_no_file(tmp_path: Path, harm: Any) -> None:
    stored = Stored(AUDIO)
    harm(stored)
    with pytest.raises(Damaged):
        stored.export(tmp_path / "a.wav")
    assert list(tmp_path.iterdir()) == []


def test_sealed_bytes_that_differ_are_found_though_they_open(tmp_path: Path) -> None:
    """The same audio, sealed again: it opens and has the right digest, but is not what was stored."""
    stored = Stored(AUDIO)
    again = Stored(AUDIO)
    stored.content, stored.key = again.content, again.key
    with pytest.raises(Damaged):
        stored.export(tmp_path / "a.wav")
    assert list(tmp_path.iterdir()) == []


def test_the_wrong_identity_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        Stored(AUDIO).export(tmp_path / "a.wav", who=Identity.generate(os.urandom))
    assert list(tmp_path.iterdir()) == []


def test_no_file_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"mine")
    with pytest.raises(Conflict):
        Stored(AUDIO).export(tmp_path / "a.wav")
    assert (tmp_path / "a.wav").read_bytes() == b"mine"


def test_an_interruption_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), exporting.fresh(tmp_path / "a.wav") as file:
        file.write(b"half")
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BadUsage), exporting.fresh(tmp_path / "file" / "a.wav"):
        pass


# -- identities ------------------------------------------------------------------------------------------


def identity_file(path: Path, text: str, mode: int = 0o600) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


def test_an_identity_comes_from_the_option_then_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FSGOV_IDENTITY", raising=False)
    assert exporting.identities_of(None) == ()
    one, other = Identity.generate(os.urandom), Identity.generate(os.urandom)
    monkeypatch.setenv("FSGOV_IDENTITY", str(identity_file(tmp_path / "env", f"# mine\n{one}\n")))
    assert exporting.identities_of(None) == (one,)
    assert exporting.identities_of(identity_file(tmp_path / "option", str(other))) == (other,)


@pytest.mark.parametrize(
    ("text", "mode", "kind"),
    [
        ("", 0o600, BadConfiguration),
        ("age1qqqq", 0o600, BadConfiguration),
        (str(RECIPIENT), 0o644, NotPermitted),
        (str(RECIPIENT), 0o640, NotPermitted),
    ],
    ids=["empty", "no identity", "readable by all", "readable by its group"],
)
def test_an_identity_file_that_will_not_do(
    tmp_path: Path, text: str, mode: int, kind: type[FsgovError]
) -> None:
    with pytest.raises(kind) as fault:
        exporting.identities_of(identity_file(tmp_path / "id", text, mode))
    assert str(RECIPIENT) not in str(fault.value)


def test_the_identity_itself_is_not_shown_where_its_file_was_meant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FSGOV_IDENTITY", str(RECIPIENT))
    for path in (None, Path(str(RECIPIENT)), tmp_path / str(RECIPIENT).lower()):
        with pytest.raises(BadUsage) as fault:
            exporting.identities_of(path)
        assert str(RECIPIENT)[20:].lower() not in f"{fault.value} {fault.value.hint}".lower()


def test_an_identity_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        exporting.identities_of(tmp_path / "id")


def test_check_recognises_an_identity_in_any_file(tmp_path: Path) -> None:
    assert holds_identity(identity_file(tmp_path / "notes.txt", f"see below\n\n  {RECIPIENT}\n"))
    assert not holds_identity(identity_file(tmp_path / "public", str(RECIPIENT.recipient)))
    assert not holds_identity(identity_file(tmp_path / "prose", "a line that starts with AGE-SECRET-KEY-1"))
    assert not holds_identity(tmp_path / "absent")
