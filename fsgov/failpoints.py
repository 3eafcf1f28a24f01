"""Named places where a test ends the process as a power cut would: SIGKILL, no clean-up.

`FSGOV_FAILPOINT=ship.stored.after` ends it the first time it comes by, `ship.stored.after:3` the third time.
"""

from __future__ import annotations

import os
import signal

_NAME, _, _NTH = os.environ.get("FSGOV_FAILPOINT", "").partition(":")
_left = int(_NTH or "1")


def failpoint(name: str) -> None:
    """Nothing, or the end of this process where the environment names this place."""
    global _left
    if name == _NAME:
        _left -= 1
        if _left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
