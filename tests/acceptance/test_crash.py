"""SIGKILL at every numbered step of the durable order, while calls go on (docs/architecture.md).

One play for all tests: calls of every kind, each part killed at each of its named places and from outside, at
last the switch itself. `make crash` (FSGOV_CRASH=long) plays it again with random places and moments; the
seed is in the name of each test, and FSGOV_CRASH_SEED=N plays that one. Judged by the switch's world and by
the bytes in the vault; fsgov's own journal is no witness.
"""

from __future__ import annotations

import hashlib
import os
import random
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from fsgov.demo import site as sites
from fsgov.demo.stage import Stage
from tests.acceptance.crash import oracle
from tests.acceptance.crash.evidence import Evidence, collect
from tests.acceptance.crash.parts import HEAD, SCRIBE_WAS_KILLED, plaintext_in, scratch
from tests.acceptance.crash.plan import GOVERN, KEEP, SHIP, Plan, by_seed, each_once
from tests.acceptance.crash.play import PAUSED, Play
from tests.parts import postgres

pytestmark = pytest.mark.timeout(600)
ROUNDS = 8
"""Seeds of the long form."""


def plans() -> list[Plan]:
    if seed := os.environ.get("FSGOV_CRASH_SEED"):
        return [by_seed(int(seed))]
    if os.environ.get("FSGOV_CRASH") == "long":
        return [each_once(), *(by_seed(random.SystemRandom().randrange(1 << 32)) for _ in range(ROUNDS))]
    return [each_once()]


@dataclass(frozen=True, slots=True)
class Aftermath:
    """A play that is over."""

    site: sites.Site
    play: Play
    evidence: Evidence


@pytest.fixture(scope="module", params=plans(), ids=str)
def after(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aftermath]:
    root = tmp_path_factory.mktemp("crash")
    site = sites.Site(root)
    scratch(site).mkdir()
    sites.check_path(root)
    postgres.prepare(site.database)
    sites.make(site, (Path(__file__).parent / "crash" / "policy.toml").read_text())
    with Stage.open(site) as stage:
        stage.start_switch()
        play = Play(stage, request.param)
        play.run()
        evidence = collect(stage)
    return Aftermath(site, play, evidence)


# -- that it was a crash matrix at all -------------------------------------------------------------------


def test_every_failpoint_of_the_parts_is_in_the_matrix() -> None:
    """Others: a destruction's in tests/live/test_purge_crash.py, a rotation's in test_rotation_crash.py, an
    erasure's in test_erasure_crash.py, those of locks and copies in test_locks.py and test_copies.py.
    """
    elsewhere = ("purge.", "rotate.", "subject.", "ship.locked.", "ship.artefact.", "keep.copy.")
    texts = [path.read_text() for path in Path(sites.__file__).parents[1].rglob("*.py")]
    found = {name for text in texts for name in re.findall(r'failpoint\("([^"]+)"\)', text)}
    assert {name for name in found if not name.startswith(elsewhere)} == {*SHIP, *KEEP, *GOVERN}


def test_every_part_was_killed_at_every_place(after: Aftermath) -> None:
    reached = {each.blow.point for each in after.play.killed}
    if after.play.plan.seed is None:
        assert reached >= {*SHIP, *KEEP, *GOVERN}
    assert len(after.play.killed) == 1 + sum(
        len(blows) for blows in (after.play.plan.govern, after.play.plan.ship, after.play.plan.keep)
    )


def test_two_blocks_of_audio_were_on_disk_at_each_kill_of_govern(after: Aftermath) -> None:
    short = [each.blow for each in after.play.killed if each.part == "govern" and not each.two_blocks]
    assert not short


def test_the_parts_that_were_not_killed_stopped_well(after: Aftermath) -> None:
    assert after.play.codes == {"govern": 0, "ship": 0, "keep": 0}


# -- the audio -------------------------------------------------------------------------------------------


def test_the_vault_has_every_frame_that_the_switch_wrote_and_no_other(after: Aftermath) -> None:
    written = oracle.written(after.evidence)
    closed = {s: wav for s, wav in after.evidence.vault.items() if s not in after.play.crashed}
    assert written.keys() == closed.keys()
    wrong = [segment for segment, wav in closed.items() if oracle.spoken(wav) != written[segment]]
    assert not wrong
    assert sum(map(len, written.values())) > 50 * 9 * 10


def test_at_every_kill_each_closed_segment_is_in_the_spool_or_entered(after: Aftermath) -> None:
    """Plaintext goes only when the row is there."""
    assert {each.blow.point: each.nowhere for each in after.play.killed if each.nowhere} == {}


def test_no_frame_is_in_the_vault_twice(after: Aftermath) -> None:
    assert oracle.twice(after.evidence.vault) == []


def test_what_was_on_disk_at_a_kill_is_in_the_vault_byte_for_byte(after: Aftermath) -> None:
    pieces = {
        (segment, piece)
        for killed in after.play.killed
        for segment, piece in killed.disk.items()
        if piece.size
    }
    assert len(pieces) > len(after.play.killed)
    for segment, piece in pieces:
        pcm = after.evidence.vault[segment][HEAD:]
        assert hashlib.sha256(pcm[: piece.size]).hexdigest() == piece.sha256, segment


def test_a_file_that_the_switch_left_half_written_is_sealed_as_found(after: Aftermath) -> None:
    assert after.play.crashed
    for segment, wav in after.play.crashed.items():
        assert after.evidence.vault[segment] == wav
        row = after.evidence.rows[segment]
        assert (row.truncated, row.state, row.audio_size) == (True, "stored", len(wav))
        moments = [
            frame for frame in oracle.spoken(wav) if frame != "unknown"
        ]  # a block may end within a frame
        (opened,) = [e for e in after.evidence.happened("opened") if Path(e["file"]).stem == segment]
        assert moments == [(opened["leg"], opened["moment"] + n) for n in range(len(moments))]


def test_calls_that_go_on_are_recorded_on_after_each_kill(after: Aftermath) -> None:
    """A start is made good within seconds; what was running before is adopted, not begun again."""
    opened = Counter(e["uuid"] for e in after.evidence.happened("opened"))
    long = {each.call for each in after.play.calls.values() if each.recorded}
    brief = {each.call for each in after.play.calls.values() if each.name.startswith("more")}
    assert long - brief <= set(opened) <= long
    if after.play.plan.seed is None:
        again = {each.name for each in after.play.calls.values() if opened[each.call] > 1}
        assert not {name for name in again if not name.startswith("new")}


def test_who_refused_before_a_kill_is_neither_recorded_nor_asked_again_after_it(after: Aftermath) -> None:
    for name in ("refuses", "declines", "unanswered", "never"):
        call = after.play.calls[name].call
        legs = {leg["leg"] for leg in after.evidence.happened("leg", call=call)}
        assert not [e for e in after.evidence.happened("opened") if e["leg"] in legs], name
        asked = after.evidence.happened("heard", uuid=call)
        assert len(asked) == (0 if name == "never" else 1), name
        assert name == "unanswered" or all(e["moment"] < after.play.refused_at for e in asked), name


def test_who_paused_before_a_kill_is_not_heard_after_it(after: Aftermath) -> None:
    call = after.play.calls[PAUSED].call
    frames = [
        frame
        for segment, wav in after.evidence.vault.items()
        if segment.startswith(call)
        for frame in oracle.spoken(wav)
    ]
    assert "masked" in frames
    heard = [frame for frame in frames if isinstance(frame, tuple)]
    assert heard
    assert max(moment for _, moment in heard) <= after.play.paused_at
    assert {row.mask_proof for row in after.evidence.rows.values() if row.call == call} == {"proven"}


# -- plaintext -------------------------------------------------------------------------------------------


def test_no_plaintext_is_anywhere_but_in_the_spool(after: Aftermath) -> None:
    site = after.site
    assert [path for each in after.play.killed for path in each.leaked] == []
    assert plaintext_in(site.database, site.root / "vault", site.host, site.switch, scratch(site)) == []


def test_plaintext_would_have_been_found(after: Aftermath, tmp_path: Path) -> None:
    wav = next(wav for wav in after.evidence.vault.values() if len(wav) > 2048)
    at = random.randrange(HEAD, len(wav) - 1024)
    (tmp_path / "x").write_bytes(b"page" + wav[at : at + 514] + b"page")
    assert plaintext_in(tmp_path) == [str(tmp_path / "x")]


# -- the log ---------------------------------------------------------------------------------------------


def test_the_log_verifies_in_the_database_and_in_its_sink(after: Aftermath) -> None:
    assert after.evidence.log_faults == ()


def test_the_newest_checkpoint_is_in_the_vault(after: Aftermath) -> None:
    names = sorted(path.name for path in (after.site.root / "vault" / "audio" / "log").rglob("*.checkpoint"))
    assert int(names[-1].split(".")[0]) == after.evidence.log_size


def test_every_origin_is_gap_free_and_in_order(after: Aftermath) -> None:
    numbers: dict[str, list[int]] = {}
    for line in after.evidence.parsed():
        origin, _, n = line["id"].rpartition(".")
        numbers.setdefault(origin, []).append(int(n))
    assert {
        origin: found for origin, found in numbers.items() if found != list(range(1, len(found) + 1))
    } == {}
    governs = sum(each.part == "govern" for each in after.play.killed) + 1
    assert sum(".govern." in origin for origin in numbers) == governs


def test_torn_lines_are_dropped_and_every_whole_one_is_entered(after: Aftermath) -> None:
    """Files of writers that ended last are left, and all of what is in them is in the log."""
    assert len(after.evidence.left) <= 3
    for *lines, rest in after.evidence.left.values():
        assert rest == b""
        assert set(lines) <= set(after.evidence.lines)
    assert after.evidence.alarms == "{}"
    raised = after.evidence.entered("alarm.raised")
    assert not raised, raised


# -- the catalog -----------------------------------------------------------------------------------------


def test_one_row_and_one_object_for_each_file_of_the_switch(after: Aftermath) -> None:
    evidence = after.evidence
    assert set(evidence.rows) == set(oracle.written(evidence)) | set(after.play.crashed)
    assert {row.state for row in evidence.rows.values()} == {"stored"}
    names = [f"keys/{segment}" for segment in evidence.rows] + [
        row.object_key for row in evidence.rows.values()
    ]
    assert dict(evidence.objects) == dict.fromkeys(names, 1)
    for segment, row in evidence.rows.items():
        wav = evidence.vault[segment]
        assert (row.audio_size, row.audio_sha256) == (len(wav), hashlib.sha256(wav).hexdigest())
    assert all(bucket == database for bucket, database in evidence.wrapped.values())
    for type_ in ("segment.checked", "segment.stored"):
        assert evidence.entered(type_) == Counter(list(evidence.rows))


def test_every_conversation_has_exactly_one_outcome(after: Aftermath) -> None:
    calls = after.evidence.calls
    assert set(calls) == oracle.conversations(after.evidence)
    heard = {segment.rpartition("-")[0] for segment in after.evidence.vault}
    wrong = {
        each.name: (calls[each.call].outcome, calls[each.call].outcome_cause)
        for each in after.play.calls.values()
        if calls[each.call].outcome
        not in (each.outcome if each.call in heard or not each.recorded else {"failed"})
    }
    assert not wrong


def test_the_log_tells_each_outcome_and_its_last_word_is_that_of_the_row(after: Aftermath) -> None:
    """Only a kill of the scribe between entries and call files makes govern tell those ends once more."""
    told: dict[str, list[str]] = {}
    for line in after.evidence.parsed():
        if line["type"] in ("fsgov.call.over.v1", "fsgov.call.outcome.revised.v1"):
            told.setdefault(line["subject"], []).append(line["data"]["outcome"])
    assert {call: outcomes[-1] for call, outcomes in told.items()} == {
        call: row.outcome for call, row in after.evidence.calls.items()
    }
    kills = sum(each.code == SCRIBE_WAS_KILLED for each in after.play.killed)
    again = {call: ends - 1 for call, ends in after.evidence.entered("call.over").items() if ends - 1 > kills}
    assert again == {}, told


def test_the_catalog_names_the_segments_of_each_call_as_the_switch_wrote_them(after: Aftermath) -> None:
    segments: dict[str, set[str]] = {}
    for opened in after.evidence.happened("opened"):
        segments.setdefault(opened["uuid"], set()).add(Path(opened["file"]).stem)
    rows: dict[str, set[str]] = {}
    for segment, row in after.evidence.rows.items():
        rows.setdefault(row.call, set()).add(segment)
    assert rows == segments
