"""What a look found: one line of `fsgov check`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from fsgov.errors import FsgovError, NotFound, NotPermitted, Unreachable, refused_by_system

HINTS: dict[type[FsgovError], str] = {
    NotPermitted: "run fsgov check as root, or with --part as the login of that part",
    Unreachable: "is it running, and is that its address?",
    NotFound: "make it, or mend its name in the configuration",
}
"""What to do where whoever raised the fault did not say it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. state: ok, warning, failed; code: the exit code of a failure, else 0."""

    of: str
    state: str
    message: str
    detail: str = ""
    hint: str = ""
    code: int = 0


def ok(of: str, message: str, detail: str = "") -> Finding:
    return Finding(of, "ok", message, detail)


def warning(of: str, message: str, detail: str = "", hint: str = "") -> Finding:
    return Finding(of, "warning", message, detail, hint)


def failed(of: str, fault: FsgovError) -> Finding:
    return Finding(
        of, "failed", fault.message, fault.detail, fault.hint or HINTS.get(type(fault), ""), fault.exit_code
    )


def gathered(of: str, looks: Iterator[Finding]) -> Iterator[Finding]:
    """The findings of one look; what it raised is its last one."""
    try:
        yield from looks
    except FsgovError as fault:
        yield failed(of, fault)
    except OSError as fault:
        told = refused_by_system(fault)
        if told is None:
            raise
        yield failed(of, told)
