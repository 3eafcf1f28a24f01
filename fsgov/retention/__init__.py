"""What must be kept, held or destroyed, and why. No file, clock or randomness."""

from fsgov.retention.comparing import Comparison, Group, compare
from fsgov.retention.counting import Tally, tally
from fsgov.retention.disposition import UNJUDGED, Cause, Disposition, Reason, Verdict
from fsgov.retention.facts import Facts
from fsgov.retention.judging import Judge, judge
from fsgov.retention.periods import Period, period

__all__ = [
    "UNJUDGED",
    "Cause",
    "Comparison",
    "Disposition",
    "Facts",
    "Group",
    "Judge",
    "Period",
    "Reason",
    "Tally",
    "Verdict",
    "compare",
    "judge",
    "period",
    "tally",
]
