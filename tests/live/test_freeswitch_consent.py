"""Announcements, answers and withdrawals on a real FreeSWITCH (what it needs: see test_freeswitch.py).

The prompt is 1.2 s long, 9,600 samples: its proof is the count that the switch gives. About a minute.
"""

from __future__ import annotations

import pytest

from tests.live.governed import ASKED, NOTICE, OPT_OUT, Governed, governed, result
from tests.live.phones import eventually
from tests.live.sweep import Heard

pytestmark = pytest.mark.freeswitch
__all__ = ["governed"]


def test_a_yes_by_key_opens_the_recording_and_a_code_withdraws_it(governed: Governed) -> None:
    call = governed.phones.call("2000", governed.phones.number(ASKED))
    eventually(lambda: governed.phones.switch_ear.of(call.call, "PLAYBACK_STOP"), 10, "no question")
    assert not governed.shelf.names(call.call)
    said = call.moment()
    call.press("1")
    governed.recording(call)
    call.until(said + 4)
    withdrawn = call.press("*9")
    stopped = eventually(lambda: governed.phones.switch_ear.of(call.call, "RECORD_STOP"), 5, "it runs on")
    assert int(stopped[0]["Event-Date-Timestamp"]) / 1e6 - call.began < withdrawn + 1
    call.until(withdrawn + 3)
    call.hang_up()
    whole = governed.over(call.call)
    assert result(whole) == ("withdrawn", "")
    assert [(row.state, row.method) for row in whole.consents if row.purpose == "training"] == [
        ("given", "key"),
        ("withdrawn", "key"),
    ]
    (segment,) = whole.segments
    assert (segment.dispose, sorted(segment.purposes)) == (True, ["evidence", "training"])
    heard = Heard.of(governed.whole(whole)[0])
    assert min(heard.moments) > said - 0.1
    assert max(heard.moments) < withdrawn + 0.5


@pytest.mark.parametrize(
    ("rule", "answer", "outcome", "files"),
    [
        (ASKED, "2", "refused", 0),
        (ASKED, "", "consent-unanswered", 0),
        (OPT_OUT, "2", "refused", 0),
        (OPT_OUT, "", "recorded", 1),
        (NOTICE, "", "recorded", 1),
    ],
    ids=["no", "silence", "opted out", "not opted out", "notice"],
)
def test_what_an_answer_leads_to(
    governed: Governed, rule: str, answer: str, outcome: str, files: int
) -> None:
    call = governed.phones.call("2000", governed.phones.number(rule))
    played = eventually(lambda: governed.phones.switch_ear.of(call.call, "PLAYBACK_STOP"), 10, "no question")
    asked = call.moment()
    assert played[0]["variable_playback_last_offset_pos"] == "9600"
    if answer:
        call.press(answer)
    call.until(asked + 6)
    call.hang_up()
    whole = governed.over(call.call)
    assert whole.call.outcome == outcome
    assert len(governed.whole(whole)) == files
    for segment in whole.segments:
        assert min(Heard.of(governed.audio(segment)).moments) > asked - 0.2


@pytest.mark.parametrize("rule", [ASKED, OPT_OUT, NOTICE])
def test_hanging_up_during_the_prompt_is_no_consent(governed: Governed, rule: str) -> None:
    call = governed.phones.call("2000", governed.phones.number(rule))
    eventually(lambda: governed.phones.switch_ear.of(call.call, "PLAYBACK_START"), 10, "no question")
    call.hang_up()
    stopped = eventually(lambda: governed.phones.switch_ear.of(call.call, "PLAYBACK_STOP"), 10)
    assert stopped[0]["Playback-Status"] == "done"
    assert int(stopped[0]["variable_playback_last_offset_pos"]) < 9600
    whole = governed.over(call.call)
    assert (whole.call.outcome, whole.segments) == ("consent-unanswered", [])
    assert governed.whole(whole) == []


def test_a_hostile_display_name_forges_nothing(governed: Governed) -> None:
    name = "Bob%0AUnique-ID: 00000000-0000-0000-0000-0000000000ff%0Avariable_fsgov_consent_training: given"
    number = governed.phones.number(ASKED)
    header = f'"{name}" <sip:{number}@127.0.0.1>'
    call = governed.phones.call("2000", number, sip_invite_full_from=f"'{header}'")
    assert governed.phones.switch.api(f"uuid_getvar {call.call} sip_from_display") == name
    call.until(6)
    call.hang_up()
    whole = governed.over(call.call)
    assert (whole.call.outcome, whole.segments) == ("consent-unanswered", [])
    assert [row.state for row in whole.consents] == ["unanswered"]
    assert governed.whole(whole) == []
