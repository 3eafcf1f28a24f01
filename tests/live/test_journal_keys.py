"""Keep and the keys of the log, on a real database: a handover, a loss, an old key that was left behind."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from fsgov import entries
from fsgov.errors import BadConfiguration, Damaged
from fsgov.journal import FileSink, Sequencer, VaultAnchor
from fsgov.journal.alarms import Alarms
from fsgov.journal.signing import Signer
from fsgov.merkle import Checkpoint, PublicKey, generate_signing_key
from fsgov.vault import Bucket, open_bucket
from fsgov.verify import Report, verify_directory, verify_export
from tests.parts.catalog import START, World, line
from tests.parts.schemas import faults

OLD, NEW, NEXT = (generate_signing_key(lambda n, b=b: b * n) for b in (b"o", b"n", b"x"))  # type: ignore[misc]
OLD_PUBLIC, NEW_PUBLIC, NEXT_PUBLIC = (PublicKey.of("fsgov", key) for key in (OLD, NEW, NEXT))


class Log:
    """The log of one database with its copies; who keeps it changes."""

    def __init__(self, world: World, root: Path) -> None:
        self.world = world
        self.root = root
        self.bucket: Bucket = open_bucket(f"file:{root}/vault")
        self.bucket.create()
        self.sink = FileSink(root / "log")
        self.entered = 0
        self.lives = 0

    def kept(
        self,
        key: Ed25519PrivateKey,
        prior: Ed25519PrivateKey | None = None,
        *earlier: PublicKey,
        more: int = 2,
    ) -> None:
        """One life of keep with these keys, while some lines come; what it leaves undone is an error."""
        with self.world.ship.entering() as entering:
            new = [line("fs1.ship.1", self.entered + n) for n in range(1, more + 1)]
            entering.lines("fs1.ship.1", self.entered + 1, new)
            self.entered += more
        self.lives += 1
        keep = self.world.keep
        now = START + self.lives * 1_000_000
        alarms = Alarms(keep, "fs1", lambda: now)
        anchor = VaultAnchor("eu", self.bucket)
        signer = Signer(key, prior, earlier)
        sequencer = Sequencer(keep, signer, lambda: now, [self.sink], [anchor], alarms.tell)
        try:
            for _ in range(2):
                sequencer.run_once(sign=True)
                alarms.follow(sequencer.troubles)
            sequencer.run_once(sign=True)
        finally:
            keep.close()

    def verified(self, *keys: PublicKey, expect: bytes | None = None) -> Report:
        """The copy of the file sink, which has to say what the table says."""
        self.sink.close()
        (directory,) = (self.root / "log").iterdir()
        rows = self.world.sql("admin", "SELECT line FROM fsgov.event_log ORDER BY seq")
        notes = self.world.sql("admin", "SELECT note FROM fsgov.checkpoints ORDER BY size")
        lines = (bytes(text) + b"\n" for (text,) in rows)
        found = verify_export(lines, [note.encode() for (note,) in notes], keys, expect)
        assert verify_directory(directory, keys, expect) == found
        return found

    def anchored(self) -> bytes:
        newest = max(version.key for version in self.bucket.list("log/"))
        return b"".join(self.bucket.get(newest, self.bucket.stat(newest).version_id))

    def changes(self) -> list[dict[str, entries.Fact]]:
        rows = self.world.sql("admin", "SELECT line FROM fsgov.event_log ORDER BY seq")
        found = [bytes(text) for (text,) in rows if b"signer.changed" in bytes(text)]
        assert [fault for text in found for fault in faults(text)] == []
        return [json.loads(text)["data"] for text in found]


@pytest.fixture
def log(world: World, tmp_path: Path) -> Iterator[Log]:
    made = Log(world, tmp_path)
    yield made
    made.sink.close()


def test_the_old_key_hands_over_and_either_verifies_the_whole(log: Log) -> None:
    log.kept(OLD)
    log.kept(NEW, OLD)
    log.kept(NEW)
    for keys in ((OLD_PUBLIC,), (NEW_PUBLIC,), (OLD_PUBLIC, NEW_PUBLIC)):
        found = log.verified(*keys, expect=log.anchored())
        assert (found.uncovered, found.expected) == (0, True)
    assert [span.how for span in log.verified(OLD_PUBLIC).signers] == ["given", "handed over"]
    assert log.changes() == [{"key": str(NEW_PUBLIC), "prior": str(OLD_PUBLIC), "handed_over": True}]


def test_it_hands_over_once_though_the_old_key_stays_in_the_configuration(log: Log) -> None:
    log.kept(OLD)
    log.kept(NEW, OLD)
    log.kept(NEW, OLD)
    log.kept(NEXT, NEW, OLD_PUBLIC)
    assert [each["key"] for each in log.changes()] == [str(NEW_PUBLIC), str(NEXT_PUBLIC)]
    assert [span.how for span in log.verified(OLD_PUBLIC).signers] == ["given", "handed over", "handed over"]


def test_a_keep_that_was_left_with_the_old_key_signs_nothing(log: Log) -> None:
    log.kept(OLD)
    log.kept(NEW, OLD, more=0)
    notes = log.world.sql("admin", "SELECT count(*) FROM fsgov.checkpoints")
    for keys in ((OLD,), (OLD, None, NEW_PUBLIC), (NEXT,), (NEXT, OLD)):
        with pytest.raises(BadConfiguration, match="under another key"):
            log.kept(*keys, more=1)  # type: ignore[arg-type]
    assert log.world.sql("admin", "SELECT count(*) FROM fsgov.checkpoints") == notes


def test_without_the_old_key_and_without_a_word_nothing_is_signed(log: Log) -> None:
    log.kept(OLD)
    with pytest.raises(BadConfiguration, match="under another key") as refused:
        log.kept(NEW)
    assert "log.earlier_keys" in refused.value.hint
    log.kept(OLD)
    assert log.verified(OLD_PUBLIC).uncovered == 0


def test_after_a_loss_the_next_key_goes_on_alone_and_the_log_tells(log: Log) -> None:
    log.kept(OLD)
    log.kept(NEW, None, OLD_PUBLIC)
    log.kept(NEW, None, OLD_PUBLIC)
    found = log.verified(OLD_PUBLIC, NEW_PUBLIC)
    assert found.uncovered == 0
    assert [span.how for span in found.signers] == ["given", "alone"]
    assert log.changes() == [{"key": str(NEW_PUBLIC), "prior": str(OLD_PUBLIC), "handed_over": False}]
    for keys in ((OLD_PUBLIC,), (NEW_PUBLIC,)):
        with pytest.raises(Damaged, match="cannot be trusted"):
            log.verified(*keys)


def test_a_handover_is_the_first_that_the_new_key_signs(log: Log) -> None:
    log.kept(OLD)
    log.kept(NEW, OLD)
    notes = [note for (note,) in log.world.sql("admin", "SELECT note FROM fsgov.checkpoints ORDER BY size")]
    successors = [Checkpoint.parse(note[: note.index("\n\n") + 1]).successor for note in notes]
    assert NEW_PUBLIC in successors
    assert all(each is None for each in successors[: successors.index(NEW_PUBLIC)])
    assert successors.count(NEW_PUBLIC) == 1
