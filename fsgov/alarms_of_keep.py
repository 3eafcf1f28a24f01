"""What a row of the table of alarms is (fsgov/alarms.py), and the rows that keep raises."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Alarm:
    """One row: what it means, what to do, which parts raise it. `of`: what follows the dot, if anything."""

    name: str
    parts: tuple[str, ...]
    meaning: str
    remedy: str
    of: str = ""


GOVERN, SHIP, KEEP = ("govern",), ("ship",), ("keep",)

ROWS = (
    Alarm(
        "log",
        KEEP,
        "The event log does not grow: PostgreSQL is away for 10 s, or the log is not what was signed.",
        "See keep's log.stuck and PostgreSQL. After a restore: fsgov db restored.",
    ),
    Alarm(
        "sink",
        KEEP,
        "A copy of the event log does not take lines or checkpoints.",
        "See the directory of log.file, or the vault.",
        of="name of the sink: file, vault.NAME",
    ),
    Alarm(
        "purge",
        KEEP,
        "What is being destroyed does not come to its end (stuck: at once where a vault refuses, after 5"
        " minutes where it does not answer), keep stopped a plan (halted: until keep starts again), what was"
        " destroyed has come back and cannot be removed (returned), or an older dump was restored and nothing"
        " is begun before two persons have looked (restored).",
        "fsgov purge status says which and why; keep's vault login must list and remove in both buckets."
        " restored: fsgov purge lost, fsgov purge resume.",
        of="stuck, halted, returned or restored",
    ),
    Alarm(
        "schedule",
        KEEP,
        "A schedule of purge could not run (stuck), found more than it may destroy and destroys nothing until"
        " a later run does not (refused), or expires within 30 days, or has, and no other follows (ending).",
        "fsgov purge schedule list; purge plan --dry-run counts what is due and why. propose the next one, or"
        " end it.",
        of="stuck, refused or ending",
    ),
    Alarm(
        "mirror",
        KEEP,
        "Legal holds of recordings that are held cannot be set in a vault that can, or not be lifted"
        " after, for about five minutes. The hold binds purge all the same.",
        "See keep's mirror.failing; its vault login must list, hold and look at versions of audio.",
    ),
    Alarm(
        "quarantine",
        KEEP,
        "Recordings in quarantine are soon to be destroyed, unless somebody reviews them (three quarters"
        " of their time are over); or their time is over and a hold keeps them.",
        "fsgov recordings quarantine list; its reviewers (privacy) decide: quarantine release.",
    ),
    Alarm(
        "scrub",
        KEEP,
        "Stored objects are not what was stored, or (unread) a vault does not let keep read them again.",
        "fsgov scrub names them: restore them from a replica, or accept the loss with fsgov reconcile.",
        of="missing, truncated, corrupted, unlocked, unread",
    ),
    Alarm(
        "overdue",
        KEEP,
        "Recordings are past their time by more than retention.overdue_after, no hold is on them, and no"
        " plan that two persons approved has them.",
        "fsgov retention list --overdue names them; fsgov purge plan, and somebody else approves it.",
    ),
    Alarm(
        "unjudged",
        KEEP,
        "Nobody can say how long some recordings are to be kept: their policy, or a purpose in it, is not"
        " known. They are kept.",
        "fsgov retention list --unjudged names them; fsgov retention propose lets another policy count.",
    ),
    Alarm(
        "copy",
        KEEP,
        "Copies of recordings have not been made in this vault for an hour, or do not leave it.",
        "fsgov recordings copies says which and why: see that vault, and keep's login and rights there.",
        of="name of the vault",
    ),
    Alarm(
        "subject",
        KEEP,
        "What people asked about their own recordings: nobody has answered within a week of the due day"
        " (due), or by it (overdue); a restore has lost whom it was about (lost); an erasure that was"
        " approved cannot be carried out (stuck).",
        "fsgov subject list; then export, erase or answer. stuck: see erasure.stuck in keep's log.",
        of="due, overdue, lost, stuck",
    ),
)
