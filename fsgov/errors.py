"""What went wrong, as a person needs to know it: message, detail, hint, exit code.

The edge (socket, SQL, object store, file) decides once whether a failure is worth another try:
it raises `Unreachable` for that and something else for everything a retry cannot mend.
"""

from __future__ import annotations

import errno
from typing import ClassVar

FULL_OR_FAILING = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EMFILE, errno.ENFILE)


class FsgovError(Exception):
    """A failure with a sentence for people.

    message: one sentence, what is wrong; never a secret, never a person's number.
    detail:  the fact behind it (a path, a key of the configuration, the server's words), or "".
    hint:    what to do next, or "".
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, detail: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.detail = detail
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}: {self.detail}" if self.detail else self.message


class BadUsage(FsgovError):
    """The words of the command do not fit together (click's own faults end with 2 as well)."""

    exit_code = 2


class BadConfiguration(FsgovError):
    """Configuration, policy or key files are wrong; every fault at once in `detail`, one a line."""

    exit_code = 3


class Unreachable(FsgovError):
    """A part (switch, database, vault, daemon) did not answer: the same call may succeed later."""

    exit_code = 4


class NotPermitted(FsgovError):
    """This login may not do that."""

    exit_code = 5


class NotFound(FsgovError):
    """There is no such call, segment, key, object or file."""

    exit_code = 6


class Conflict(FsgovError):
    """The state of the thing refuses the act: already there, held, over, locked."""

    exit_code = 7


class Damaged(FsgovError):
    """A digest, signature, seal or proof does not match what it is about."""

    exit_code = 8


def in_lines(message: str, detail: str = "", hint: str = "") -> list[str]:
    """What a process says of a failure on standard error: who, what, the fact behind it, what to do."""
    told = [f"fsgov: {message}", *(f"  {line}" for line in detail.splitlines())]
    return [*told, f"  hint: {hint}"] if hint else told


def refused_by_system(fault: OSError) -> FsgovError | None:
    """A file that this login may not use, or a disk that takes nothing, in our words; None for all else."""
    detail = f"{fault.filename}: {fault.strerror}" if fault.filename else str(fault.strerror or fault)
    if isinstance(fault, PermissionError):
        hint = "act as the login that may: each part has its own, and root may all"
        return NotPermitted("This user may not use a file", detail, hint)
    if fault.errno in FULL_OR_FAILING:
        return Unreachable("The system refuses a file", detail, "df and dmesg tell why")
    return None
