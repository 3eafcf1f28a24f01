"""Numbers, spans, tenants and prompt files: the values that policies are made of."""

from __future__ import annotations

import hashlib
import wave
from datetime import date
from pathlib import Path

import pytest

from fsgov import config
from fsgov.errors import BadConfiguration
from fsgov.policy import Tenant, country, e164, laws, parse, tenant_of
from fsgov.policy.spans import Span, duration, span


@pytest.mark.parametrize(
    ("number", "region", "form"),
    [
        ("+493012345", "", "+493012345"),
        ("+49 (0)30 12345", "", "+493012345"),
        ("03012345", "DE", "+493012345"),
        ("00493012345", "DE", "+493012345"),
        ("0044 20 7946 0100", "DE", "+442079460100"),
        ("03012345", "", ""),
        ("1001", "DE", ""),
        ("1001", "US", ""),
        ("+1", "", ""),
        ("anonymous", "DE", ""),
        ("", "DE", ""),
        ("*97", "DE", ""),
        ("+49301234;ext=5", "", ""),
        ("+４９３０１２３４５", "", ""),
        ("+493012345\n", "", ""),
    ],
)
def test_the_international_form_of_a_number(number: str, region: str, form: str) -> None:
    assert e164(number, region) == form


@pytest.mark.parametrize(
    ("number", "code"),
    [
        ("+493012345", "DE"),
        ("+442079460100", "GB"),
        ("+4722334455", "NO"),
        ("+12025550143", "US"),
        ("+16135550143", "CA"),
        ("+88213000000", ""),
        ("", ""),
        ("1001", ""),
    ],
)
def test_the_country_of_a_number(number: str, code: str) -> None:
    assert country(number) == code


@pytest.mark.parametrize(
    ("text", "us"),
    [
        ("300 ms", 300_000),
        ("8 s", 8_000_000),
        ("3min", 180_000_000),
        ("2 h", 7_200 * 10**6),
        ("2 d", 172_800 * 10**6),
    ],
)
def test_a_duration(text: str, us: int) -> None:
    assert duration(text) == us


@pytest.mark.parametrize("text", ["", "8", "s", "-8 s", "8  s", "8 sec", "1.5 h", "8 s ", "٨ s"])
def test_what_is_no_duration(text: str) -> None:
    assert duration(text) is None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5 years", Span(years=5)),
        ("1 year 6 months", Span(years=1, months=6)),
        ("90 days", Span(days=90)),
        ("2 weeks", Span(days=14)),
    ],
)
def test_a_span_of_calendar_time(text: str, value: Span) -> None:
    assert span(text) == value


@pytest.mark.parametrize(
    "text", ["", "5", "years", "5 years ", "5 years, 1 day", "101 years", "5 Years", "99999 days"]
)
def test_what_is_no_span(text: str) -> None:
    assert span(text) is None


@pytest.mark.parametrize(
    ("start", "length", "end"),
    [
        (date(2026, 1, 31), Span(months=1), date(2026, 2, 28)),
        (date(2024, 2, 29), Span(years=1), date(2025, 2, 28)),
        (date(2024, 2, 29), Span(years=4), date(2028, 2, 29)),
        (date(2026, 11, 21), Span(months=6), date(2027, 5, 21)),
        (date(2026, 12, 31), Span(months=2, days=1), date(2027, 3, 1)),
    ],
)
def test_the_day_a_span_later(start: date, length: Span, end: date) -> None:
    assert length.after(start) == end


@pytest.mark.parametrize(
    ("shorter", "longer", "holds"),
    [
        ("5 years", "5 years", True),
        ("12 months", "1 year", True),
        ("28 days", "1 month", True),
        ("30 days", "1 month", False),
        ("1 month", "30 days", False),
        ("1 month", "31 days", True),
        ("365 days", "1 year", True),
        ("1 year", "365 days", False),
    ],
)
def test_whether_one_span_can_outlast_another(shorter: str, longer: str, holds: bool) -> None:
    one, other = span(shorter), span(longer)
    assert one is not None
    assert other is not None
    assert one.never_longer_than(other) is holds


def test_a_call_belongs_to_the_tenant_of_its_domain_then_of_its_number() -> None:
    tenants = (
        Tenant(name="acme", domains=("acme.example",), dialled=("+4930901820*",), region="DE"),
        Tenant(name="other", domains=("other.example",), dialled=("10*",)),
        Tenant(name="default", region="GB"),
    )
    assert tenant_of(tenants, "other.example", "030901820").name == "other"
    assert tenant_of(tenants, "OTHER.example", "").name == "other"
    assert tenant_of(tenants, "", "030901820 5").name == "acme"
    assert tenant_of(tenants, "unknown.example", "1001").name == "other"
    assert tenant_of(tenants, "", "2000") == tenants[2]
    assert tenant_of((), "", "2000") == Tenant(name="default")


# -- from files ---------------------------------------------------------------------------------------


def write_wav(path: Path, samples: int = 800, width: int = 2) -> Path:
    with wave.open(str(path), "wb") as sound:
        sound.setparams((1, width, 8_000, 0, "NONE", ""))
        sound.writeframes(b"\1" * samples * width)
    return path


def write_policy(folder: Path, vault: str = "", timezone: str = "Europe/Berlin") -> Path:
    path = folder / "policy.toml"
    path.write_text(f"""
        version = "1"
        timezone = "{timezone}"
        include = ["law:de"]
        [purpose.p]
        basis = "contract"
        retain_max = "1 year"
        [prompt.hello]
        file = "sounds/hello.wav"
        [[rule]]
        name = "all"
        consent = "notice"
        ask = {{ prompt = "hello" }}
        purposes = ["p"]
        {vault}
    """)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "sounds").mkdir()
    write_wav(tmp_path / "sounds/hello.wav")
    return tmp_path


def test_a_policy_is_loaded_with_the_prompts_beside_it(folder: Path) -> None:
    policy = config.load_policy(write_policy(folder))
    wav = folder / "sounds/hello.wav"
    facts = policy.prompts["hello"].facts
    assert (facts.file, facts.samples, facts.rate) == (str(wav), 800, 8_000)
    assert facts.sha256 == hashlib.sha256(wav.read_bytes()).hexdigest()
    assert policy.sha256 == hashlib.sha256(policy.text.encode()).hexdigest()
    assert policy.laws["law:de"].floors["DE"].value == "opt_in"


def test_every_law_pack_that_ships_can_be_included() -> None:
    assert set(config.law_packs()) >= {"law:de", "law:uk"}
    for name in config.law_packs():
        text = f'version = "1"\ntimezone = "UTC"\ndefault = "never"\ninclude = ["{name}"]\n'
        if not laws.read_pack(name, config.law_packs()[name]).only_kinds:
            assert set(parse(text, packs=config.law_packs()).laws) == {name}


def damaged(folder: Path, how: str) -> None:
    wav = folder / "sounds/hello.wav"
    match how:
        case "gone":
            wav.unlink()
        case "text":
            wav.write_text("hello")
        case "empty":
            wav.write_bytes(b"")
        case "header only":
            write_wav(wav, 0)
        case "8 bit":
            write_wav(wav, 800, 1)
        case "cut":
            wav.write_bytes(wav.read_bytes()[:-100])


@pytest.mark.parametrize(
    ("how", "fault"),
    [
        ("gone", "the prompt cannot be read"),
        ("text", "the prompt is no WAV file"),
        ("empty", "the prompt is no WAV file"),
        ("header only", "the prompt holds no sound to play"),
        ("8 bit", "the prompt holds no sound to play"),
        ("cut", "the prompt"),
    ],
)
def test_a_prompt_that_cannot_be_played_is_refused(folder: Path, how: str, fault: str) -> None:
    damaged(folder, how)
    with pytest.raises(BadConfiguration) as caught:
        config.load_policy(write_policy(folder))
    assert caught.value.detail.startswith(f"prompt.hello.file: {fault}")


TWO = {"a": "", "b": "DE"}


@pytest.mark.parametrize(
    ("vault", "timezone", "vaults", "fault"),
    [
        ('vault = "eu"', "UTC", {"eu2": ""}, "rule[1].vault: there is no [vault.eu] (did you mean eu2?)"),
        (
            "",
            "UTC",
            {"a": "", "b": ""},
            "rule[1].vault: is missing, there is not just one vault (one of a, b)",
        ),
        ("", "UTC", {}, "rule[1].vault: is missing, there is not just one vault (configure a vault)"),
        ("", "Area/51", {"a": ""}, "timezone: Area/51 is not known here (Area/City as in Europe/Berlin)"),
    ],
)
def test_a_policy_must_fit_its_place(
    folder: Path, vault: str, timezone: str, vaults: dict[str, str], fault: str
) -> None:
    with pytest.raises(BadConfiguration) as caught:
        config.load_policy(write_policy(folder, vault, timezone), vaults)
    assert caught.value.detail == fault


@pytest.mark.parametrize(
    ("region", "fault"),
    [
        ("CN", ""),
        ("DE", "vault.eu.region: is CN, by the configuration DE ([vault.eu] region of the configuration)"),
        (
            "",
            "vault.eu.region: is CN, by the configuration nobody says where it is ([vault.eu] region of the",
        ),
    ],
)
def test_a_vault_must_be_where_the_policy_says(folder: Path, region: str, fault: str) -> None:
    path = write_policy(folder, 'vault = "eu"')
    path.write_text(path.read_text() + '[vault.eu]\nregion = "CN"\n')
    if not fault:
        assert config.load_policy(path, {"eu": region}).bounds.regions == {"eu": "CN"}
        return
    with pytest.raises(BadConfiguration) as caught:
        config.load_policy(path, {"eu": region})
    assert caught.value.detail.startswith(fault)


def test_one_vault_need_not_be_named(folder: Path) -> None:
    assert config.load_policy(write_policy(folder), {"main": ""}).rules[0].vault == ""


def test_a_policy_that_is_not_there_is_told() -> None:
    with pytest.raises(BadConfiguration, match="cannot be read"):
        config.load_policy(Path("/nowhere/policy.toml"))
