"""Every law pack does what it says: its own tests and refusals are executed, and each can be overridden."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from fsgov import config
from fsgov import events as ev
from fsgov.errors import BadConfiguration
from fsgov.events import Act, Direction
from fsgov.policy import (
    ConsentMode,
    Decision,
    Policy,
    PromptFacts,
    RecordMode,
    decide,
    describe,
    explain,
    run_tests,
)
from fsgov.policy import parse as parse_
from fsgov.policy.laws import LAW_KEYS, inline, read_pack
from fsgov.switchboard import Switchboard
from tests.unit.conversation import NEVER, Talk, moves

PACKS = config.law_packs()
SOURCES: dict[str, dict[str, Any]] = {name: tomllib.loads(text) for name, text in PACKS.items()}
HEAD = 'version = "1"\ntimezone = "UTC"\n'
WANTED = {
    f"law:{name}" for name in ["de", "uk", "fr", "us", "cn", "mifid", "fca", "reg_f", "pci", "hipaa", "sec"]
}
ALL_PARTIES = "CA CT DE FL IL MD MA MT NV NH PA WA"


def facts(file: str) -> PromptFacts:
    return PromptFacts(file=f"/p/{file}", samples=8_000, rate=8_000, sha256="ab" * 32)


def as_toml(test: dict[str, Any]) -> str:
    return "[[test]]\n" + "".join(f"{key} = {inline(value)}\n" for key, value in test.items())


def parse(text: str) -> Policy:
    return parse_(HEAD + text, prompts=facts, packs=PACKS)


def faults(text: str) -> list[str]:
    with pytest.raises(BadConfiguration) as caught:
        parse(text)
    return caught.value.detail.splitlines()


def test_the_packs_that_are_promised_ship() -> None:
    assert set(PACKS) == WANTED


@pytest.mark.parametrize("name", sorted(PACKS))
def test_a_pack_has_a_date_a_source_and_says_that_it_is_no_advice(name: str) -> None:
    law = read_pack(name, PACKS[name])
    assert re.fullmatch(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}", law.reviewed_on)
    assert law.source
    assert "not legal advice" in PACKS[name].partition("reviewed_on")[0].replace("\n# ", " ")
    assert PACKS[name].startswith(f"# {name} - ")


@pytest.mark.parametrize("name", sorted(PACKS))
def test_the_tests_of_a_pack_hold_and_fail_without_it(name: str) -> None:
    source = SOURCES[name]
    tests = "".join(map(as_toml, source["test"]))
    with_it = parse(source["example"] + tests)
    assert len(with_it.trials) == len(source["test"]) > 0
    assert run_tests(with_it) == []
    assert run_tests(parse_(with_it.text)) == []
    if not read_pack(name, PACKS[name]).only_kinds:
        norway = '[floor]\nNO = "opt_in"'  # the question of the example still has a use
        without = source["example"].replace(f'include = ["{name}"]', norway)
        without = without.replace('kind = "insurance_long"', "")
        assert run_tests(parse(without + tests)) != []


@pytest.mark.parametrize(
    ("name", "refused"),
    [(name, refused) for name, source in SOURCES.items() for refused in source.get("refused", ())],
    ids=lambda value: value if isinstance(value, str) else value["name"],
)
def test_what_a_pack_refuses_is_refused_and_for_that_alone(name: str, refused: dict[str, str]) -> None:
    example = SOURCES[name]["example"]
    assert refused["replace"] in example
    changed = example.replace(refused["replace"], refused["by"])
    assert [line.partition(": ")[0] for line in faults(changed)] == [refused["fault"]]
    without = changed.replace(f'include = ["{name}"]', "")
    if "kind" not in without:
        parse(without)


@pytest.mark.parametrize("name", sorted(PACKS))
def test_a_key_that_is_not_enforced_makes_no_pack(name: str) -> None:
    with pytest.raises(BadConfiguration, match="1 fault"):
        read_pack(name, 'surprise = "x"\n' + PACKS[name])
    assert set(SOURCES[name]) <= {*LAW_KEYS, "example", "test", "refused"}


@pytest.mark.parametrize(
    ("pack", "fault"),
    [
        ("", "floor: is missing"),
        ("[floor]\nUK = \"notice\"", "floor.UK: 'UK' is no ISO"),
        ("[floor]\nDE = \"on_file\"", "floor.DE: 'on_file' is no floor"),
        ("[record]\nFR = [\"never\"]", "record.FR: 'never' is no way to record"),
        ("[record]\nUS-CA = [\"sample\"]", "record.US-CA: is a state"),
        ("[residency]\nCN = [\"China\"]", "residency.CN: 'China' is no ISO"),
        ("[retain.x]\nmin = \"1 jahr\"", "retain.x.min: '1 jahr' is no span"),
        ("[retain.x]\nanchor = \"call_end\"", "retain.x: binds nothing"),
        ("[retain.x]\nmin = \"1 year\"\nanchor = \"birth\"", "retain.x.anchor: 'birth' is no event"),
        ("[retain.X]\nmin = \"1 year\"", "retain.X: is no kind of purpose"),
        ("[pause]\nmax = \"long\"", "pause.max: 'long' is no duration"),
        ("[pause]\nby = \"cut\"", "pause.by: is not known"),
    ],
)  # fmt: skip
def test_a_pack_with_a_fault(pack: str, fault: str) -> None:
    with pytest.raises(BadConfiguration) as caught:
        read_pack("law:x", f'reviewed_on = "2026-11-21"\nsource = "s"\n{pack}\n')
    (line,) = caught.value.detail.splitlines()
    assert line.startswith(fault)


# -- states -----------------------------------------------------------------------------------------------


ASKED = """
[floor]
NO = "opt_in"
[purpose.p]
basis = "contract"
retain_max = "1 year"
[prompt.ask]
file = "ask.wav"
[[rule]]
name = "line"
consent = "none"
ask = { prompt = "ask", yes = "1", no = "2" }
purposes = ["p"]
"""


def asked(top: str) -> str:
    """A policy with a question that can obtain what any floor asks for; `top` may end with its floors."""
    return top + (ASKED.replace("[floor]\n", "") if "[floor]" in top else ASKED)


def decided(top: str, **call: Any) -> Decision:
    policy = parse(asked(top))
    decision = decide(policy, describe(**call))
    assert explain(policy, describe(**call)).decision == decision
    return decision


NEW_YORK, MIAMI, FREEPHONE, JAMAICA, ONTARIO, QUEBEC = (
    "+12125550100", "+13055550100", "+18005550100", "+18765550100", "+14165550100", "+15145550100",
)  # fmt: skip


def test_the_states_of_law_us_are_those_where_all_parties_count() -> None:
    law = read_pack("law:us", PACKS["law:us"])
    assert {place[3:] for place in law.floors} == set(ALL_PARTIES.split())


@pytest.mark.parametrize(
    ("floors", "caller", "found"),
    [
        ('US-FL = "opt_in"', MIAMI, ("US-FL", "opt_in")),
        ('US-FL = "opt_in"', NEW_YORK, ("US-NY", "none")),
        ('US-FL = "opt_in"\nUS = "notice"', NEW_YORK, ("US-NY", "notice")),
        ('US-FL = "opt_in"\ndefault = "opt_out"', NEW_YORK, ("US-NY", "opt_out")),
        # a number of the country that tells no state is owed the strictest of it
        ('US-FL = "opt_in"\nUS-CA = "notice"', FREEPHONE, ("US-?", "opt_in")),
        ('US-FL = "notice"\nUS = "none"\ndefault = "opt_in"', FREEPHONE, ("US-?", "notice")),
        ('US-FL = "notice"\ndefault = "opt_in"', FREEPHONE, ("US-?", "opt_in")),
        # without floors of states a country is one place
        ('US = "notice"', FREEPHONE, ("US", "notice")),
        ('US = "notice"', MIAMI, ("US", "notice")),
        # the same plan, other countries
        ('US = "opt_in"\nUS-FL = "opt_in"\ndefault = "notice"', JAMAICA, ("JM", "notice")),
        ('US = "opt_in"\nUS-FL = "opt_in"\ndefault = "notice"', ONTARIO, ("CA", "notice")),
        ('CA-QC = "opt_in"\nCA = "notice"', ONTARIO, ("CA-ON", "notice")),
        ('CA-QC = "opt_in"\nCA = "notice"', QUEBEC, ("CA-QC", "opt_in")),
        ('CA-NS = "opt_in"\nCA = "notice"', "+19025550100", ("CA-?", "opt_in")),
        ('US-FL = "opt_in"\ndefault = "notice"', "", ("", "notice")),
    ],
)  # fmt: skip
def test_the_floor_of_a_state(floors: str, caller: str, found: tuple[str, str]) -> None:
    decision = decided(f"[floor]\n{floors}\n", caller=caller, dialled=caller)
    assert [(place, mode.value) for place, mode in decision.floors] == [found]
    assert decision.consent.value == found[1]


@pytest.mark.parametrize(("caller", "dialled"), [(MIAMI, NEW_YORK), (NEW_YORK, MIAMI)])
def test_every_party_counts_and_the_strictest_wins(caller: str, dialled: str) -> None:
    decision = decided('[floor]\nUS-FL = "opt_out"\n', caller=caller, dialled=dialled)
    assert decision.consent is ConsentMode.OPT_OUT
    assert [place for place, _ in decision.floors] == ["US-FL", "US-NY"]


def test_the_tenant_says_in_which_state_its_freephone_line_is() -> None:
    top = '[floor]\nUS-FL = "opt_in"\n'
    for region, place in (("US-NY", "US-NY"), ("US", "US-?"), ("CA-ON", "US-?")):
        decision = decided(top, caller=NEW_YORK, dialled=FREEPHONE, region=region)
        assert (place, decision.consent.value) in (("US-NY", "none"), ("US-?", "opt_in"))
        assert {name for name, _ in decision.floors} == {"US-NY", place}


def test_a_states_floor_is_never_below_its_countrys() -> None:
    two = 'include = ["law:us"]\n[floor]\nUS = "opt_out"\n'
    assert decided(two, caller=MIAMI).consent is ConsentMode.OPT_OUT
    assert faults('[floor]\nUS = "opt_in"\nUS-NY = "notice"\n' + ASKED.replace("[floor]\n", "")) == [
        "floor.US-NY: is below the opt_in of US (a state's floor can only be stricter than its country's)"
    ]


def test_explain_says_what_an_area_code_is_worth() -> None:
    policy = parse('include = ["law:us"]\n' + ASKED)
    trace = explain(policy, describe(caller=MIAMI, dialled=FREEPHONE))
    assert "  floor of US-FL: notice" in trace.text().splitlines()
    assert "  floor of US, where the number tells no state: notice" in trace.text().splitlines()
    assert "ported" in trace.text()
    assert "ported" in str(trace.to_json()["caveat"])
    german = explain(parse('include = ["law:de"]\n' + ASKED), describe(caller="+493012345"))
    assert "ported" not in german.text()
    assert german.to_json()["caveat"] == ""


# -- overrides --------------------------------------------------------------------------------------------


def test_a_value_is_replaced_with_a_reason_and_both_are_in_the_hashed_text() -> None:
    top = 'include = ["law:us"]\n'
    override = '[override."law:us"]\nfloor.US-WA = { value = "opt_in", reason = "counsel, 2026-11-02" }\n'
    policy = parse(top + override + ASKED)
    assert decide(policy, describe(caller="+12065550100")).consent is ConsentMode.OPT_IN
    assert decide(policy, describe(caller=MIAMI)).consent is ConsentMode.NOTICE
    assert [str(one) for one in policy.overrides] == [
        'law:us floor.US-WA = "opt_in" instead of "notice": counsel, 2026-11-02'
    ]
    assert "counsel, 2026-11-02" in policy.text
    assert 'US-WA = "notice"' in policy.text.partition("[loaded.law")[2]
    again = parse_(policy.text)
    assert again == policy
    assert policy.sha256 != parse(top + override.replace("-02", "-03") + ASKED).sha256


@pytest.mark.parametrize(
    ("override", "where", "fault"),
    [
        ('floor.DE = "notice"', 'LAW.floor.DE', "must be a table"),
        ('floor.DE = { value = "notice" }', "LAW.floor.DE.reason", "is missing"),
        ('floor.DE = { value = "notice", reason = "" }', "LAW.floor.DE.reason", "is empty"),
        ('floor.DE = { reason = "x" }', "LAW.floor.DE.value", "is missing"),
        ('floor.DE = { value = "opt_in", reason = "x" }', "LAW.floor.DE.value", "is what law:de says"),
        ('floor.DE = { value = ["notice"], reason = "x" }', "LAW.floor.DE.value", "not of the kind"),
        ('floor.DE = { value = "notices", reason = "x" }', "LAW.floor.DE", "'notices' is no floor"),
        ('floor.DE = { value = "none", reason = "x", until = 1 }', "LAW.floor.DE.until", "not known"),
        ('floor.AT = { value = "notice", reason = "x" }', "LAW.floor.AT", "is nothing that law:de"),
        ('source = { value = "y", reason = "x" }', "LAW.source", "is nothing that law:de says"),
        ('pause.max = { value = "1 h", reason = "x" }', "LAW.pause", "is nothing that law:de says"),
    ],
)  # fmt: skip
def test_an_override_with_a_fault(override: str, where: str, fault: str) -> None:
    (line,) = faults(f'include = ["law:de"]\n[override."law:de"]\n{override}\n{ASKED}')
    assert line.startswith(f"{where.replace('LAW', 'override.law:de')}: ")
    assert fault in line


def test_an_override_of_a_law_that_is_not_included() -> None:
    assert faults('[override."law:de"]\nfloor.DE = { value = "none", reason = "x" }\n' + ASKED) == [
        "override.law:de: is of no law that is included"
    ]


def test_only_an_override_makes_a_floor_laxer() -> None:
    (line,) = faults('include = ["law:de"]\n[floor]\nDE = "notice"\n' + ASKED.replace("[floor]\n", ""))
    assert line.startswith("floor.DE: is below the opt_in of an included law")
    assert '[override."law:de"]' in line


OVERRIDDEN = {
    "law:fr": ('retain.training.max = { value = "1 year", reason = "x" }', '"6 months"', '"1 year"'),
    "law:pci": ('pause.max = { value = "1 h", reason = "x" }', 'max = "3 min"', 'max = "30 min"'),
    "law:mifid": ('retain.orders.min = { value = "1 year", reason = "x" }', '"5 years"', '"2 years"'),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(OVERRIDDEN))
def test_every_kind_of_value_can_be_overridden(name: str) -> None:
    override, old, new = OVERRIDDEN[name]
    example = SOURCES[name]["example"]
    assert old in example
    assert faults(example.replace(old, new))
    assert len(parse(f'{example.replace(old, new)}\n[override."{name}"]\n{override}\n').overrides) == 1


def test_lists_are_overridden_as_a_whole() -> None:
    example = SOURCES["law:cn"]["example"]
    override = '[override."law:cn"]\nresidency.CN = { value = ["CN", "DE"], reason = "standard contract" }\n'
    call = describe(caller="+8613812345678", dialled="+493012345")
    assert decide(parse(example), call).record is RecordMode.NEVER
    assert decide(parse(example + override), call).record is RecordMode.ALWAYS
    french = SOURCES["law:fr"]["example"]
    every = 'record.FR = { value = ["always", "sample", "on_demand"], reason = "x" }'
    whole = decide(parse(f'{french}[override."law:fr"]\n{every}\n'), describe(caller="+33612345678"))
    assert (whole.record, whole.curbs) == (RecordMode.ALWAYS, ())


# -- what laws bind beyond consent ------------------------------------------------------------------------


def test_the_decision_says_what_was_taken_away_and_explain_shows_it() -> None:
    chinese = parse(SOURCES["law:cn"]["example"])
    call = describe(caller="+8613812345678", dialled="+493012345")
    decision = decide(chinese, call)
    assert decision.curbs == ("CN: not kept in vault frankfurt (DE)",)
    assert Decision.from_json(decision.to_json()) == decision
    assert "  CN: not kept in vault frankfurt (DE)" in explain(chinese, call).text().splitlines()
    french = decide(parse(SOURCES["law:fr"]["example"]), describe(caller="+33612345678"))
    assert french.curbs == ("FR: record always becomes on_demand",)
    old = decision.to_json()
    del old["curbs"]
    assert Decision.from_json(old).curbs == ()


def test_whoever_is_on_the_call_counts_for_where_it_is_kept() -> None:
    chinese = parse(SOURCES["law:cn"]["example"])
    german = describe(caller="+493012345", dialled="+493090182")
    assert decide(chinese, german).record is RecordMode.ALWAYS
    abroad = describe(caller="+493012345", dialled="+861055509999")
    assert decide(chinese, abroad).record is RecordMode.NEVER


def test_residency_of_a_policys_own() -> None:
    own = '[residency]\nDE = ["DE", "FR"]\n[vault.eu]\nregion = "FR"\n[vault.us]\nregion = "US"\n'
    for vault, record in (("eu", "always"), ("us", "never")):
        text = own + ASKED + f'vault = "{vault}"\n'
        assert decide(parse(text), describe(caller="+493012345")).record.value == record
        assert decide(parse(text), describe(caller="+442079460999")).record.value == "always"
    assert faults(own + ASKED) == [
        'rule[1].vault: is missing, calls with DE may not be kept everywhere (vault = "eu")'
    ]
    (line,) = faults(own + ASKED + 'vault = "asia"\n')
    assert line.startswith("rule[1].vault: nobody says where asia is")
    both = 'include = ["law:cn"]\n[residency]\nCN = ["DE"]\n[vault.eu]\nregion = "DE"\n'
    call = describe(caller="+8613812345678")
    assert decide(parse(both + ASKED + 'vault = "eu"\n'), call).record is RecordMode.NEVER


def test_two_laws_on_one_kind_bind_both() -> None:
    text = SOURCES["law:mifid"]["example"].replace('"law:mifid"', '"law:mifid", "law:fca"')
    assert len(faults(text.replace('"5 years"', '"3 years"'))) == 2
    lax = '[override."law:mifid"]\nretain.orders.min = { value = "1 year", reason = "x" }\n'
    assert len(faults(text.replace('"5 years"', '"3 years"') + lax)) == 1


def test_a_purpose_says_that_it_is_none_of_a_laws_kind() -> None:
    text = SOURCES["law:fr"]["example"]
    longer = text.replace('retain_max = "6 months"', 'retain_max = "1 year"')
    assert faults(longer)
    assert parse(longer.replace("[purpose.training]", '[purpose.training]\nkind = "none"')).purposes
    (line,) = faults(text.replace("[purpose.training]", '[purpose.training]\nkind = "trainig"'))
    assert line.startswith(
        "purpose.training.kind: 'trainig' is no kind that an included law speaks of (did you"
    )


def test_an_anchor_that_adds_time_counts() -> None:
    text = SOURCES["law:fr"]["example"]
    later = text.replace('retain_max = "6 months"', 'retain_max = "6 months"\nanchor = "call_end + 1 month"')
    (line,) = faults(later)
    assert line.startswith("purpose.training.retain_max: can be longer than the 6 months of law:fr")


def test_a_rule_that_is_never_recorded_needs_no_vault_and_no_pause() -> None:
    top = 'include = ["law:cn", "law:pci"]\n'
    assert decide(parse(top + '[[rule]]\nname = "n"\nrecord = "never"\n'), describe()).curbs == ()


def test_the_policy_of_the_design_is_whole_with_its_three_laws() -> None:
    policy = parse('include = ["law:de", "law:uk", "law:pci"]\n' + ASKED)
    assert set(policy.laws) == {"law:de", "law:uk", "law:pci"}
    assert decide(policy, describe()).pause.max == 15 * 60 * 1_000_000


def test_the_examples_of_the_page_go_together_and_do_what_it_says() -> None:
    page = (Path(__file__).parents[2] / "docs/policy.md").read_text()
    section = page.partition("## Floors and law packs")[2].partition("\n## ")[0]
    blocks = re.findall(r"```toml\n(.*?)```", section, re.DOTALL)
    assert len(blocks) == 3
    policy = parse("".join(blocks) + ASKED.replace('[floor]\nNO = "opt_in"\n', "") + 'vault = "eu"\n')
    assert len(policy.overrides) == 2
    for caller, mode in (("+4312345678", "opt_in"), (NEW_YORK, "notice"), ("+12065550100", "opt_in")):
        assert decide(policy, describe(caller=caller)).consent.value == mode
    assert decide(policy, describe(caller="+74951234567")).record is RecordMode.NEVER
    for name, law in policy.laws.items():
        assert f"`{name}`" in section, law


# -- in a conversation ------------------------------------------------------------------------------------


def talk(example: str) -> Talk:
    found = Talk(NEVER)
    found.policy = parse(example)
    found.board = Switchboard(found.policy, found.site)
    return found


def test_a_call_that_may_be_kept_nowhere_is_accounted_for_with_its_cause() -> None:
    chinese = talk(SOURCES["law:cn"]["example"])
    chinese.created("a", caller="+8613812345678", dialled="+493012345")
    chinese.created("b", other="a")
    chinese.answered("b")
    chinese.answered("a")
    assert moves(chinese.sent) == []
    chinese.hangs_up("a", "b")
    (over,) = chinese.entries("call.over")
    assert (over.facts["outcome"], over.facts["cause"]) == ("not-required", "law")
    curbs = [entry.facts["curbs"] for entry in chinese.entries("call.decided")]
    assert curbs == [["CN: not kept in vault frankfurt (DE)"]] * len(curbs)


def test_somebody_who_joins_from_china_ends_a_recording_that_is_kept_elsewhere() -> None:
    line = 'include = ["law:cn"]\n[vault.eu]\nregion = "DE"\n' + ASKED + 'vault = "eu"\n'
    running = talk(line)
    running.inbound()
    running.opens()
    last = running.created(
        "c", direction=Direction.OUTBOUND, dialled="+8613812345678", profile="sofia/external"
    )
    running.push(ev.LegsBridged, leg="a", other="c")
    assert "close" in moves([*last, *running.sent])
    assert running.call().decision is not None
    assert running.call().decision.record is RecordMode.NEVER


def test_a_french_call_is_recorded_from_when_somebody_asks_for_it() -> None:
    french = talk(SOURCES["law:fr"]["example"])
    french.created("a", caller="+33612345678", dialled="+442079460100")
    french.created("b", other="a")
    french.answered("b")
    french.answered("a")
    french.push(ev.LegsBridged, leg="a", other="b")
    assert "open" not in moves(french.sent)
    french.act(Act.START)
    french.push(ev.PromptStarted, leg="a", file="/p/annonce.wav")
    french.push(ev.PromptStopped, leg="a", file="/p/annonce.wav", status="done", samples=8_000)
    assert "open" in moves(french.sent)
