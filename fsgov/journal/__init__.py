"""The event log's writer: one sequencer, its sinks, its anchors outside.

The durable order of keep; each step is durable before the next begins, and a kill between two loses nothing:

    1  keep.batch.read       lines whose turn it is are read from the outbox       they still wait there
    2  keep.insert           they are in event_log, not committed                  rolled back: they wait
    3  keep.commit           they have their seq                                   sinks ask where to go on
    4  keep.checkpoint.row   every minute the log grew, and on stop: signed, kept  sinks and anchors ask
    5  keep.sink             lines, then checkpoints, in each sink                 it counts its own lines
    6  keep.vault            the checkpoint in each vault: the outside anchor      it is asked what it has

`sink` is the contract of what gets the log, `files` the sink that is a directory, `anchor` the one in a
vault; `sequencer` does one round, `loop` keeps doing it, `part` is keep as `fsgov run` starts it.
"""

from fsgov.journal.anchor import VaultAnchor
from fsgov.journal.files import FileSink
from fsgov.journal.part import keep
from fsgov.journal.sequencer import SIGNER, Sequencer
from fsgov.journal.sink import Anchor, Sink

__all__ = ["SIGNER", "Anchor", "FileSink", "Sequencer", "Sink", "VaultAnchor", "keep"]
