"""What media says of files as FreeSWITCH leaves them, and of the silence in them."""

from __future__ import annotations

import io
import struct
import wave
from collections.abc import Callable, Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsgov import media
from fsgov.errors import Damaged
from fsgov.media import Mask, Span, Verdict

BLOCK = 65_536


def head(audio: int, *, channels: int = 1, rate: int = 8000, bits: int = 16, listed: bytes = b"") -> bytes:
    """A WAV header as libsndfile writes it; `audio` 0 is one that was never closed."""
    frame = channels * bits // 8
    extra = b"LIST" + struct.pack("<I", len(listed)) + listed if listed else b""
    riff = 36 + len(extra) + audio if audio else 8
    fmt = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, channels, rate, rate * frame, frame, bits)
    return b"RIFF" + struct.pack("<I", riff) + b"WAVE" + fmt + extra + b"data" + struct.pack("<I", audio)


def examine(content: bytes, *, unbuffered: bool = False, **told: int) -> media.Examined:
    return media.examine(content[: media.HEAD], len(content), unbuffered=unbuffered, **told)


def reader(content: bytes, size: int = 1000) -> Callable[[Sequence[Span]], Iterator[tuple[int, bytes]]]:
    def read(due: Sequence[Span]) -> Iterator[tuple[int, bytes]]:
        for span in due:
            for at in range(span.first, span.last, size):
                yield at, content[at : min(at + size, span.last)]

    return read


def test_a_closed_file_is_sound_and_its_length_is_told() -> None:
    found = examine(head(32_320) + b"\1" * 32_320, reported_ms=2020, reported_size=32_364)
    assert found.verdict is Verdict.SOUND
    assert (found.frames, found.ms, found.lost_ms, found.findings) == (16_160, 2020, 0, ())
    assert found.header is not None
    assert found.header.start == 44


def test_a_list_chunk_moves_the_audio() -> None:
    found = examine(head(1600, listed=b"INFOINAM\4\0\0\0test") + b"\1" * 1600)
    assert found.verdict is Verdict.SOUND
    assert found.header is not None
    assert found.header.start == 44 + 24
    assert found.ms == 100


@pytest.mark.parametrize("riff", [8, 0])
def test_an_open_header_is_a_crash_and_all_that_is_there_counts(riff: int) -> None:
    content = head(0)[:4] + struct.pack("<I", riff) + head(0)[8:] + b"\1" * (2 * BLOCK)
    assert len(content) == 131_116
    found = examine(content)
    assert found.verdict is Verdict.TRUNCATED
    assert (found.ms, found.lost_ms) == (8192, 4096)
    assert "up to 4096 ms" in found.findings[0]


def test_what_a_crash_has_taken_at_most_is_told_by_the_clock_and_by_how_it_was_written() -> None:
    content = head(0) + b"\1" * (2 * BLOCK)
    assert examine(content, wall_ms=10_000).lost_ms == 10_000 - 8192
    assert examine(content, wall_ms=60_000).lost_ms == 4096
    assert examine(content, wall_ms=8000).lost_ms == 0
    assert examine(content, wall_ms=60_000, unbuffered=True).lost_ms == 500
    assert "up to 500 ms" in examine(content, unbuffered=True).findings[0]
    assert examine(head(0), wall_ms=2000).lost_ms == 2000
    assert examine(head(1600) + b"\1" * 1600, wall_ms=2000).lost_ms is None, "it was closed"


def test_an_open_header_of_44_bytes_after_a_crash_is_truncated_not_broken() -> None:
    found = examine(head(0))
    assert found.verdict is Verdict.TRUNCATED
    assert found.ms == 0


@pytest.mark.parametrize("content", [head(0), head(0)[:4] + struct.pack("<I", 36) + head(0)[8:], b""])
def test_no_audio_though_minutes_were_reported_is_empty(content: bytes) -> None:
    found = examine(content, reported_ms=23 * 60_000)
    assert found.verdict is Verdict.EMPTY
    assert found.lost_ms == 23 * 60_000


def test_a_full_disk_leaves_less_than_was_reported() -> None:
    found = examine(head(BLOCK) + b"\1" * BLOCK, reported_ms=12_040)
    assert found.verdict is Verdict.TRUNCATED
    assert found.lost_ms == 12_040 - 4096
    assert "4096 ms are on disk, 12040 ms were reported" in found.findings


def test_the_size_reported_is_compared_with_the_disk() -> None:
    found = examine(head(1600) + b"\1" * 1600, reported_ms=100, reported_size=1700)
    assert found.findings == ("1644 bytes are on disk, 1700 bytes were reported",)


@pytest.mark.parametrize("more", [60, 61])
def test_three_frames_of_difference_are_tolerated(more: int) -> None:
    found = examine(head(16_000) + b"\1" * 16_000, reported_ms=1000 + more)
    assert found.verdict is (Verdict.SOUND if more == 60 else Verdict.TRUNCATED)


def test_bytes_that_the_header_names_but_the_disk_has_not_are_a_lost_tail() -> None:
    found = examine(head(32_000) + b"\1" * 16_000)
    assert found.verdict is Verdict.TRUNCATED
    assert (found.ms, found.lost_ms) == (1000, 1000)
    assert "16000 bytes that the header names are missing" in found.findings


def test_audio_behind_the_audio_is_broken_but_a_chunk_is_not() -> None:
    two_writers = head(16_000) + b"\1" * 48_000
    assert examine(two_writers).verdict is Verdict.BROKEN
    tagged = bytearray(head(16_000) + b"\1" * 16_000 + b"LIST\4\0\0\0INFO")
    tagged[4:8] = struct.pack("<I", len(tagged) - 8)
    assert examine(bytes(tagged)).verdict is Verdict.SOUND
    assert examine(bytes(tagged)).ms == 1000


@pytest.mark.parametrize(
    "content",
    [
        b"RIFF",
        b"\0" * 100,
        b"RIFF\0\0\0\0WAVEdata\0\0\0\0",
        b"RIFF\0\0\0\0WAVE" + b"fmt \x10\0\0\0",
        head(100).replace(struct.pack("<H", 16) + b"data", struct.pack("<H", 24) + b"data"),
    ],
)
def test_what_is_no_wav_is_broken_and_never_raises(content: bytes) -> None:
    assert examine(content).verdict is Verdict.BROKEN


@given(st.binary(max_size=200), st.integers(0, 1 << 33), st.none() | st.integers(0, 1 << 30))
def test_no_bytes_make_examine_raise(garbage: bytes, size: int, ms: int | None) -> None:
    media.examine(garbage, max(size, len(garbage)), reported_ms=ms)
    media.examine(head(0)[:12] + garbage, max(size, len(garbage) + 12), reported_ms=ms)


# -- masks ----------------------------------------------------------------------------------------------


def talk(ms: int, *, channels: int = 1, silent: Sequence[tuple[int, int]] = ()) -> bytes:
    """Audio without a zero in it, except where it is silent (ms)."""
    audio = bytearray(b"\1" * (ms * 16 * channels))
    for first, last in silent:
        audio[first * 16 * channels : last * 16 * channels] = bytes((last - first) * 16 * channels)
    return head(len(audio), channels=channels) + bytes(audio)


def proof(content: bytes, *masks: Mask, size: int = 1000) -> media.Proof:
    return media.prove(reader(content, size), masks, examine(content))


def test_zeros_inside_the_edges_prove_a_mask() -> None:
    mask = Mask("mask", 1000, 3000, acknowledged=True)
    assert proof(talk(5000, silent=[(1060, 2940)]), mask) == media.Proof("proven", ())
    assert proof(talk(5000, silent=[(900, 3500)]), mask) == media.Proof("proven", ())


@pytest.mark.parametrize("silent", [(1061, 2940), (1060, 2939)])
def test_one_millisecond_of_audio_inside_the_edges_fails(silent: tuple[int, int]) -> None:
    found = proof(talk(5000, silent=[silent]), Mask("mask", 1000, 3000, acknowledged=True))
    assert found.result == "failed"
    assert "where a mask was acknowledged" in found.findings[-1]


def test_one_sample_of_one_channel_fails() -> None:
    content = bytearray(talk(5000, channels=2, silent=[(1000, 3000)]))
    content[44 + 2000 * 32 + 3] = 1
    found = proof(bytes(content), Mask("mask", 1000, 3000, acknowledged=True))
    assert found == media.Proof("failed", ("audio at 2000 ms, where a mask was acknowledged",))


def test_a_mask_is_clipped_at_the_end_of_the_file() -> None:
    quiet = talk(5000, silent=[(4000, 5000)])
    assert proof(quiet, Mask("mask", 3940, 9000, acknowledged=True)).result == "proven"
    assert proof(quiet, Mask("mask", 3940, None, acknowledged=True)).result == "proven"
    loud = talk(5000, silent=[(4000, 4999)])
    assert proof(loud, Mask("mask", 3940, None, acknowledged=True)).result == "failed"
    assert proof(loud, Mask("mask", 3940, 9000, acknowledged=True)).result == "failed"
    beyond = proof(loud, Mask("mask", 6000, 7000, acknowledged=True))
    assert beyond.result == "proven"
    assert "beyond the end" in beyond.findings[0]


def test_a_mask_nobody_acknowledged_proves_nothing_and_fails_nothing() -> None:
    found = proof(talk(5000), Mask("mask", 1000, 3000, acknowledged=False))
    assert found.result == "none"
    assert "never acknowledged" in found.findings[0]


def test_zeros_cannot_prove_a_cut() -> None:
    found = proof(talk(5000), Mask("cut", 1000, 1000, acknowledged=True))
    assert found.result == "none"
    assert "zeros cannot prove it" in found.findings[0]


def test_every_mask_of_a_file_counts() -> None:
    content = talk(9000, silent=[(1000, 2000), (6000, 7000)])
    good = [Mask("mask", 1000, 2000, acknowledged=True), Mask("mask", 6000, 7000, acknowledged=True)]
    assert proof(content, *good).result == "proven"
    assert proof(content, *good, Mask("mask", 4000, 5000, acknowledged=True)).result == "failed"


def test_a_mask_in_another_encoding_than_pcm_is_never_taken_as_proven() -> None:
    content = bytearray(talk(5000, silent=[(0, 5000)]))
    content[20] = 7  # mu-law: zero is loud there
    assert proof(bytes(content), Mask("mask", 1000, 3000, acknowledged=True)).result == "failed"


@given(
    st.lists(st.tuples(st.integers(0, 900), st.integers(0, 900)), max_size=4),
    st.lists(st.tuples(st.integers(0, 900), st.integers(0, 900)), max_size=3),
    st.integers(1, 5000),
    st.sampled_from([1, 2]),
)
def test_the_proof_agrees_with_looking_at_every_sample(
    silent: list[tuple[int, int]], paused: list[tuple[int, int]], size: int, channels: int
) -> None:
    silent = [(a, b) for a, b in silent if a < b]
    content = talk(700, channels=channels, silent=[(min(a, 700), min(b, 700)) for a, b in silent])
    masks = [Mask("mask", a, b, acknowledged=True) for a, b in paused]
    with wave.open(io.BytesIO(content)) as file:
        samples = memoryview(file.readframes(file.getnframes())).cast("h")
    loud = any(
        sample and a + 60 <= n // channels / 8 and (n // channels + 1) / 8 <= b - 60
        for n, sample in enumerate(samples)
        for a, b in paused
    )
    result = proof(content, *masks, size=size).result
    assert result == ("none" if not masks else "failed" if loud else "proven")


# -- exported copies --------------------------------------------------------------------------------------


def test_a_repaired_header_is_read_by_others() -> None:
    content = head(0) + b"\1" * BLOCK
    with pytest.raises(wave.Error):
        wave.Wave_read(io.BytesIO(content))
    repaired = media.repair_header(content[: media.HEAD], len(content)) + content[44:]
    assert len(repaired) == len(content)
    with wave.open(io.BytesIO(repaired)) as file:
        assert file.getnframes() == BLOCK // 2
        assert file.readframes(BLOCK) == content[44:]


def test_a_header_that_names_too_much_is_repaired() -> None:
    content = head(32_000) + b"\1" * 16_001
    repaired = media.repair_header(content, len(content))
    with wave.open(io.BytesIO(repaired + content[44:])) as file:
        assert file.getnframes() == 8000


@given(st.integers(1, 3000))
def test_a_header_that_fits_is_left_as_it_is(frames: int) -> None:
    content = head(frames * 2, listed=b"INFO") + b"\1" * frames * 2
    assert media.repair_header(content, len(content)) == content[: len(content) - frames * 2]


def test_what_is_no_wav_cannot_be_repaired() -> None:
    with pytest.raises(Damaged):
        media.repair_header(b"nothing", 7)
