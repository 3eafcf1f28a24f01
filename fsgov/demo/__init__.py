"""`fsgov demo`: calls on a simulated switch through the real service, judged from the outside.

place      .demo, taken and emptied
site       what is in it: host, desks, database, vault
scenes     the calls, and what must come of them
stage      the processes
playing    the scenes, all at once
ledger     what really happened
verdict    one call: rows and audio
aftermath  everything together: spool, vault, log
display    what is shown
"""

from fsgov.demo.run import main

__all__ = ["main"]
