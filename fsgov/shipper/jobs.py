"""What a pool is given to do: where it runs, which shared part it needs, and what its faults mean."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import structlog

from fsgov.errors import Damaged, FsgovError, Unreachable
from fsgov.shipper.sidecar import Sidecar, Step

log = structlog.get_logger()

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Job:
    """Which segment a job works on, where, which shared part it needs, and what it is called in metrics."""

    segment: str
    pool: str
    gate: str
    step: str


def in_our_words(job: Callable[[], T]) -> T:
    """What the job answers. The disk's faults may pass; our own stay with their segment and stop no other."""
    try:
        return job()
    except FsgovError:
        raise
    except OSError as fault:
        raise Unreachable(
            "the spool's disk does not answer", f"{fault.filename}: {fault.strerror}"
        ) from fault
    except Exception as fault:
        log.error("ship.broken", traceback="".join(traceback.format_exception(fault)))  # without locals
        raise Damaged(
            "fsgov itself is wrong here", type(fault).__name__, "Report it with the log."
        ) from fault


def pool_and_gate(sidecar: Sidecar) -> tuple[str, str]:
    """Where the next step runs, and the shared part it needs: what fails there fails for everybody."""
    match sidecar.step:
        case Step.STORE:
            return "uploads", f"vault.{sidecar.vault}"
        case Step.LOCK:
            return "uploads", f"lock.{sidecar.vault}"
        case Step.SEAL:
            return "files", f"sealing.{sidecar.vault}"
        case Step.ENTER:
            return "rows", "database"
        case Step.KEEP:
            return "rows", "spool"
    return "files", "spool"
