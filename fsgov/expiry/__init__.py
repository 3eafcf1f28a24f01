"""What keep does as time passes: it counts what is due, and forgets what no recording needs any more.

It destroys no audio: that is purge's, by a plan that two persons have approved.
"""

from fsgov.expiry.loop import Expiry

__all__ = ["Expiry"]
