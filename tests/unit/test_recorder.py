"""The words that a start is made of: what the switch ignores when it stands in another place."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

import pytest

from fsgov.commands import OpenSegment
from fsgov.recorder import Recorder

NOBODY: Any = None


@pytest.mark.parametrize(
    ("armed", "unbuffered", "more"),
    [
        (False, False, ""),
        (True, False, ",RECORD_ANSWER_REQ=true"),
        (False, True, ",enable_file_write_buffering=false"),
        (True, True, ",RECORD_ANSWER_REQ=true,enable_file_write_buffering=false"),
    ],
)
def test_the_limit_stands_before_the_recording_variables(armed: bool, unbuffered: bool, more: str) -> None:
    recorder = Recorder(NOBODY, PurePosixPath("/a"), NOBODY, NOBODY, NOBODY)
    start = OpenSegment(
        call="c", number=1, leg="l", segment="c-01", sidecar="", armed=armed, unbuffered=unbuffered
    )
    assert recorder.text_of(start) == f"uuid_record l start /a/c-01.wav 0 {{fsgov_segment=c-01{more}}}"
