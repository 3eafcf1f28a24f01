"""Wrong policies, one fault at a time: each is refused with its key path, what is wrong, and what to do."""

from __future__ import annotations

import pytest

from fsgov import config
from fsgov.errors import BadConfiguration, NotFound
from fsgov.policy import PromptFacts, parse

GOOD = """
version = "2026-11-21"
timezone = "Europe/Berlin"
include = ["law:de"]
[floor]
default = "none"
AT = "notice"
[purpose.evidence]
basis = "contract"
retain_min = "5 years"
retain_max = "5 years"
anchor = "contract_end"
anchor_fallback = "call_end + 1 year"
[purpose.training]
basis = "consent"
retain_max = "6 months"
[prompt.ask]
file = "/p/ask.wav"
switch_file = "/srv/ask.wav"
language = "de"
[[rule]]
name = "line"
when.dialled = ["+4930901820*"]
when.crm.segment = ["retail"]
record = "sample 10%"
consent = "opt_in"
ask = { prompt = "ask", yes = "1", no = "2", timeout = "8 s", withdraw = "*9" }
purposes = ["evidence", "training"]
on_refusal = "transfer 7001"
pause = { by = "mask", max = "3 min", at_max = "stop" }
vault = "eu"
[[rule]]
name = "rest"
record = "never"
[[test]]
name = "t"
call = { caller = "+493012345", dialled = "+4930901820" }
expect = { rule = "rest" }
"""


def facts(file: str) -> PromptFacts:
    if "missing" in file:
        raise NotFound("the prompt cannot be read", file, "record it")
    return PromptFacts(file=file, samples=8_000, rate=8_000, sha256="ab" * 32)


def faults(text: str) -> tuple[list[str], BadConfiguration]:
    with pytest.raises(BadConfiguration) as caught:
        parse(text, "p.toml", prompts=facts, packs=config.law_packs())
    return caught.value.detail.splitlines(), caught.value


def test_the_policy_that_the_wrong_ones_are_made_from_is_right() -> None:
    parse(GOOD, prompts=facts, packs=config.law_packs())


# what is replaced, by what, where the fault is, what it says, and a part of the hint
EV = "purpose.evidence"
ONE_BY_ONE = [
    ('version = "2026-11-21"\n', "", "version", "is missing", "date"),
    ('"2026-11-21"', '"a b"', "version", "'a b' is no name of a version", "letters"),
    ('"2026-11-21"', "7", "version", "must be a text, is a whole number", ""),
    ('timezone = "Europe/Berlin"\n', "", "timezone", "is missing", "Europe/Berlin"),
    ('"Europe/Berlin"', '"Berlin!"', "timezone", "'Berlin!' is no time zone", "Area/City"),
    ("timezone =", 'timezon = "x"\ntimezone =', "timezon", "is not known", "did you mean timezone?"),
    ('"law:de"', '"law:xx"', "include", "law:xx is not enforced by this version", "law:"),
    ('"law:de"', '"law:d"', "include", "law:d is not enforced", "did you mean law:de?"),
    ("AT =", "UK =", "floor.UK", "'UK' is no ISO 3166 country code", "did you mean GB?"),
    ("AT =", "at =", "floor.at", "'at' is no ISO 3166 country code", "did you mean AT?"),
    ('AT = "notice"', 'AT = "opt-out"', "floor.AT", "'opt-out' is no floor", "did you mean opt_out?"),
    ('AT = "notice"', 'AT = "on_file"', "floor.AT", "'on_file' is no floor", "known here"),
    ('AT = "notice"', 'DE = "notice"', "floor.DE", "is below the opt_in of an included law", "stricter"),
    ('default = "none"', 'default = "no"', "floor.default", "'no' is no floor", "did you mean none?"),
    ('basis = "contract"', 'basis = "contrat"', "purpose.evidence.basis", "not known", "mean contract?"),
    ('basis = "contract"\n', "", "purpose.evidence.basis", "is missing", "contract"),
    ("[purpose.evidence]", "[purpose.evidence]\nkeep = 1", "purpose.evidence.keep", "is not known", "known"),
    ('retain_min = "5 years"', 'retain_min = "5 jahre"', "purpose.evidence.retain_min", "no span", "5 years"),
    ('retain_min = "5 years"', 'retain_min = "6 years"', "purpose.evidence.retain_min", "can end after", ""),
    ('retain_max = "6 months"\n', "", "purpose.training.retain_max", "is missing", "6 months"),
    ('"contract_end"', '"contract"', f"{EV}.anchor", "no event", "did you mean contract_end?"),
    ("+ 1 year", "+ soon", f"{EV}.anchor_fallback", "'soon' is no span", "5 years"),
    ('"call_end + 1 year"', '"case_closed"', f"{EV}.anchor_fallback", "may never happen", "call_end"),
    ('anchor_fallback = "call_end + 1 year"\n', "", f"{EV}.anchor_fallback", "is missing", "call_end"),
    ('anchor = "contract_end"\n', "", f"{EV}.anchor_fallback", "has no effect", "leave it out"),
    ("/p/ask.wav", "/p/missing.wav", "prompt.ask.file", "the prompt cannot be read", "record it"),
    ("/srv/ask.wav", "/srv/a b.wav", "prompt.ask.switch_file", "cannot be named to the switch", "absolute"),
    ("/srv/ask.wav", "/srv/${x}.wav", "prompt.ask.switch_file", "cannot be named to the switch", "absolute"),
    ("/srv/ask.wav", "ask.wav", "prompt.ask.switch_file", "cannot be named to the switch", "absolute"),
    ('language = "de"', 'language = "German"', "prompt.ask.language", "is no language", "en-GB"),
    ('name = "line"\n', "", "rule[1].name", "is missing", "names its rule"),
    ('name = "line"', 'name = "rest"', "rule[2].name", "is the same as of rule[1]", ""),
    ("when.dialled =", "when.dialed =", "rule[1].when.dialed", "is not known", "did you mean dialled?"),
    ('["+4930901820*"]', '["+49309O1820*"]', "rule[1].when.dialled[1]", "is no number or prefix", "+4930*"),
    ('["+4930901820*"]', '["*"]', "rule[1].when.dialled[1]", "matches every number", "leave"),
    ('["+4930901820*"]', "[4930]", "rule[1].when.dialled[1]", "must be a text, is a whole number", "1001"),
    ('["+4930901820*"]', "[]", "rule[1].when.dialled", "is an empty list", "leave"),
    ('["+4930901820*"]', '{ country = "Germany" }', "rule[1].when.dialled.country", "is no ISO", "DE, GB"),
    ('["+4930901820*"]', '{ countri = "DE" }', "rule[1].when.dialled.countri", "is not known", "country?"),
    ("when.crm.segment", "when.crm.'a b'", "rule[1].when.crm.a b", "is no name", "letters"),
    ("when.crm.segment =", 'when.direction = "in"\n#', "rule[1].when.direction", "not known", "inbound"),
    ('"sample 10%"', '"sample 0%"', "rule[1].record", "cannot be", "never"),
    ('"sample 10%"', '"sample 101%"', "rule[1].record", "cannot be", "up to 100"),
    ('"sample 10%"', '"sample ten"', "rule[1].record", "is not known", "sample 10%"),
    ('"sample 10%"', '"allways"', "rule[1].record", "is not known", "did you mean always?"),
    ('"opt_in"', '"optin"', "rule[1].consent", "is not known", "did you mean opt_in?"),
    ('"opt_in"', '"agent_attested"', "rule[1].ask", "has no effect under agent_attested", "leave"),
    ('prompt = "ask"', 'prompt = "aks"', "rule[1].ask.prompt", "there is no [prompt.aks]", "mean ask?"),
    ('yes = "1", ', "", "rule[1].ask.yes", "is missing, opt_in needs an active yes", "yes"),
    ('yes = "1"', 'yes = "12"', "rule[1].ask.yes", "'12' is no key", "exactly one"),
    ('yes = "1"', "yes = 1", "rule[1].ask.yes", "must be a text, is a whole number", ""),
    ('no = "2"', 'no = "1"', "rule[1].ask.no", "is the same key as yes", "different"),
    ('"8 s"', '"8"', "rule[1].ask.timeout", "'8' is no duration", "8 s"),
    ('"8 s"', '"1 h"', "rule[1].ask.timeout", "1 h is out of range", "2 min"),
    ('"*9"', '"9"', "rule[1].ask.withdraw", "'9' is no withdrawal code", "by accident"),
    ('"*9"', '"99"', "rule[1].ask.withdraw", "'99' is no withdrawal code", "by accident"),
    ('"*9"', '"*"', "rule[1].ask.withdraw", "'*' is no withdrawal code", "by accident"),
    ('withdraw = "*9"', 'widraw = "*9"', "rule[1].ask.widraw", "is not known", "did you mean withdraw?"),
    ('"training"]', '"trainig"]', "rule[1].purposes", "there is no [purpose.trainig]", "mean training?"),
    ('purposes = ["evidence", "training"]\n', "", "rule[1].purposes", "is missing", "basis"),
    ('"evidence", "training"', '"training", "training"', "rule[1].purposes[2]", "comes twice", ""),
    ('"transfer 7001"', '"transfer"', "rule[1].on_refusal", "is not known", "transfer 7001"),
    ('"transfer 7001"', '"transfer a b"', "rule[1].on_refusal", "is not known", "transfer 7001"),
    ('"transfer 7001"', '"hang up"', "rule[1].on_refusal", "is not known", "did you mean hangup?"),
    ('by = "mask"', 'by = "mute"', "rule[1].pause.by", "'mute' is not known", "mask"),
    ('max = "3 min", ', "", "rule[1].pause.at_max", "has no effect without max", "max"),
    ('vault = "eu"', 'vault = "E U"', "rule[1].vault", "is no name of a vault", "small letters"),
    ('vault = "eu"', 'vault = "eu"\narmed = true', "rule[1].armed", "would capture before opt_in", "none"),
    ('vault = "eu"', 'vault = "eu"\nunbuffered = "yes"', "rule[1].unbuffered", "must be", "true"),
    ('record = "never"', 'record = "never"\nunbuffered = true', "rule[2].unbuffered", "no effect under", ""),
    ('vault = "eu"', 'vault = "eu"\npriority = "high"', "rule[1].priority", "'high' is not known", "low"),
    ('vault = "eu"', 'priority = "low"\nrequire = "during"', "rule[1].priority", "is needed", "leave one"),
    ('vault = "eu"', 'priority = "low"\non_failure = "hangup"', "rule[1].priority", "the call ends", "one"),
    ('vault = "eu"', 'require = "before_answer"', "rule[1].require", "only the gate of a dialplan", "gate"),
    ('vault = "eu"', 'require = "before_answer"\ngate = true\nleg = "b"', "rule[1].leg", "called when", "a"),
    ('record = "sample 10%"', 'record = "on_demand"\ngate = true', "rule[1].gate", "asks before", "leave it"),
    ('vault = "eu"', 'on_failure = "announce"', "rule[1].announce", "is missing", "NAME"),
    ('vault = "eu"', 'announce = "ask"', "rule[1].announce", "no effect under", "leave it out"),
    ('vault = "eu"', 'on_failure = "announce"\nannounce = "x"', "rule[1].announce", "there is no", ""),
    ('record = "never"', 'record = "never"\ngate = true', "rule[2].gate", "no effect under", ""),
    ('vault = "eu"', 'on_failure = "alarm"', "rule[1].on_failure", "is not known", "alert"),
    ('vault = "eu"', 'vault = "eu"\nleg = "c"', "rule[1].leg", "'c' is not known", "a (the caller's)"),
    ('vault = "eu"', 'vault = "eu"\nannounced = 1', "rule[1].announced", "is not known", "announce"),
    ('record = "never"', 'record = "never"\nvault = "eu"', "rule[2].vault", "has no effect under", "leave"),
    ('record = "never"', 'purposes = ["evidence"]', "rule[2].consent", "is missing", "none"),
    ('record = "never"', 'record = "never"\nwhen.tenant = "a"', "rule", "no rule matches", "default"),
    ('timezone =', 'default = "always"\ntimezone =', "default", "cannot be the default", "never"),
    ('caller = "+493012345"', 'callr = "x"', "test[1].call.callr", "is not known", "did you mean caller?"),
    ('expect = { rule = "rest" }', "", "test[1].expect", "is missing", "rule"),
    ('{ rule = "rest" }', '{ rul = "rest" }', "test[1].expect.rul", "cannot be expected", "mean rule?"),
    ('name = "t"\n', "", "test[1].name", "is missing", "what it shows"),
    ("[[test]]", "[loaded.prompt.ask]\n[[test]]", "loaded", "is written by fsgov", "remove"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "path", "message", "hint"), ONE_BY_ONE, ids=range(len(ONE_BY_ONE)))
def test_one_fault(old: str, new: str, path: str, message: str, hint: str) -> None:
    assert old in GOOD
    lines, _ = faults(GOOD.replace(old, new, 1))
    where, _, what = lines[0].partition(": ")
    assert where == path
    assert message in what
    assert hint in what
    # a default that can never be reached, a name that two keys need: nothing else may report twice
    assert len(lines) == (2 if path in TWICE else 1), lines


TWICE = {"default"}


@pytest.mark.parametrize("mode", ["none", "notice", "opt_out"])
def test_a_purpose_with_basis_consent_needs_a_mode_that_gives_one(mode: str) -> None:
    question = {
        "none": "",
        "notice": 'ask = { prompt = "ask" }',
        "opt_out": 'ask = { prompt = "ask", no = "2" }',
    }
    text = GOOD.replace('consent = "opt_in"', f'consent = "{mode}"')
    text = "\n".join(question[mode] if line.startswith("ask =") else line for line in text.splitlines())
    lines, _ = faults(text)
    assert lines == [
        f"rule[1].purposes: training has basis consent, but {mode} gives none "
        "(consent = opt_in, or another basis: silence is never consent)"
    ]


def rule(text: str, floor: str = "") -> list[str]:
    """Faults of one rule in a policy whose floors are `floor`."""
    start = GOOD.index("[[rule]]")
    head = GOOD[:start].replace('include = ["law:de"]', "").replace('AT = "notice"', floor)
    lines, _ = faults(f'{head}[[rule]]\nname = "r"\npurposes = ["evidence"]\n{text}')
    return lines


ASK = 'ask = {{ prompt = "ask"{} }}'


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('consent = "notice"', "rule[1].ask: is missing, notice needs its prompt"),
        ('consent = "opt_in"', "rule[1].ask: is missing, opt_in needs its prompt"),
        ('consent = "opt_out"\n' + ASK.format(""), "rule[1].ask.no: is missing, opt_out needs a key"),
        ('consent = "none"\n' + ASK.format(""), "rule[1].ask: has no effect under none"),
        ('consent = "on_file"\n', "rule[1].purposes: none has basis consent"),
        ('consent = "notice"\n' + ASK.format(', yes = "1"'), "rule[1].ask.yes: has no effect under notice"),
        ('consent = "notice"\narmed = true\n' + ASK.format(""), "rule[1].armed: would capture before notice"),
        ('consent = "none"\non_refusal = "hangup"', "rule[1].on_refusal: nobody can refuse under none"),
        ('consent = "agent_attested"\n' + ASK.format(""), "rule[1].ask: has no effect under agent_attested"),
        ('consent = "agent_attested"\narmed = true', "rule[1].armed: would capture before agent_attested"),
        (
            'consent = "agent_attested"\ngate = true\nrequire = "before_answer"',
            "rule[1].require: is before_answer, but nobody can attest",
        ),
    ],
)
def test_what_does_not_go_together(text: str, fault: str) -> None:
    lines = rule(text)
    assert len(lines) == 1
    assert lines[0].startswith(fault)


@pytest.mark.parametrize(
    ("lines", "fault"),
    [
        ('basis = "contract"\nretain_max = "1 year"\nlock = "compliance"', "lock: would end at once"),
        (
            'basis = "consent"\nretain_min = "1 year"\nretain_max = "1 year"\nlock = "governance"',
            "lock: keeps what",
        ),
        (
            'basis = "contract"\nretain_min = "1 year"\nretain_max = "1 year"\nlock = "worm"',
            "lock: 'worm' is not",
        ),
    ],
)
def test_a_lock_that_could_not_be_kept_is_refused(lines: str, fault: str) -> None:
    told, _ = faults(GOOD.replace("[purpose.training]", f"[purpose.locked]\n{lines}\n[purpose.training]"))
    assert len(told) == 1
    assert told[0].strip().startswith(f"purpose.locked.{fault}")


@pytest.mark.parametrize("act", ["destroy", "quarantine", ""])
def test_what_is_locked_cannot_be_destroyed_after_a_no(act: str) -> None:
    locked = GOOD.replace('retain_min = "5 years"\n', 'retain_min = "5 years"\nlock = "governance"\n')
    kept = locked.replace('vault = "eu"\n', 'vault = "eu"\non_withdrawal = "keep"\n')
    parse(kept, prompts=facts, packs=config.law_packs())
    told, _ = faults(kept.replace('on_withdrawal = "keep"', f'on_withdrawal = "{act}"' if act else ""))
    assert len(told) == 1
    assert told[0].strip().startswith("rule[1].on_withdrawal: what evidence has locked cannot be")


LAW = '[purpose.mifid]\nbasis = "legal_obligation"\nretain_max = "7 years"\n'


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            'purposes = ["mifid", "evidence"]',
            "rule[1].purposes: evidence has basis contract, which demands no",
        ),
        ('purposes = ["training"]', "rule[1].purposes: none has basis legal_obligation"),
        (
            'purposes = ["mifid"]\non_withdrawal = "keep"',
            "rule[1].on_withdrawal: has no effect under statutory",
        ),
        (
            'purposes = ["mifid"]\non_refusal = "hangup"',
            "rule[1].on_refusal: nobody can refuse under statutory",
        ),
        (
            'purposes = ["mifid"]\n' + ASK.format(', no = "2"'),
            "rule[1].ask.no: has no effect under statutory",
        ),
    ],
)
@pytest.mark.parametrize("floor", ['AT = "notice"', 'GB = "opt_in"'])
def test_what_does_not_go_with_a_law_that_demands_the_recording(text: str, fault: str, floor: str) -> None:
    lines = statutory(text, floor)
    assert len(lines) == 1
    assert lines[0].startswith(fault)


def statutory(text: str, floor: str = "") -> list[str]:
    start = GOOD.index("[[rule]]")
    head = GOOD[:start].replace('include = ["law:de"]', "").replace('AT = "notice"', floor)
    lines, _ = faults(f'{head}{LAW}[[rule]]\nname = "r"\nconsent = "statutory"\n{text}')
    return lines


@pytest.mark.parametrize(
    "text", ["", "armed = true\n", ASK.format(""), ASK.format(', withdraw = "*9"')], ids=range(4)
)
def test_a_law_that_demands_the_recording_may_be_told_of(text: str) -> None:
    head = GOOD[: GOOD.index("[[rule]]")]
    rule = f'{LAW}[[rule]]\nname = "r"\nconsent = "statutory"\npurposes = ["mifid", "training"]\n{text}'
    parse(head + rule, prompts=facts, packs=config.law_packs())


def test_keys_that_a_floor_may_need_are_welcome() -> None:
    head = GOOD[: GOOD.index("[[rule]]")]
    text = '[[rule]]\nname = "r"\npurposes = ["evidence"]\nconsent = "notice"\non_refusal = "hangup"\n'
    parse(head + text + ASK.format(', yes = "1", no = "2"'), prompts=facts, packs=config.law_packs())


def test_every_fault_is_told_at_once() -> None:
    lines, fault = faults(GOOD.replace('"opt_in"', '"optin"').replace('"eu"', '"E"').replace('"UTC"', '""'))
    assert [line.partition(":")[0] for line in lines] == ["rule[1].consent", "rule[1].vault"]
    assert fault.message == "The policy p.toml has 2 faults"
    assert fault.hint
    assert fault.exit_code == 3


def test_what_is_not_toml_is_told_with_its_line() -> None:
    _, fault = faults(GOOD.replace('"law:de"', "NO"))
    assert fault.message == "The policy p.toml is not TOML"
    assert "line 4" in fault.detail


def test_a_rule_after_the_one_for_every_call_is_never_reached() -> None:
    lines, _ = faults(GOOD.replace("[[test]]", '[[rule]]\nname = "late"\nrecord = "never"\n[[test]]'))
    assert lines == ["rule[3]: is never reached: rule[2] matches every call (move it up)"]


def test_a_policy_without_rules_is_none() -> None:
    start, end = GOOD.index("[[rule]]"), GOOD.index("[[test]]")
    lines, _ = faults(GOOD[:start] + GOOD[end:])
    assert lines[0].startswith("rule: no rule matches every call")


def test_a_text_whose_prompts_were_never_looked_at_is_refused() -> None:
    with pytest.raises(BadConfiguration) as caught:
        parse(GOOD.replace('include = ["law:de"]', ""))
    assert "prompt.ask.file: has not been looked at" in caught.value.detail


def test_a_stored_text_with_strange_facts_is_refused() -> None:
    stored = parse(GOOD, prompts=facts, packs=config.law_packs()).text
    for old, new in (
        ("samples = 8000", "samples = 0"),
        ("ab" * 32, "zz"),
        ("[loaded.prompt.ask]", "[loaded.x.y]"),
    ):
        assert old in stored
        with pytest.raises(BadConfiguration):
            parse(stored.replace(old, new))


def test_norway_is_a_country_and_no_boolean() -> None:
    text = GOOD.replace('AT = "notice"', 'NO = "opt_out"')
    assert parse(text, prompts=facts, packs=config.law_packs()).floors["NO"].value == "opt_out"
