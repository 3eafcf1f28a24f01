"""What a look raises becomes a line of `fsgov check`; what it is, is never hidden by another."""

from __future__ import annotations

import errno
from collections.abc import Iterator

import pytest

from fsgov.checks import Finding, gathered, ok
from fsgov.errors import BadConfiguration, NotPermitted


def look(fault: Exception) -> Iterator[Finding]:
    yield ok("x", "fine")
    raise fault


@pytest.mark.parametrize(
    ("fault", "code", "detail", "hint"),
    [
        (BadConfiguration("wrong", "this", "mend it"), 3, "this", "mend it"),
        (NotPermitted("not for you", "that"), 5, "that", "as root"),
        (
            PermissionError(errno.EACCES, "Permission denied", "/etc/x"),
            5,
            "/etc/x: Permission denied",
            "login",
        ),
        (OSError(errno.ENOSPC, "No space left on device", "/srv"), 4, "/srv: No space left on device", "df"),
    ],
)
def test_what_a_look_raises_is_its_last_line(fault: Exception, code: int, detail: str, hint: str) -> None:
    first, last = gathered("x", look(fault))
    assert first.state == "ok"
    assert (last.of, last.state, last.code, last.detail) == ("x", "failed", code, detail)
    assert hint in last.hint


def test_a_fault_of_fsgov_itself_is_not_taken_for_a_finding() -> None:
    with pytest.raises(OSError, match="Bad file descriptor"):
        list(gathered("x", look(OSError(errno.EBADF, "Bad file descriptor"))))
