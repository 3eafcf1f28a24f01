"""What the CRM knows of a party: asked with a deadline, beside it a day's memory for when it does not answer.

asker.py     takes `LookUpParty`, gives `PartyFound` or `PartyUnknown`, always in time
view.py      the CRM's SQL view `fsgov_party`
service.py   the CRM's HTTP service
answer.py    what either of them says: a row, nobody, or no answer and why
breaker.py   a CRM that is down costs calls no deadline each
memory.py    what it said in the last 24 hours, on this host's disk

This runs in govern, under gevent. Nothing here waits outside a greenlet of its own, and each wait ends at the
deadline (`gevent.Timeout`), whatever it is for: a name, a connection, a certificate, an answer that drips.
"""

from fsgov.parties.asker import Parties, asked_by
from fsgov.parties.memory import forget_old
from fsgov.parties.view import cooperate

__all__ = ["Parties", "asked_by", "cooperate", "forget_old"]
