"""What people ask about their own recordings: found, given to them, erased; and nothing of it forgotten."""

from fsgov.subjects.erasing import Erasures
from fsgov.subjects.ledger import Ledger

__all__ = ["Erasures", "Ledger"]
