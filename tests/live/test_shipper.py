"""Ship against a real PostgreSQL and a vault that is a directory: the durable order, step by step."""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from fsgov.catalog import migrate
from fsgov.catalog.ship import Entering, Ship
from fsgov.envelope import Identity
from fsgov.errors import Unreachable
from fsgov.events import Instant
from fsgov.shipper import Destination
from fsgov.spool import Spool
from fsgov.vault import Stored, Vault, open_vault
from fsgov.vault.files import FileBucket
from tests.live.shipping import CALL, HOUR, OPENED, Site, head, mask, talk
from tests.parts.catalog import line

FAILPOINTS = [
    f"ship.{step}.{when}"
    for step in ("ready", "sealed", "stored", "key", "entered", "discard")
    for when in ("before", "after")
]


@pytest.fixture
def site(tmp_path: Path, database: str) -> Site:
    migrate.init(database, tmp_path / "logins")
    made = Site(
        root=str(tmp_path),
        dsn=database,
        secret=str(Identity.generate(os.urandom)),
        url=f"file:{tmp_path}/vault/audio",
        keys=f"file:{tmp_path}/vault/keys",
    )
    made.vault().audio.create()
    made.vault().keys.create()
    return made


def plaintext(site: Site) -> list[str]:
    return sorted(path.name for path in (site.spool_directory / "audio").iterdir())


def test_a_segment_goes_the_whole_way(site: Site) -> None:
    audio = talk(5000)
    segment = site.capture(audio=audio, reported_ms=5000, reported_size=len(audio))
    site.remember(segments=[segment])
    site.ship()
    row = site.ask(
        "SELECT state, vault, object_key, ms, audio_size, audio_sha256, truncated, mask_proof, quarantine,"
        " findings FROM fsgov.segments"
    )
    digest = hashlib.sha256(audio).hexdigest()
    key = f"default/2026/11/{segment}.age"
    assert row == [("stored", "eu", key, 5000, len(audio), digest, False, "none", "", [])]
    assert site.objects() == [key]
    assert site.audio(segment) == audio
    assert plaintext(site) == []
    assert site.types(segment) == ["fsgov.segment.checked.v1", "fsgov.segment.stored.v1"]
    assert site.ask("SELECT call FROM fsgov.calls") == [(CALL,)]


def test_nothing_is_kept_of_what_is_destroyed(site: Site) -> None:
    gone, kept = site.capture(1, talk(100)), site.capture(2, talk(100))
    site.ship()
    with closing(psycopg2.connect(site.dsn)) as connection, connection, connection.cursor() as cursor:
        cursor.execute("INSERT INTO fsgov.erased (segment, keys_at) VALUES (%s, now())", (gone,))
    site.ship()
    with closing(Spool(site.spool_directory, "status")) as spool:
        assert not spool.sealed(gone).exists()
        assert spool.segment(gone) is None
        assert spool.sealed(kept).exists()
        assert spool.segment(kept) is not None


def test_the_sealed_copy_stays_and_then_goes(site: Site) -> None:
    segment = site.capture(audio=talk(100))
    later = time.time_ns() // 1000 + 49 * HOUR
    site.ship()
    with closing(Spool(site.spool_directory, "status")) as spool:
        assert spool.sealed(segment).exists()
        assert json.loads(spool.segment(segment) or "")["state"] == "entered"
        site.remember()
        site.ship(now=lambda: later)
        assert spool.segment(segment) is not None, "its call may still take numbers"
        spool.forget(CALL)
        site.ship(now=lambda: later)
        assert spool.segment(segment) is None
        assert not spool.sealed(segment).exists()
    assert site.objects() == [f"default/2026/11/{segment}.age"]


@pytest.mark.parametrize("failpoint", FAILPOINTS)
def test_a_kill_at_any_step_ends_where_no_kill_would(site: Site, failpoint: str) -> None:
    audio = talk(9000)  # more than two blocks of 64 KiB
    segment = site.capture(audio=audio)
    assert site.ship_in_child(failpoint) == -9
    site.ship()
    assert site.ask("SELECT segment, state FROM fsgov.segments") == [(segment, "stored")]
    assert site.objects() == [f"default/2026/11/{segment}.age"]
    assert [version.key for version in site.vault().keys.list()] == [f"keys/{segment}"]
    assert site.audio(segment) == audio
    assert plaintext(site) == []
    assert site.types(segment) == ["fsgov.segment.checked.v1", "fsgov.segment.stored.v1"]
    assert [p.name for p in (site.spool_directory / "sealed").glob("*.age")] == [f"{segment}.age"]


def test_a_sealed_file_that_is_damaged_is_sealed_again(site: Site) -> None:
    audio = talk(1000)
    segment = site.capture(audio=audio)
    assert site.ship_in_child("ship.sealed.after") == -9
    sealed = site.spool_directory / "sealed" / f"{segment}.age"
    content = bytearray(sealed.read_bytes())
    content[300] ^= 1
    sealed.write_bytes(content)
    site.ship()
    assert site.audio(segment) == audio
    assert len(site.objects()) == 1


# -- checks -----------------------------------------------------------------------------------------------


def test_a_proven_mask_is_told(site: Site) -> None:
    segment = site.capture(audio=talk(5000, silent=(1000, 3000)), masks=[mask(1000, 3000)])
    site.ship()
    assert site.ask("SELECT state, mask_proof FROM fsgov.segments") == [("stored", "proven")]
    assert site.ask("SELECT from_ms, to_ms FROM fsgov.masks WHERE segment = %s", segment) == [(1000, 3000)]


def test_a_mask_that_is_not_silent_is_quarantined_stored_and_reviewed_within_hours(site: Site) -> None:
    segment = site.capture(audio=talk(5000, silent=(1000, 2500)), masks=[mask(1000, 3000)])
    site.ship()
    ((state, proof, reason, hours),) = site.ask(
        "SELECT state, mask_proof, quarantine, extract(epoch FROM review_by - now()) / 3600"
        " FROM fsgov.segments"
    )
    assert (state, proof, reason) == ("quarantined", "failed", "mask-not-proven")
    assert 23 < hours <= 24
    assert len(site.objects()) == 1
    assert plaintext(site) == []
    assert "fsgov.segment.quarantined.v1" in site.types(segment)


def test_a_crash_of_the_switch_is_sealed_as_found(site: Site) -> None:
    audio = head(0) + talk(9000)[44 : 44 + 2 * 65_536]
    segment = site.capture(audio=audio, closed=None, cause="lost")
    site.ship()
    ((state, truncated, findings),) = site.ask("SELECT state, truncated, findings FROM fsgov.segments")
    assert (state, truncated) == ("stored", True)
    assert "up to 4096 ms at its end are lost" in findings[0]
    assert site.audio(segment) == audio


def test_44_bytes_though_minutes_were_reported_revise_the_outcome(site: Site) -> None:
    segment = site.capture(audio=head(0), reported_ms=23 * 60_000)
    site.remember(segments=[segment], ended=OPENED, outcome="recorded", revision=2)
    site.ship()
    later = time.time_ns() // 1000 + 10_000_000
    site.ship(now=lambda: later)
    assert site.ask("SELECT state, quarantine FROM fsgov.segments") == [("quarantined", "empty")]
    rows = site.ask("SELECT outcome, revised_outcome, revised_cause FROM fsgov.calls")
    assert rows == [("recorded", "failed", "media")]
    assert site.types(CALL) == ["fsgov.call.outcome.revised.v1"]
    assert not list((site.spool_directory / "calls").iterdir())


def test_one_empty_file_of_two_is_in_part(site: Site) -> None:
    segments = [site.capture(1, audio=head(0), reported_ms=5000), site.capture(2, audio=talk(1000))]
    site.remember(segments=segments, ended=OPENED, outcome="recorded", revision=2)
    later = time.time_ns() // 1000 + 10_000_000
    site.ship(now=lambda: later)
    assert site.ask("SELECT revised_outcome FROM fsgov.calls") == [("recorded-in-part",)]


def test_a_missing_file_is_a_row_and_says_so(site: Site) -> None:
    site.capture(audio=None, reported_ms=5000)
    site.ship()
    ((state, findings),) = site.ask("SELECT state, findings FROM fsgov.segments")
    assert state == "missing"
    assert "there is no file" in findings[0]
    assert site.objects() == []
    assert site.types(f"{CALL}-01") == ["fsgov.segment.checked.v1"]


@pytest.mark.parametrize("audio", [None, b""])
def test_a_start_that_was_refused_leaves_no_row(site: Site, audio: bytes | None) -> None:
    site.capture(audio=audio, opened=None, cause="refused", discarded=True)
    site.ship()
    assert plaintext(site) == []
    assert site.ask("SELECT count(*) FROM fsgov.segments") == [(0,)]
    assert site.types(f"{CALL}-01") == []


def test_a_link_in_the_shared_directory_is_not_followed(site: Site, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(talk(100))
    segment = site.capture(audio=None)
    (site.spool_directory / "audio" / f"{segment}.wav").symlink_to(secret)
    with site.shipper() as shipper:
        shipper.run_once()
        assert list(shipper.alarms) == [f"segment.{segment}"]
    assert site.objects() == []


def test_what_belongs_to_govern_waits(site: Site) -> None:
    site.capture(1, audio=talk(100), state="open")
    site.capture(2, audio=None, state="planned")
    site.ship()
    assert site.objects() == []
    assert plaintext(site) == [f"{CALL}-01.wav"]


def test_a_damaged_sidecar_raises_an_alarm_and_hurts_nobody_else(site: Site) -> None:
    good = site.capture(1, audio=talk(100))
    (site.spool_directory / "segments" / f"{CALL}-02.json").write_text("")
    (site.spool_directory / "audio" / f"{CALL}-02.wav").write_bytes(talk(100))
    with site.shipper() as shipper:
        shipper.run_once()
        assert list(shipper.alarms) == [f"segment.{CALL}-02"]
    assert site.ask("SELECT segment FROM fsgov.segments") == [(good,)]
    assert plaintext(site) == [f"{CALL}-02.wav"]


# -- recipients and vaults --------------------------------------------------------------------------------


def test_without_a_recipient_audio_waits_with_one_alarm_until_there_is_one(site: Site) -> None:
    site.capture(1, audio=talk(100))
    site.capture(2, audio=talk(100))
    with site.shipper(destinations={"eu": Destination(site.vault(), ())}) as shipper:
        shipper.run_once()
        assert list(shipper.alarms) == ["sealing.eu"]
    assert len(plaintext(site)) == 2
    assert not list((site.spool_directory / "sealed").glob("*.age"))
    site.ship()
    assert len(site.objects()) == 2
    site.ship()  # the line of the alarm's end is entered
    told = [line["type"] for line in site.lines() if line["type"].startswith("fsgov.alarm")]
    assert told == ["fsgov.alarm.raised.v1", "fsgov.alarm.cleared.v1"]


def test_a_vault_that_is_away_holds_up_nothing_else(site: Site, tmp_path: Path) -> None:
    site.capture(1, audio=talk(100))
    site.capture(2, audio=talk(100), vault="uk")
    away = open_vault("uk", f"file:{tmp_path}/uk/audio", f"file:{tmp_path}/uk/keys")
    both = {
        "eu": Destination(site.vault(), (site.identity.recipient,)),
        "uk": Destination(away, (site.identity.recipient,)),
    }
    with site.shipper(destinations=both) as shipper:
        shipper.run_once()
        assert list(shipper.alarms) == ["vault.uk"]
    assert site.ask("SELECT vault FROM fsgov.segments") == [("eu",)]
    assert plaintext(site) == [f"{CALL}-02.wav"]
    away.audio.create()
    away.keys.create()
    site.ship(destinations=both)
    assert site.ask("SELECT vault FROM fsgov.segments ORDER BY segment") == [("eu",), ("uk",)]
    assert plaintext(site) == []


class Wrong(FileBucket):
    """A vault with a fault of our own making, for one segment."""

    def put(self, key: str, path: Path, sha256: str, size: int, metadata: Mapping[str, str]) -> Stored:
        if "-01.age" in key:
            raise ZeroDivisionError
        return super().put(key, path, sha256, size, metadata)


def test_a_bug_of_our_own_stays_with_its_segment(site: Site, tmp_path: Path) -> None:
    site.capture(1, audio=talk(100))
    good = site.capture(2, audio=talk(100))
    vault = Vault("eu", Wrong(tmp_path / "vault" / "audio"), site.vault().keys)
    with site.shipper(vault=vault) as shipper:
        shipper.run_once()
        assert list(shipper.alarms) == [f"segment.{CALL}-01"]
    assert site.ask("SELECT segment FROM fsgov.segments") == [(good,)]
    site.ship()
    assert plaintext(site) == []


class Crowded(FileBucket):
    """A vault that counts how many uploads it sees at once, each of which takes a while."""

    most = now = 0
    lock = threading.Lock()

    def put(self, key: str, path: Path, sha256: str, size: int, metadata: Mapping[str, str]) -> Stored:
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        time.sleep(0.2)
        try:
            return super().put(key, path, sha256, size, metadata)
        finally:
            with self.lock:
                self.now -= 1


def test_no_more_uploads_at_once_than_are_allowed(site: Site, tmp_path: Path) -> None:
    for n in range(1, 8):
        site.capture(n, audio=talk(100))
    crowded = Crowded(tmp_path / "vault" / "audio")
    with site.shipper(vault=Vault("eu", crowded, site.vault().keys), uploads=2) as shipper:
        shipper.run_once()
    assert crowded.most == 2
    assert plaintext(site) == []


def test_what_comes_while_ship_runs_is_shipped_within_moments(site: Site) -> None:
    stop = threading.Event()
    with site.shipper() as shipper:
        running = threading.Thread(target=shipper.run, args=(stop,))
        running.start()
        time.sleep(1.5)  # the directories have not changed for long
        segment = site.capture(audio=talk(100), state="open")
        site.remember(segments=[segment])
        until(lambda: site.ask("SELECT revision FROM fsgov.calls") == [(1,)])
        assert plaintext(site) == [f"{segment}.wav"]
        with closing(Spool(site.spool_directory, "govern")) as spool:
            document = json.loads(spool.segment(segment) or "")
            spool.replace_segment(segment, json.dumps(document | {"state": "captured"}), durable=True)
        began = time.monotonic()
        until(lambda: plaintext(site) == [])
        assert time.monotonic() - began < 5
        stop.set()
        running.join(20)


# -- entries, calls, policies -----------------------------------------------------------------------------


def test_lines_of_every_origin_arrive_though_the_vault_is_away(site: Site) -> None:
    site.capture(audio=talk(100))
    with closing(Spool(site.spool_directory, "govern")) as spool:
        dead = spool.entry_writer("fs1", "govern", OPENED)
        dead.enter("call.merged", CALL, OPENED, {"into": "other"})
        dead.close()
        alive = spool.entry_writer("fs1", "govern", OPENED + 1_000_000)
        alive.enter("call.merged", CALL, OPENED, {"into": "other"})
        site.ship(destinations={})
        alive.enter("call.merged", CALL, OPENED, {"into": "other"})
        site.ship(destinations={})
        left = [path.name for path in (site.spool_directory / "entries").glob("*govern*.jsonl")]
        assert left == [f"{alive.origin}.jsonl"], "a finished file goes, a growing one stays"
        alive.close()
    assert [line["id"] for line in site.lines() if line["subject"] == CALL] == [
        f"{dead.origin}.1",
        f"{alive.origin}.1",
        f"{alive.origin}.2",
    ]


def test_a_call_is_entered_with_each_revision_and_goes_when_it_is_over(site: Site) -> None:
    with site.shipper() as shipper:
        for revision in (1, 2, 3):
            site.remember(revision=revision)
            shipper.run_once()
            assert site.ask("SELECT revision, outcome FROM fsgov.calls") == [(revision, None)]
        site.remember(revision=4, ended=OPENED, outcome="refused")
        shipper.run_once()
        assert site.ask("SELECT revision, outcome FROM fsgov.calls") == [(4, "refused")]
        assert (site.spool_directory / "calls" / f"{CALL}.json").exists(), "govern may still add to it"
    later = time.time_ns() // 1000 + 10_000_000
    site.ship(now=lambda: later)
    assert not (site.spool_directory / "calls" / f"{CALL}.json").exists()


def test_a_call_that_is_over_waits_for_the_check_of_its_segments(site: Site) -> None:
    segment = site.capture(audio=head(0), reported_ms=5000, state="open")
    site.remember(segments=[segment], ended=OPENED, outcome="recorded")
    later = time.time_ns() // 1000 + 10_000_000
    site.ship(now=lambda: later)
    assert (site.spool_directory / "calls" / f"{CALL}.json").exists()


ELDER = "0f6c2d1e-aaaa-4bbb-8ccc-000000000001"


def after(site: Site, first: str, said: dict[str, Any]) -> Instant:
    """The call file says so after, or before, its segments were entered; when both have been."""
    later = time.time_ns() // 1000 + 10_000_000
    if first == "segment":
        site.ship()
        site.remember(**said)
    else:
        site.remember(**said)
        site.ship(destinations={}, now=lambda: later)
        assert list((site.spool_directory / "calls").iterdir()), "it is needed until the segment is entered"
    site.ship(now=lambda: later)
    return later


@pytest.mark.parametrize("by", [CALL, ELDER], ids=["of its call", "of the call that its own became"])
@pytest.mark.parametrize("first", ["segment", "withdrawal"])
def test_what_was_taken_back_after_its_release_is_marked_for_purge(site: Site, first: str, by: str) -> None:
    segment, other = site.capture(1, audio=talk(100)), site.capture(2, audio=talk(100))
    said = {
        "call": by,
        "segments": [segment, other] if by == CALL else [],
        "dispose": [segment],
        "state": {"dispose_reason": "withdrawn by party 1"},
        "ended": OPENED,
        "outcome": "withdrawn",
        "revision": 2,
    }
    later = after(site, first, said)
    rows = site.ask("SELECT segment, dispose, dispose_reason FROM fsgov.segments ORDER BY segment")
    assert rows == [(segment, True, "withdrawn by party 1"), (other, False, "")]
    site.ship(now=lambda: later)
    assert not list((site.spool_directory / "calls").iterdir())


@pytest.mark.parametrize("first", ["segment", "withdrawal"])
def test_what_a_withdrawal_sets_aside_goes_to_quarantine(site: Site, first: str) -> None:
    segment, other = site.capture(1, audio=talk(100)), site.capture(2, audio=talk(100))
    until = OPENED + 14 * 24 * 3600 * 1_000_000
    said = {
        "segments": [segment, other],
        "quarantine": {segment: until},
        "ended": OPENED,
        "outcome": "withdrawn",
        "revision": 2,
    }
    after(site, first, said)
    review = "(extract(epoch FROM review_by) * 1000000)::bigint"
    rows = site.ask(
        f"SELECT segment, state, quarantine, {review}, dispose FROM fsgov.segments ORDER BY segment"
    )
    assert rows == [(segment, "quarantined", "withdrawn", until, False), (other, "stored", "", None, False)]
    lines = site.ask("SELECT convert_from(line, 'UTF8') FROM fsgov.outbox")
    assert not [line for (line,) in lines if "segment.quarantined" in line], "govern has told of it"


def test_a_call_the_database_refuses_holds_up_no_other(site: Site) -> None:
    site.remember(call="bad", direction="sideways")
    site.remember(call="good")
    with site.shipper() as shipper:
        shipper.run_once()
        assert list(shipper.alarms) == ["call.bad"]
    assert site.ask("SELECT call FROM fsgov.calls") == [("good",)]


def test_policies_that_govern_left_are_entered(site: Site) -> None:
    text = 'version = "2026-11-21"\n'
    with closing(Spool(site.spool_directory, "govern")) as spool:
        digest = spool.keep_policy(text)
        assert spool.keep_policy(text) == digest
    site.ship()
    site.ship()
    rows = site.ask("SELECT sha256, version, text FROM fsgov.policies")
    assert rows == [(digest, "2026-11-21", text)]


@pytest.mark.parametrize("mended", [True, False])
def test_an_alarm_about_a_file_ends_when_it_is_mended_or_taken_away(site: Site, mended: bool) -> None:
    origin, later = "fs1.govern.7", time.time_ns() // 1000 + 600_000_000
    lines = site.spool_directory / "entries" / f"{origin}.jsonl"
    lines.parent.mkdir(parents=True, exist_ok=True)
    site.remember(call="bad", direction="sideways")
    call = site.spool_directory / "calls" / "bad.json"
    sidecar = site.spool_directory / "segments" / f"{CALL}-02.json"
    sidecar.write_text("")
    lines.write_bytes(b"\0\0\0\n")
    up = {f"entries.{origin}", "call.bad", f"segment.{CALL}-02"}
    with site.shipper() as shipper:
        shipper.run_once()
        assert set(shipper.alarms) == up
    with site.shipper() as shipper:  # ship keeps them over a restart
        assert set(shipper.alarms) == up
    if mended:
        lines.write_bytes(line(origin, 1) + b"\n")
        site.remember(call="bad")
    else:
        lines.unlink()
        call.unlink()
    sidecar.unlink()
    with site.shipper(now=lambda: later) as shipper:
        shipper.run_once()
        assert shipper.alarms == {}


# -- outages ----------------------------------------------------------------------------------------------


def test_while_postgresql_is_down_sealing_and_storing_go_on_and_it_drains_later(
    site: Site, postgres, proxy
) -> None:  # type: ignore[no-untyped-def]
    line = proxy(postgres.port)
    through = site.dsn.replace(f":{postgres.port}/", f":{line.port}/")
    assert through != site.dsn
    line.refusing = True
    segment = site.capture(audio=talk(1000))
    site.remember(segments=[segment])
    stop = threading.Event()
    with site.shipper(dsn=through) as shipper:
        running = threading.Thread(target=shipper.run, args=(stop,))
        running.start()
        until(lambda: site.objects() != [])
        assert plaintext(site) == [f"{segment}.wav"], "not entered: the plaintext stays"
        assert site.ask("SELECT count(*) FROM fsgov.calls") == [(0,)]
        line.heal()
        until(lambda: plaintext(site) == [])
        stop.set()
        running.join(20)
    assert site.ask("SELECT segment FROM fsgov.segments") == [(segment,)]
    assert len(site.objects()) == 1


class LostAnswer(Ship):
    """The catalog over a connection that breaks after its nth COMMIT: it happened, and nobody was told."""

    def __init__(self, ship: Ship, nth: int) -> None:
        self.ship = ship
        self.left = nth

    @contextmanager
    def entering(self) -> Iterator[Entering]:
        with self.ship.entering() as entering:
            yield entering
        self.left -= 1
        if self.left == 0:
            raise Unreachable("PostgreSQL does not answer", "the connection broke after COMMIT")


@pytest.mark.parametrize("nth", [1, 2, 3])
def test_a_lost_answer_to_a_commit_enters_everything_once(site: Site, nth: int) -> None:
    segment = site.capture(audio=head(0), reported_ms=5000)
    site.remember(segments=[segment], ended=OPENED, outcome="recorded")
    later = time.time_ns() // 1000 + 10_000_000
    with site.shipper(wrap=lambda ship: LostAnswer(ship, nth), now=lambda: later) as shipper:
        until(lambda: shipper.run_once() or plaintext(site) == [], pause=0.3)
        until(lambda: shipper.run_once() or not list((site.spool_directory / "calls").iterdir()), pause=0.3)
    assert [kind for kind in site.types(segment) if "stored" in kind] == ["fsgov.segment.stored.v1"]
    assert site.types(CALL) == ["fsgov.call.outcome.revised.v1"]
    assert len(site.objects()) == 1


def until(true, seconds: float = 20.0, pause: float = 0.05) -> None:  # type: ignore[no-untyped-def]
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come about in time"
        time.sleep(pause)


# -- plaintext --------------------------------------------------------------------------------------------


def test_no_plaintext_is_anywhere_but_in_the_spools_audio(site: Site, tmp_path: Path) -> None:
    audio = talk(9000)
    site.capture(1, audio=audio)
    site.capture(2, audio=audio)
    assert site.ship_in_child("ship.sealed.after:2") == -9
    site.ship(destinations={})
    pieces = [audio[at : at + 64] for at in range(44, len(audio) - 64, 16_384)]
    for path in tmp_path.rglob("*"):
        if path.is_file() and path.parent.name != "audio":
            content = path.read_bytes()
            assert not any(piece in content for piece in pieces), path
