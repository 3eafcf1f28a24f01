"""A host's clock that a test can set: the machine's own is not the test's to set.

Found on PYTHONPATH, it puts `time.time` and `time.time_ns` of govern and its scribe ahead by the seconds that
the file FSGOV_TEST_CLOCK holds.
"""

import os
import sys
import time
from pathlib import Path

_PATH = os.environ.get("FSGOV_TEST_CLOCK", "")
_REAL = time.time_ns


def _now() -> int:
    return _REAL() + int(float(Path(_PATH).read_text() or "0") * 1e9)


if _PATH and {"fsgov.govern", "fsgov.spool.scribe"} & set(sys.orig_argv):
    time.time_ns = _now
    time.time = lambda: _now() / 1e9
