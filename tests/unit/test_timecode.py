"""Time-coded audio: what is encoded is read back, what is not is not taken for it."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from fsgov.simulator import timecode
from fsgov.simulator.timecode import FRAME_BYTES, SILENCE, UNKNOWN, ZERO, Moment


def wav(pcm: bytes, channels: int = 1, *, size: int | None = None, extra: bytes = b"") -> bytes:
    """A WAV by hand; `size` 0 is a header that was never put right."""
    fmt = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, channels, 8000, 16000 * channels, 2 * channels, 16)
    data = struct.pack("<4sI", b"data", len(pcm) if size is None else size)
    return b"RIFF" + struct.pack("<I", 8 if size == 0 else 36 + len(pcm)) + b"WAVE" + fmt + extra + data + pcm


@given(
    leg=st.integers(0, 2**24 - 1),
    index=st.integers(0, 2**48 - 1),
    hears=st.integers(0, 2**24 - 1),
    prompt=st.integers(0, 255),
)
def test_a_frame_says_what_was_put_in(leg: int, index: int, hears: int, prompt: int) -> None:
    frame = timecode.encode(leg, index, hears, prompt)
    assert len(frame) == FRAME_BYTES
    assert timecode.decode_frame(frame) == Moment(leg, index, hears, prompt)


def test_no_sample_of_a_captured_frame_is_zero() -> None:
    samples = struct.unpack("<160h", timecode.encode(1, 89_764_313_711))
    assert 0 not in samples


@given(at=st.integers(0, FRAME_BYTES - 1), flip=st.integers(1, 255))
def test_a_damaged_frame_is_unknown(at: int, flip: int) -> None:
    frame = bytearray(timecode.encode(7, 12345, 8))
    frame[at] ^= flip
    assert timecode.decode_frame(bytes(frame)) == UNKNOWN


@given(sample=st.integers(0, 159))
def test_a_frame_with_one_bit_turned_is_unknown(sample: int) -> None:
    samples = list(struct.unpack("<160h", timecode.encode(7, 12345, 8)))
    samples[sample] = -samples[sample]
    assert timecode.decode_frame(struct.pack("<160h", *samples)) == UNKNOWN


def test_a_partly_masked_frame_is_neither_masked_nor_a_moment() -> None:
    frame = timecode.encode(7, 12345)
    assert timecode.decode_frame(frame[:160] + bytes(160)) == UNKNOWN
    assert timecode.decode_frame(SILENCE) == ZERO


def test_a_file_is_read_frame_by_frame() -> None:
    pcm = timecode.encode(3, 100) + SILENCE + timecode.encode(3, 102) + b"\x01\x02" * 160 + b"\0" * 20
    assert timecode.decode(wav(pcm)) == [Moment(3, 100), ZERO, Moment(3, 102), UNKNOWN, UNKNOWN]
    assert timecode.moments(wav(pcm)) == [(3, 100), (3, 102)]


def test_a_header_that_was_never_put_right_is_read_to_the_end() -> None:
    pcm = timecode.encode(3, 100) + timecode.encode(3, 101)
    assert timecode.moments(wav(pcm, size=0)) == [(3, 100), (3, 101)]


def test_a_chunk_before_the_audio_is_skipped() -> None:
    extra = b"LIST" + struct.pack("<I", 16) + b"INFOINAM" + struct.pack("<I", 4) + b"t1\0\0"
    assert timecode.moments(wav(timecode.encode(3, 100), extra=extra)) == [(3, 100)]


def test_stereo_has_what_the_leg_says_left_and_what_it_hears_right() -> None:
    left, right = timecode.encode(3, 100), timecode.encode(4, 100)
    mixed = b"".join(left[i : i + 2] + right[i : i + 2] for i in range(0, FRAME_BYTES, 2))
    both = wav(mixed, channels=2)
    assert timecode.decode(both) == [Moment(3, 100)]
    assert timecode.decode_right(both) == [Moment(4, 100)]


def test_a_moment_counts_twenty_milliseconds_since_1970() -> None:
    assert timecode.moment(1795280834.32) == 89_764_041_716
    assert timecode.moment(1795280834.339) == 89_764_041_716


def test_what_is_no_wav_has_no_frames() -> None:
    assert timecode.decode(b"") == timecode.decode(b"RIFFxxxxAIFF") == []
