"""One conversation: an event in, commands out. No I/O, no clock, no randomness; `step` tells the rules."""

from fsgov.call.document import document
from fsgov.call.due import next_due
from fsgov.call.restore import restore
from fsgov.call.site import Site
from fsgov.call.state import Call, Capture, Stage
from fsgov.call.step import step
from fsgov.call.turn import TimePassed

__all__ = ["Call", "Capture", "Site", "Stage", "TimePassed", "document", "next_due", "restore", "step"]
