"""What laws take from a rule and ask of it, as properties: another party or law gives nothing back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fsgov.policy import RecordMode, Rule
from fsgov.policy.bounds import Bounds
from fsgov.policy.document import Law
from fsgov.policy.floors import floor_at, floors, place_of
from fsgov.policy.reading import Faults, Table
from fsgov.policy.terms import ConsentMode

COUNTRIES = ("CN", "DE", "FR", "")
REACH = {RecordMode.NEVER: 0, RecordMode.ON_DEMAND: 1, RecordMode.SAMPLE: 2, RecordMode.ALWAYS: 2}
places = st.sampled_from(["US", "CA", "US-CA", "US-NY", "US-TX", "CA-QC", "CA-ON", "JM", "DE"])
modes = st.sampled_from(list(RecordMode))
regions = st.frozensets(st.sampled_from(["CN", "DE", "FR"]), min_size=1)
laws = st.builds(
    Law,
    name=st.just("law:x"),
    reviewed_on=st.just(""),
    source=st.just(""),
    records=st.dictionaries(
        st.sampled_from(COUNTRIES[:3]),
        st.frozensets(st.sampled_from(list(RecordMode)[:1] + list(RecordMode)[2:])),
    ),
    residency=st.dictionaries(st.sampled_from(COUNTRIES[:3]), regions),
)
floor_modes = st.sampled_from([ConsentMode.NONE, ConsentMode.NOTICE, ConsentMode.OPT_OUT, ConsentMode.OPT_IN])


@given(
    bound=st.lists(laws, max_size=3),
    mode=modes,
    region=st.sampled_from(["CN", "DE", "FR", ""]),
    countries=st.sets(st.sampled_from(COUNTRIES)),
    another=st.sampled_from(COUNTRIES),
)
def test_a_law_only_takes_and_one_party_more_gives_nothing_back(
    bound: list[Law], mode: RecordMode, region: str, countries: set[str], another: str
) -> None:
    bounds = Bounds.of(bound, {}, {"v": region} if region else {})
    rule = Rule(name="r", record=mode, vault="v")
    left, curbs = bounds.curbed(rule, countries)
    assert REACH[left] <= REACH[mode]
    assert (left is mode) is (curbs == ())
    more, _ = bounds.curbed(rule, countries | {another})
    assert REACH[more] <= REACH[left]
    if left is not RecordMode.NEVER:
        for law in bound:
            for country in countries & law.records.keys():
                assert left in law.records[country]
            for country in countries & law.residency.keys():
                assert region in law.residency[country]


def test_a_vault_nobody_places_is_elsewhere() -> None:
    bounds = Bounds.of((), {"CN": frozenset({"CN"})}, {})
    rule = Rule(name="r", vault="v")
    assert bounds.curbed(rule, {"CN"}) == (RecordMode.NEVER, ("CN: not kept in vault v (nobody says where)",))
    assert bounds.curbed(rule, {"DE"}) == (RecordMode.ALWAYS, ())


@given(
    declared=st.lists(st.dictionaries(places, floor_modes), max_size=3),
    default=floor_modes,
    country=st.sampled_from(["US", "CA", "JM", "DE", ""]),
    state=st.sampled_from(["US-CA", "US-NY", "CA-QC", "CA-ON", ""]),
)
def test_nobody_is_owed_less_than_any_law_says_of_where_he_is(
    declared: list[dict[str, ConsentMode]], default: ConsentMode, country: str, state: str
) -> None:
    included = {
        f"law:{n}": Law(name=f"law:{n}", reviewed_on="", source="", floors=floors_)
        for n, floors_ in enumerate(declared)
    }
    top = Table({"floor": {"default": default.value}}, "", Faults())
    found, fallback = floors(top, included)
    state = state if country and state.startswith(country) else ""
    owed = floor_at(found, place_of(found, country, state), fallback).rank
    said = {place: mode.rank for law in included.values() for place, mode in law.floors.items()}
    for law in included.values():
        for place, mode in law.floors.items():
            inside = place in (country, state) or (not state and country and place.startswith(f"{country}-"))
            assert not inside or owed >= mode.rank
    if not any(place[:2] == country for place in said):
        assert owed == default.rank
