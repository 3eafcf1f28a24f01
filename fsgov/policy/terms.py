"""The closed vocabularies of a policy document: each value is spelled here as it is spelled there."""

from __future__ import annotations

from enum import Enum


class CallDirection(Enum):
    """Which way a conversation went, seen from the operator (a leg's own direction is `events.Direction`)."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"
    INTERNAL = "internal"


class Side(Enum):
    """Where a party is: beyond a trunk, or one of the operator's own users."""

    OUTSIDE = "outside"
    INSIDE = "inside"


class RecordMode(Enum):
    """Whether the rule wants the call recorded."""

    ALWAYS = "always"
    NEVER = "never"
    ON_DEMAND = "on_demand"
    SAMPLE = "sample"


class ConsentMode(Enum):
    """What must be true of the parties before a frame may be captured; `rank` orders them by strictness.

    none     nothing
    notice   the prompt was played to its end
    opt_out  the question was played and nobody declined
    opt_in   everybody who is asked said yes
    on_file  everybody has a yes in the CRM row or in the leg's variable; nobody is asked. As strict as
             opt_in: both rest on a yes that somebody gave.
    agent_attested  for everybody who is asked, somebody inside, or a person of the operator, has said on this
             call that he agreed. As strict as opt_in, too
    statutory  nothing: a law demands the recording, and nobody's no ends it. No floor raises it; beside
             another rule it is the laxest
    """

    NONE = "none"
    NOTICE = "notice"
    OPT_OUT = "opt_out"
    OPT_IN = "opt_in"
    ON_FILE = "on_file"
    AGENT_ATTESTED = "agent_attested"
    STATUTORY = "statutory"

    @property
    def rank(self) -> int:
        """-1 (statutory), 0 (none) to 3 (opt_in, on_file, agent_attested)."""
        return _RANK[self]


_RANK = {
    ConsentMode.STATUTORY: -1,
    ConsentMode.NONE: 0,
    ConsentMode.NOTICE: 1,
    ConsentMode.OPT_OUT: 2,
    ConsentMode.OPT_IN: 3,
    ConsentMode.ON_FILE: 3,
    ConsentMode.AGENT_ATTESTED: 3,
}


class Basis(Enum):
    """Why a purpose is lawful (GDPR Article 6(1) a to f)."""

    CONSENT = "consent"
    CONTRACT = "contract"
    LEGAL_OBLIGATION = "legal_obligation"
    VITAL_INTEREST = "vital_interest"
    PUBLIC_TASK = "public_task"
    LEGITIMATE_INTEREST = "legitimate_interest"


class PauseBy(Enum):
    """What the switch does while the call is paused: zeros with the timeline kept, or nothing written."""

    MASK = "mask"
    CUT = "cut"


class AtMax(Enum):
    """What happens when a pause reaches its longest duration."""

    STOP = "stop"
    RESUME = "resume"


class RefusalAct(Enum):
    """What becomes of the call of somebody who declines."""

    CONTINUE = "continue"
    TRANSFER = "transfer"
    HANGUP = "hangup"


class OnWithdrawal(Enum):
    """What becomes of what was captured before somebody's no."""

    KEEP = "keep"
    QUARANTINE = "quarantine"
    DESTROY = "destroy"


class Approval(Enum):
    """How many persons it takes to put a policy in force."""

    NONE = "none"
    TWO_PERSONS = "two_persons"


class Require(Enum):
    """How much the call depends on its recording."""

    BEFORE_ANSWER = "before_answer"
    DURING = "during"
    BEST_EFFORT = "best_effort"


class Priority(Enum):
    """Whose recording is given up first when the spool's disk fills up."""

    NORMAL = "normal"
    LOW = "low"


class OnLookupFailure(Enum):
    """What is decided about a call while the CRM could not be asked about a party outside.

    strictest  rules with CRM conditions may match or not; of them and the first that certainly does, the
               strictest decides, as for a party whom the CRM does not know
    never      nothing is recorded where a rule with CRM conditions might have decided
    ignore     rules with CRM conditions do not match
    """

    STRICTEST = "strictest"
    NEVER = "never"
    IGNORE = "ignore"


class OnFailure(Enum):
    """What to do when a recording that is wanted cannot be had."""

    HANGUP = "hangup"
    ANNOUNCE = "announce"
    CONTINUE = "continue"
    ALERT = "alert"


class Lock(Enum):
    """How what is stored for a purpose is kept from everybody, until its shortest retention is over.

    none        by rights alone
    governance  the vault refuses removal, except to a login with the right to bypass that; fsgov never does
    compliance  the vault refuses removal to everybody, its owner included, and nothing shortens it
    """

    NONE = "none"
    GOVERNANCE = "governance"
    COMPLIANCE = "compliance"

    @property
    def rank(self) -> int:
        """0 to 2, by strength."""
        return tuple(Lock).index(self)
