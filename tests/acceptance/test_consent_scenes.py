"""Every consent mode × what a party may do about it, with the real service, asked by fsgov and by a dialplan.

All of them are calls at the same time. The oracles are the switch's own account and the audio in the vault:
which frames were captured, and for what; then the rows and the outcome of each call.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from operator import itemgetter

import psycopg2
import pytest

from fsgov.catalog.desk import Desk
from fsgov.catalog.rows import SegmentRow, WholeCall
from fsgov.cli import live, verifying
from fsgov.demo import ledger, playing, verdict
from fsgov.demo.playing import Mark, Played
from fsgov.demo.scenes import END, START, Between, Do, Scene, Talk
from fsgov.demo.site import private, tone
from fsgov.demo.stage import Stage
from fsgov.errors import Conflict, Damaged, FsgovError
from tests.acceptance.play import ENTERING, SHIPPED, eventually, fsgov, staged, started

MODES = ("none", "notice", "opt_out", "opt_in", "on_file", "agent_attested", "statutory")
ANSWERS = ("given", "refused", "unanswered", "hung up", "withdrawn")
VARIANTS = {"": ("short", "15 s"), " brief": ("short", "1 s"), " long": ("long", "1 s")}
"""Of a question: its prompt, and how long an answer is awaited, as a host that others use may need it."""
NUMBER = {
    f"{mode}{variant}": f"+4722000{n}0{v}"
    for n, mode in enumerate(MODES)
    for v, variant in enumerate(VARIANTS)
}
YES, NO, UNKNOWN = "+4722999001", "+4722999002", "+4722999003"
"""Callers of whom the CRM has a yes, a no, nothing."""
POLICY = """
version = "scenes"
timezone = "Europe/Berlin"
[purpose.evidence]
basis = "contract"
retain_max = "5 years"
[purpose.law]
basis = "legal_obligation"
retain_max = "7 years"
[purpose.training]
basis = "consent"
retain_max = "6 months"
[prompt.short]
file = "prompts/short.wav"
[prompt.long]
file = "prompts/long.wav"
"""
RULES = {
    "none": 'purposes = ["evidence"]',
    "notice": 'purposes = ["evidence"]\nask = { prompt = "PROMPT", withdraw = "*9" }',
    "opt_out": """purposes = ["evidence"]
ask = { prompt = "PROMPT", no = "2", timeout = "TIMEOUT", withdraw = "*9" }
on_withdrawal = "keep" """,
    "opt_in": """purposes = ["evidence", "training"]
ask = { prompt = "PROMPT", yes = "1", no = "2", timeout = "TIMEOUT", withdraw = "*9" }
on_withdrawal = "quarantine" """,
    "on_file": 'purposes = ["evidence", "training"]',
    "agent_attested": 'purposes = ["evidence", "training"]\non_withdrawal = "quarantine"',
    "statutory": 'purposes = ["law", "training"]\nask = { prompt = "PROMPT", withdraw = "*9" }',
}


def policy() -> str:
    text = POLICY
    for mode, rule in RULES.items():
        for variant, (prompt, timeout) in VARIANTS.items():
            name = f"{mode}{variant}"
            text += f'[[rule]]\nname = "{name}"\nwhen.dialled = ["{NUMBER[name]}"]\nconsent = "{mode}"\n'
            text += rule.replace("PROMPT", prompt).replace("TIMEOUT", timeout) + "\n"
    return text + '[[rule]]\nname = "never"\nrecord = "never"\n'


OPERATOR = f"<include>{ENTERING}</include>"
CRM = f"""
CREATE VIEW fsgov_party AS
SELECT 'default'::text AS tenant, number_e164, '{{}}'::jsonb AS facts, consents::jsonb
FROM (VALUES ('{YES}', '{{"training": true}}'), ('{NO}', '{{"training": false}}')) AS c(number_e164, consents)
"""
EVIDENCE, SPOKEN = frozenset({"evidence"}), frozenset({"evidence", "training"})
LAW, BOTH = frozenset({"law"}), frozenset({"law", "training"})
WHOLE = (Between(START, END),)
HEARD = (Between("on the record", END),)
LATE = 40.0
"""Seconds within which something has to come true, on whatever host."""
DROP_IN, GATE = "asked by fsgov", "asked by a dialplan"


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with staged(tmp_path_factory.mktemp("consent"), policy()) as made:
        where, database = made.site, made.database
        tone(where.host / "prompts" / "short.wav", 1.5, 440.0)
        tone(where.host / "prompts" / "long.wav", 9.0, 440.0)
        assert database is not None
        with closing(psycopg2.connect(database.dsn())) as connection, connection.cursor() as cursor:
            cursor.execute(CRM)
            connection.commit()
        private(where.host / "crm.dsn", database.dsn())
        with where.service.open("a") as file:
            file.write('[parties]\ndsn = "file:crm.dsn"\n')
        (where.switch / "operator.xml").write_text(OPERATOR)
        mine = [where.switch / "operator.xml", *sorted(SHIPPED.glob("*.xml"))]
        made.do("plan", files=[str(file) for file in mine])
        started(made)
        yield made


class Line:
    """One call as it is played; its verbs mark their moments."""

    def __init__(self, stage: Stage, scene: Scene) -> None:
        self.stage, self.played = stage, Played(scene)

    def begin(self, gate: bool, variables: dict[str, str]) -> None:
        scene, now = self.played.scene, self.stage.moment()
        self.played.marks[START] = Mark(now, now)
        facts = {"caller": scene.caller, "dialled": scene.dialled, "variables": variables, "as": scene.name}
        self.played.call = self.stage.do("call", **facts, **({"context": "default"} if gate else {}))["call"]
        if not gate:
            self._do(Do("bridge", {"agent": "1000"}))

    def _do(self, step: Do | Talk) -> None:
        playing.carry_out(self.stage, self.played, step, threading.Event())

    def _until(self, what: str, mark: str, nth: int = 1) -> None:
        when = self.stage.ledger.wait(what, nth=nth, timeout=LATE, uuid=self.played.call)["moment"]
        self.played.marks[mark] = Mark(when, when)

    def asked(self) -> None:
        """The prompt was heard to its end."""
        self._until("heard", "asked")

    def playing(self, nth: int = 1) -> None:
        """For the nth time it is being played, and will be for some seconds."""
        call = self.played.call
        leg = self.stage.ledger.legs(call)[call]

        def begun() -> int:
            ours = self.stage.ledger.all("command", command="uuid_broadcast")
            menus = self.stage.ledger.all("executed", leg=leg)
            return sum(each["argument"].startswith(call) for each in ours) + sum(
                each["application"] in ("playback", "play_and_get_digits") for each in menus
            )

        eventually(lambda: begun() >= nth, LATE)
        self.talk(0.5)

    def cut(self) -> None:
        """Something breaks the prompt off."""
        self.stage.do("api", text=f"uuid_break {self.played.call} all")

    def opened(self, nth: int = 1, mark: str = "on the record") -> None:
        self._until("opened", mark, nth)

    def closed(self, nth: int = 1, mark: str = "off the record") -> None:
        self._until("closed", mark, nth)

    def press(self, digits: str, mark: str = "said", by: str = "a") -> None:
        self._do(Do("press", {"digits": digits, "by": by}, mark))

    def talk(self, seconds: float = 0.7) -> None:
        self._do(Talk(seconds))

    def hang_up(self) -> None:
        self._do(Do("hang_up", {"by": "a"}, END))

    def bridged(self) -> None:
        leg = self.stage.ledger.legs(self.played.call)[self.played.call]
        self.stage.ledger.wait("bridged", timeout=LATE, a=leg)

    def told(self) -> None:
        """The agent has heard the two tones that say yes."""
        (agent,) = set(self.stage.ledger.legs(self.played.call)) - {self.played.call}
        yes = "tone_stream://%(120,80,700);%(120,0,1050)"
        self.stage.ledger.wait("heard", timeout=LATE, uuid=agent, file=yes)

    def says(self, said: str, mark: str = "said", status: int = 200, **more: object) -> None:
        """Alice tells fsgov what the party has said."""
        before, where = self.stage.moment(), f"/v1/calls/{self.played.call}/consent"
        eventually(lambda: any(each["call"] == self.played.call for each in self.stage.live()))
        try:
            told, _ = live.ask(self.stage.site.control, "POST", where, {"said": said, **more})
        except Conflict:
            told = 409
        assert told == status, (self.played.scene.name, said, told)
        self.played.marks[mark] = Mark(before, self.stage.moment())


@dataclass(frozen=True, kw_only=True)
class Case:
    """What is played, and what must come of it.

    segments: the purposes of each    rows: purpose, state, method of each
    """

    mode: str
    answer: str
    plays: Callable[[Line], None]
    outcome: str
    segments: tuple[frozenset[str], ...] = ()
    rows: tuple[tuple[str, str, str], ...] = ()
    heard: tuple[Between, ...] = ()
    silent: tuple[Between, ...] = ()
    variant: str = ""
    after: str = ""
    """What became of the audio: dispose, quarantine, or "" where it is kept."""
    caller: str = UNKNOWN
    variables: dict[str, str] = field(default_factory=dict)
    prompts: int | None = None
    """How often the party was played anything; None: not looked at."""
    ways: tuple[str, ...] = (DROP_IN, GATE)

    def scene(self, way: str) -> Scene:
        name = f"{self.mode}, {self.answer}, {way}"
        return Scene(
            name=name, title=name, caller=self.caller, dialled=NUMBER[self.mode + self.variant], steps=(),
            rule=self.mode + self.variant, outcome=self.outcome, segments=len(self.segments),
            heard=self.heard, silent=self.silent,
        )  # fmt: skip


def then(*steps: Callable[[Line], object]) -> Callable[[Line], None]:
    def plays(line: Line) -> None:
        for step in steps:
            step(line)

    return plays


asked, opened, closed, bridged = Line.asked, Line.opened, Line.closed, Line.bridged
talk, told, hang_up, cut = Line.talk, Line.told, Line.hang_up, Line.cut


def pressed(digits: str, mark: str = "said", by: str = "a") -> Callable[[Line], None]:
    return lambda line: line.press(digits, mark, by)


def says(said: str, mark: str = "said", status: int = 200, **more: object) -> Callable[[Line], None]:
    return lambda line: line.says(said, mark, status, **more)


def playing_(nth: int = 1) -> Callable[[Line], None]:
    return lambda line: line.playing(nth)


def again(nth: int = 2) -> Callable[[Line], None]:
    return lambda line: line.opened(nth, "on the record again")


RECORDED = then(opened, talk, hang_up)
UNTIL_SAID = (Between(START, "said"),)
UNTIL_ASKED = (Between(START, "asked"),)
WITHDRAWN = (Between("off the record", END),)
TAKEN_BACK = then(opened, talk, pressed("*9", "withdrawing"), closed, talk, hang_up)


def cut_short(mode: str) -> Iterator[Case]:
    """The prompt is broken off; fsgov plays it twice."""
    plays = {
        DROP_IN: then(playing_(), cut, playing_(2), cut, talk, hang_up),
        GATE: then(playing_(), cut, talk, hang_up),
    }
    for way, steps in plays.items():
        yield Case(
            mode=mode, answer="unanswered", outcome="consent-unanswered", silent=WHOLE, plays=steps,
            rows=(("evidence", "unanswered", "notice"),), ways=(way,), variant=" long",
        )  # fmt: skip


CASES = (
    # none: nobody is asked, and a yes means nothing; a no counts
    Case(mode="none", answer="given", outcome="recorded", segments=(EVIDENCE,), heard=HEARD, prompts=0,
         plays=then(opened, says("given", status=409), talk, hang_up)),
    Case(mode="none", answer="refused", outcome="refused", silent=WHOLE, prompts=0,
         variables={"fsgov_consent_evidence": "refused"}, rows=(("evidence", "refused", "variable"),),
         plays=then(talk, talk, hang_up)),
    Case(mode="none", answer="unanswered", outcome="recorded", segments=(EVIDENCE,), heard=HEARD, prompts=0,
         plays=RECORDED),
    Case(mode="none", answer="hung up", outcome="recorded", segments=(EVIDENCE,), prompts=0,
         plays=then(opened, talk, hang_up)),
    Case(mode="none", answer="withdrawn", outcome="withdrawn", segments=(EVIDENCE,), after="dispose",
         rows=(("evidence", "withdrawn", "cli"),), silent=WITHDRAWN, prompts=0,
         plays=then(opened, talk, says("withdrawn", "withdrawing"), closed, talk, hang_up)),
    # notice: who stays has been told
    Case(mode="notice", answer="given", outcome="recorded", segments=(EVIDENCE,), heard=HEARD,
         silent=UNTIL_ASKED, rows=(("evidence", "given", "notice"),), prompts=1,
         plays=then(asked, RECORDED)),
    Case(mode="notice", answer="refused", variant=" long", outcome="refused", silent=WHOLE,
         rows=(("evidence", "refused", "cli"),),
         plays=then(playing_(), says("refused"), asked, talk, hang_up)),
    *cut_short("notice"),
    Case(mode="notice", answer="hung up", variant=" long", outcome="consent-unanswered", silent=WHOLE,
         rows=(("evidence", "unanswered", "notice"),), plays=then(playing_(), hang_up)),
    Case(mode="notice", answer="withdrawn", outcome="withdrawn", segments=(EVIDENCE,), after="dispose",
         silent=(*UNTIL_ASKED, *WITHDRAWN),
         rows=(("evidence", "given", "notice"), ("evidence", "withdrawn", "key")),
         plays=then(asked, TAKEN_BACK)),
    # opt_out: silence after the question opens the gate, a question that was not heard does not
    Case(mode="opt_out", answer="given", variant=" brief", outcome="recorded", segments=(EVIDENCE,),
         heard=HEARD, silent=UNTIL_ASKED, rows=(("evidence", "given", "notice"),),
         plays=then(asked, RECORDED)),
    Case(mode="opt_out", answer="refused", outcome="refused", silent=WHOLE,
         rows=(("evidence", "refused", "key"),), plays=then(asked, pressed("2"), talk, talk, hang_up)),
    *cut_short("opt_out"),
    Case(mode="opt_out", answer="hung up", variant=" long", outcome="consent-unanswered", silent=WHOLE,
         rows=(("evidence", "unanswered", "notice"),), plays=then(playing_(), hang_up)),
    Case(mode="opt_out", answer="withdrawn", variant=" brief", outcome="withdrawn", segments=(EVIDENCE,),
         silent=(*UNTIL_ASKED, *WITHDRAWN), heard=(Between("on the record", "withdrawing"),),
         rows=(("evidence", "given", "notice"), ("evidence", "withdrawn", "key")),
         plays=then(asked, TAKEN_BACK)),
    # opt_in: only a yes
    Case(mode="opt_in", answer="given", outcome="recorded", segments=(SPOKEN,), heard=HEARD,
         silent=UNTIL_SAID, rows=(("training", "given", "key"),), plays=then(asked, pressed("1"), RECORDED)),
    Case(mode="opt_in", answer="refused", outcome="refused", silent=WHOLE,
         rows=(("training", "refused", "key"),), plays=then(asked, pressed("2"), talk, talk, hang_up)),
    Case(mode="opt_in", answer="unanswered", variant=" brief", outcome="consent-unanswered", silent=WHOLE,
         rows=(("training", "unanswered", "notice"),), plays=then(asked, *[talk] * 4, hang_up)),
    Case(mode="opt_in", answer="hung up", variant=" long", outcome="consent-unanswered", silent=WHOLE,
         rows=(("training", "unanswered", "notice"),), plays=then(playing_(), hang_up)),
    Case(mode="opt_in", answer="withdrawn", outcome="withdrawn", segments=(SPOKEN,), after="quarantine",
         silent=(*UNTIL_SAID, *WITHDRAWN),
         rows=(("training", "given", "key"), ("training", "withdrawn", "key")),
         plays=then(asked, pressed("1"), TAKEN_BACK)),
    # on_file: the CRM has it or has it not, nobody is asked
    Case(mode="on_file", answer="given", caller=YES, outcome="recorded", segments=(SPOKEN,), heard=HEARD,
         rows=(("training", "given", "crm"),), prompts=0, plays=RECORDED),
    Case(mode="on_file", answer="refused", caller=NO, outcome="refused", silent=WHOLE, prompts=0,
         rows=(("training", "refused", "crm"),), plays=then(talk, talk, hang_up)),
    Case(mode="on_file", answer="unanswered", outcome="consent-unanswered", silent=WHOLE, prompts=0,
         plays=then(talk, talk, says("given", status=409), hang_up)),
    Case(mode="on_file", answer="hung up", caller=YES, outcome="recorded", segments=(SPOKEN,), prompts=0,
         rows=(("training", "given", "crm"),), plays=RECORDED),
    Case(mode="on_file", answer="withdrawn", caller=YES, outcome="withdrawn", segments=(SPOKEN,), prompts=0,
         silent=WITHDRAWN, after="dispose",
         rows=(("training", "given", "crm"), ("training", "withdrawn", "cli")),
         plays=then(opened, talk, says("withdrawn", "withdrawing"), closed, talk, hang_up)),
    # agent_attested: somebody's word, by a desk or by the agent's telephone
    Case(mode="agent_attested", answer="given", outcome="recorded", segments=(SPOKEN,), heard=HEARD,
         silent=UNTIL_SAID, rows=(("training", "given", "cli"),), ways=(DROP_IN,), prompts=0,
         plays=then(talk, says("given"), RECORDED)),
    Case(mode="agent_attested", answer="refused", outcome="refused", silent=WHOLE, ways=(DROP_IN,), prompts=0,
         rows=(("training", "refused", "cli"),),
         plays=then(talk, says("refused"), says("given", status=409), talk, hang_up)),
    Case(mode="agent_attested", answer="withdrawn", outcome="withdrawn", segments=(SPOKEN,), ways=(DROP_IN,),
         silent=(*UNTIL_SAID, *WITHDRAWN), after="quarantine", prompts=0,
         rows=(("training", "given", "cli"), ("training", "withdrawn", "cli")),
         plays=then(talk, says("given"), opened, talk, says("withdrawn", "withdrawing"), closed, hang_up)),
    Case(mode="agent_attested", answer="given", outcome="recorded", segments=(SPOKEN,), ways=(GATE,),
         silent=UNTIL_SAID, rows=(("training", "given", "agent"),),
         plays=then(bridged, pressed("*6", "outside"), talk, pressed("*6", by="b"), RECORDED)),
    Case(mode="agent_attested", answer="refused", outcome="refused", silent=WHOLE, ways=(GATE,),
         rows=(("training", "refused", "agent"),),
         plays=then(bridged, pressed("*7", by="b"), told, talk, hang_up)),
    Case(mode="agent_attested", answer="withdrawn", outcome="withdrawn", segments=(SPOKEN,), ways=(GATE,),
         silent=(*UNTIL_SAID, *WITHDRAWN), after="quarantine",
         rows=(("training", "given", "agent"), ("training", "withdrawn", "agent")),
         plays=then(bridged, pressed("*6", by="b"), opened, told, talk,
                    pressed("*7", "withdrawing", by="b"), closed, talk, hang_up)),
    Case(mode="agent_attested", answer="unanswered", outcome="consent-unanswered", silent=WHOLE,
         caller=YES, rows=(("training", "given", "crm"),), plays=then(talk, talk, talk, hang_up)),
    Case(mode="agent_attested", answer="hung up", outcome="consent-unanswered", silent=WHOLE,
         plays=then(talk, hang_up)),
    # statutory: recorded whatever is said; what rests on consent needs its yes, and a no takes it out
    Case(mode="statutory", answer="given", outcome="recorded", segments=(LAW, BOTH),
         heard=(Between("on the record", "said"), Between("on the record again", END)),
         rows=(("law", "given", "notice"), ("training", "given", "cli")),
         plays=then(opened, asked, says("given"), again(), talk, hang_up)),
    Case(mode="statutory", answer="refused", outcome="recorded", segments=(LAW,), heard=HEARD,
         rows=(("law", "given", "notice"), ("training", "refused", "cli")),
         plays=then(opened, asked, says("refused"), says("given", "late", 409), talk, hang_up)),
    Case(mode="statutory", answer="unanswered", outcome="recorded", segments=(LAW,), heard=HEARD,
         rows=(("law", "given", "notice"),), prompts=1, plays=then(opened, asked, talk, talk, hang_up)),
    Case(mode="statutory", answer="hung up", variant=" long", outcome="recorded", segments=(LAW,),
         heard=HEARD, rows=(("law", "unanswered", "notice"),), plays=then(opened, playing_(), hang_up)),
    Case(mode="statutory", answer="withdrawn", outcome="recorded", segments=(BOTH, LAW),
         variables={"fsgov_consent_training": "given"},
         heard=(Between("on the record", "said"), Between("on the record again", END)),
         rows=(("training", "given", "variable"), ("law", "given", "notice"),
               ("training", "withdrawn", "key")),
         plays=then(opened, asked, pressed("*9"), again(), talk, hang_up)),
)  # fmt: skip


def test_every_mode_meets_every_answer() -> None:
    assert {(case.mode, case.answer) for case in CASES} == {(m, a) for m in MODES for a in ANSWERS}


@dataclass
class Done:
    case: Case
    way: str
    line: Line
    faults: list[str]


@pytest.fixture(scope="module")
def scenes(stage: Stage) -> dict[str, Done]:
    """All of them, played at the same time and judged."""
    long_first = sorted(CASES, key=lambda case: case.variant != " long")
    every = [(case, way, Line(stage, case.scene(way))) for case in long_first for way in case.ways]

    def one(case: Case, way: str, line: Line) -> None:
        try:
            line.begin(way == GATE, case.variables)
            case.plays(line)
        except (FsgovError, ValueError, OSError, AssertionError) as fault:
            line.played.trouble = f"it could not be played to its end: {fault}"
            stage.do("hang_up", call=line.played.scene.name, by="a")

    threads = [threading.Thread(target=one, args=each) for each in every]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(ledger, "LOOK_EVERY", 0.1)  # sixty threads look
        for thread in threads:
            thread.start()
            time.sleep(0.08)
        for thread in threads:
            thread.join()
    with stage.desk("bob") as dsn, closing(Desk(dsn)) as desk:
        late = verdict.settled(stage, desk, [line.played for _, _, line in every], 40.0)
        assert not late, late
        return {
            line.played.scene.name: Done(case, way, line, judged(stage, desk, case, line.played))
            for case, way, line in every
        }


def judged(stage: Stage, desk: Desk, case: Case, played: Played) -> list[str]:
    """What is not as it should be: audio and outcome by the demo's verdict, the rows by the case."""
    whole = desk.call(played.call)
    differing = (": purposes is ", ": state is ", ": quarantine is ", ": waits for destruction is ")
    found = [
        fault
        for fault in verdict.judge(stage, desk, played).faults
        if not any(words in fault for words in differing)
    ]
    says = [(row.purpose, row.state, row.method) for row in whole.consents]
    if sorted(says, key=itemgetter(0)) != sorted(case.rows, key=itemgetter(0)):  # an act overtakes events
        found.append(f"its rows are {says}")
    if [frozenset(segment.purposes) for segment in whole.segments] != list(case.segments):
        found.append(f"its segments serve {[segment.purposes for segment in whole.segments]}")
    if any(fate(segment) != case.after for segment in whole.segments):
        found.append(f"its audio: {[fate(segment) for segment in whole.segments]}")
    prompts = len(stage.ledger.all("heard", uuid=played.call))
    if case.prompts is not None and prompts != case.prompts:
        found.append(f"{prompts} prompts were played")
    return found + bound(desk, whole)


def fate(segment: SegmentRow) -> str:
    if segment.state == "quarantined":
        return "quarantine" if segment.quarantine == "withdrawn" and segment.review_by else "?"
    return "dispose" if segment.dispose else ""


def bound(desk: Desk, whole: WholeCall) -> list[str]:
    """Each segment names rows that were there before it, with their digests; evidence is whole."""
    rows = {row.consent: row for row in desk.evidence(whole.call.call) or ()}
    found = [f"{row.consent} lacks its policy" for row in rows.values() if not row.evidence.get("policy")]
    for segment in whole.segments:
        if set(segment.evidence) != set(segment.consents):
            found.append(f"{segment.segment} names {segment.evidence}")
        for consent, digest in segment.evidence.items():
            if rows[consent].digest != digest or rows[consent].at > segment.opened_at:
                found.append(f"{segment.segment} does not rest on {consent}")
    return found


NAMES = [case.scene(way).name for case in CASES for way in case.ways]


@pytest.mark.parametrize("name", NAMES)
def test_what_comes_of(scenes: dict[str, Done], name: str) -> None:
    assert not scenes[name].faults


def test_the_evidence_of_an_answer_is_complete(stage: Stage, scenes: dict[str, Done]) -> None:
    """Key, notice, CRM, person, agent: what was heard, which key, which events of the switch, who said so."""
    with stage.desk("bob") as dsn, closing(Desk(dsn)) as desk:

        def evidence(name: str) -> dict[str, object]:
            found = desk.evidence(scenes[name].line.played.call)
            assert found
            return dict(found[0].evidence)

        for way in (DROP_IN, GATE):
            told = evidence(f"opt_in, given, {way}")
            assert (told["leg"], told["prompt"], told["digit"]) == ("a", "short", "1")
            assert told["samples"] == told["of"] == 12_000
            events = str(told["events"]).split()
            assert len(events) == 3
            assert {event.rpartition("/")[2].isdecimal() for event in events} == {True}
            told = evidence(f"notice, given, {way}")
            assert "digit" not in told
            assert len(str(told["events"]).split()) == 2
        assert str(evidence(f"agent_attested, given, {DROP_IN}")["actor"]).startswith("p-")
        by_code = evidence(f"agent_attested, given, {GATE}")
        assert (by_code["leg"], by_code["by"]) == ("b", 2)
        assert by_code["events"]
        lines = b"\n".join(row.line for row in desk.log.lines(desk.log.state().log_id))
        assert not [number for number in (YES, NO, UNKNOWN) if number.encode() in lines]


def test_evidence_that_was_altered_afterwards_is_told(stage: Stage, scenes: dict[str, Done]) -> None:
    call = scenes[f"opt_in, given, {DROP_IN}"].line.played.call
    good = fsgov(stage, "recordings", "verify", call, "--json", person="bob")
    assert good.code == 0, good.err
    assert json.loads(good.out)[0]["consents"] == "ok"
    assert stage.database is not None
    with stage.desk("bob") as dsn, closing(Desk(dsn)) as desk:
        (row,) = desk.segments(call=call)
        for change in (
            """UPDATE fsgov.consents SET evidence = jsonb_set(evidence, '{digit}', '"2"')""",
            """UPDATE fsgov.consents SET evidence = jsonb_set(evidence, '{samples}', '12001')""",
            "UPDATE fsgov.consents SET at = at - interval '1 microsecond'",
            "UPDATE fsgov.consents SET mode = 'none'",
            "DELETE FROM fsgov.consents",
        ):
            with changed(stage, change, call), pytest.raises(Damaged, match=row.consents[0]):
                verifying.consents_of(desk, row)
        with changed(stage, "UPDATE fsgov.consents SET evidence = NULL", call):
            assert verifying.consents_of(desk, row).startswith("erased")
        with changed(stage, "UPDATE fsgov.consents SET purpose = 'evidence'", call):
            told = fsgov(stage, "recordings", "verify", call, person="bob")
            assert (told.code, row.consents[0] in told.out) == (Damaged.exit_code, True), told
        assert verifying.consents_of(desk, row) == "ok"


@contextmanager
def changed(stage: Stage, change: str, call: str) -> Iterator[None]:
    """The rows of a call are altered, and afterwards as they were."""
    assert stage.database is not None
    with closing(psycopg2.connect(stage.database.dsn())) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE was AS SELECT * FROM fsgov.consents WHERE call = %s", (call,))
        cursor.execute(f"{change} WHERE call = %s", (call,))
        connection.commit()
        yield
        cursor.execute("DELETE FROM fsgov.consents WHERE call = %s", (call,))
        cursor.execute("INSERT INTO fsgov.consents SELECT * FROM was")
        cursor.execute("DROP TABLE was")
        connection.commit()


def test_what_was_taken_back_is_not_opened_for_that_purpose(stage: Stage, scenes: dict[str, Done]) -> None:
    call = scenes[f"statutory, withdrawn, {DROP_IN}"].line.played.call
    with stage.desk("bob") as dsn, closing(Desk(dsn)) as desk:
        with pytest.raises(FsgovError, match="taken its consent"):
            desk.request_access(f"{call}-01", "training", "to learn from it")
        assert desk.request_access(f"{call}-01", "law", "the regulator asks")


def test_a_segment_that_is_entered_already_goes_to_quarantine_as_well(stage: Stage) -> None:
    scene = replace(CASES[-1].scene(DROP_IN), name="late", title="late", dialled=NUMBER["opt_in"])
    line = Line(stage, scene)
    line.begin(False, {})
    then(asked, pressed("1"), opened, talk)(line)
    live.ask(stage.site.control, "POST", f"/v1/calls/{line.played.call}/stop")
    with stage.desk("bob") as dsn, closing(Desk(dsn)) as desk:
        eventually(lambda: [s.state for s in desk.segments(call=line.played.call)] == ["stored"])
        live.ask(stage.site.control, "POST", f"/v1/calls/{line.played.call}/start")
        then(again(), talk, pressed("*9", "withdrawing"), lambda line: line.closed(2), hang_up)(line)
        eventually(lambda: not verdict.settled(stage, desk, [line.played], 20))
        whole = desk.call(line.played.call)
        assert [fate(segment) for segment in whole.segments] == ["quarantine", "quarantine"]
        assert whole.call.outcome == "withdrawn"
