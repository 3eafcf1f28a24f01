"""Laws of a CRM that is slow, silent or late, for any order of what it says and what the switch does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsgov import events as ev
from fsgov.commands import CloseSegment, LookUpParty, OpenSegment
from tests.unit.conversation import Talk
from tests.unit.test_lookup_failure import ALWAYS, MODES, VIP, policy

SAYS = {"free": {"vip": "no"}, "protected": {"vip": "yes"}}
WORDS = ("free", "protected", "nobody", "failed", "answer", "moment", "long", "restart")
ENOUGH = {"strictest": {"free"}, "never": {"free"}, "ignore": {"free", "failed"}}
"""What must have been learned of the caller before anything may be recorded."""


class History:
    """A caller whom the CRM may protect; what fsgov has been told of him, word by word."""

    def __init__(self, mode: str) -> None:
        self.talk = Talk(of=policy(mode, VIP, ALWAYS))
        self.talk.created("a")
        self.ask = self.talk.all(LookUpParty)[0]
        self.learned = {"pending"}
        self.opened = 0
        self.alone = False
        """fsgov was started again: nobody is there who would give an answer to the look-up before."""

    def do(self, word: str) -> None:
        talk, answer = self.talk, {"call": "a", "command": self.ask.number, "party": 1}
        was_pending = self.learned == {"pending"}
        if self.alone and word in ("free", "protected", "nobody", "failed"):
            return
        match word:
            case "free" | "protected":
                talk.push(ev.PartyFound, **answer, facts=SAYS[word])
                if not self.learned & {"free", "protected"}:
                    self.learned.add(word)
            case "nobody" | "failed":
                talk.push(ev.PartyUnknown, **answer, unasked=word == "failed", reason=word)
                if was_pending:
                    self.learned.add(word)
            case "answer":
                talk.answered("a")
            case "moment":
                talk.wait(0.1)
            case "long":
                talk.wait(1.0)
                if was_pending:
                    self.learned.add("failed")
            case "restart":
                self.alone = True
                self.talk = talk.restarted()
                self.talk.sent = [*talk.sent, *self.talk.sent]
                self.talk.push(ev.SwitchConnected, core="core-1")
                self.talk.push(ev.Resynced, core="core-1", recordings={"a": ()})
                if was_pending:
                    self.learned.add("failed")
        self.switch()

    def switch(self) -> None:
        """The switch does what it is told."""
        while (call := self.talk.board.call("a")) is not None and call.flight is not None:
            if isinstance(call.flight.command, OpenSegment):
                self.talk.opens()
            else:
                assert isinstance(call.flight.command, CloseSegment)
                self.talk.closes()

    def began(self) -> bool:
        """Whether a recording was begun since this was asked last."""
        before, self.opened = self.opened, len(self.talk.all(OpenSegment))
        return self.opened > before


@pytest.mark.parametrize("mode", MODES)
@given(words=st.lists(st.sampled_from(WORDS), max_size=12))
def test_nothing_is_recorded_before_enough_is_known_nor_after_a_no(mode: str, words: list[str]) -> None:
    history = History(mode)
    for word in words:
        history.do(word)
        if history.began():
            assert history.learned & ENOUGH[mode]
            assert "protected" not in history.learned
        call = history.talk.board.call("a")
        assert call is not None
        if "protected" in history.learned:
            assert call.segment is None
    history.talk.hangs_up("a")
    assert history.talk.over()
