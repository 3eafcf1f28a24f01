"""Spool → envelope → vault → catalog → discard: the durable order of a segment, and the only retry loop.

sidecar   the segment's document, and which step comes next
sealing   3 ready (fsync, header, length, masks) and 4 sealed
storing   5 stored: PUT, HEAD, wrapped key
entering  6 entered: one transaction; 7 discard; call files, policies and lines
retry     when to try again, when to call somebody: pure;  pauses: what may be tried now
belt      what lies in the spool;  alarms: what is wrong;  loop: the loop
"""

from fsgov.shipper.loop import Shipper
from fsgov.shipper.storing import Destination

__all__ = ["Destination", "Shipper"]
