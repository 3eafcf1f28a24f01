"""Captured audio, sidecars and unsent entries on local disk, until they are safe elsewhere.

spool/audio/<segment>.wav        FreeSWITCH writes; the only place where plaintext is
spool/segments/<segment>.json    govern writes until `captured`, ship afterwards
spool/calls/<call>.json          govern writes; ship enters it and drops it when the call is over
spool/sealed/<segment>.age       ship
spool/entries/<origin>.jsonl     each part its own; ship enters them
"""

from fsgov.spool.entries import EntryFiles, EntryWriter, Lines, Mark, claim, sync_directory
from fsgov.spool.layout import Disk, check, create, disk, faults
from fsgov.spool.room import Spool
from fsgov.spool.shelf import Stamp

__all__ = [
    "Disk",
    "EntryFiles",
    "EntryWriter",
    "Lines",
    "Mark",
    "Spool",
    "Stamp",
    "check",
    "claim",
    "create",
    "disk",
    "faults",
    "sync_directory",
]
