"""The CRM's HTTP service, a real one that misbehaves: an answer in time, or a reason in time."""

from __future__ import annotations

import ssl
import time
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fsgov.parties.breaker import FIRST_PAUSE, LAST_PAUSE, TRIP
from fsgov.parties.service import CONNECTIONS
from tests.parts.asker import Asker
from tests.parts.crm import MANNERS, Crm
from tests.parts.tls import self_signed

NUMBER, OTHER, NOBODY = "+493012345", "+493012346", "+493099999"
ROW = {
    "facts": {"segment": "retail", "vip": True, "secret": "x"},
    "consents": {"training": True, "analytics": False, "odd": "perhaps"},
    "evidence": "row-7",
}
TOKEN = "a-token-that-nobody-shall-read"


@pytest.fixture(scope="module")
def child(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asker]:
    made = Asker(tmp_path_factory.mktemp("asker") / "log")
    yield made
    made.close()


@pytest.fixture
def crm() -> Iterator[Crm]:
    with Crm({NUMBER: ROW, OTHER: {"facts": {}}}) as made:
        yield made


@pytest.fixture
def asker(child: Asker, crm: Crm, tmp_path: Path) -> Asker:
    child.make(crm.url, tmp_path)
    return child


def test_facts_that_the_policy_names_and_answers_that_are_answers(asker: Asker) -> None:
    found = asker.ask(NUMBER)
    assert found["kind"] == "PartyFound"
    assert found["facts"] == {"segment": "retail", "vip": "true"}
    assert found["consents"] == {"training": True, "analytics": False}
    assert (found["evidence"], found["remembered"]) == ("row-7", "")
    assert asker.ask(OTHER)["facts"] == {}
    unknown = asker.ask(NOBODY)
    assert (unknown["kind"], unknown["reason"], unknown["unasked"]) == ("PartyUnknown", "no row", False)


def test_what_goes_out(asker: Asker, crm: Crm) -> None:
    """Tenant and number in the body: nothing of them in what access logs keep."""
    asker.ask(NUMBER, tenant="acme")
    (asked,) = crm.asked
    assert asked.line == "POST /v1/party HTTP/1.1"
    assert asked.body == {"tenant": "acme", "number": NUMBER}
    assert "authorization" not in asked.headers
    assert "12345" not in str((asked.line, asked.headers))


def test_a_connection_is_kept_and_one_that_was_closed_is_made_anew(asker: Asker, crm: Crm) -> None:
    for _ in range(3):
        asker.ask(NUMBER)
        asker.ask(NOBODY)
    assert crm.connections == 1
    crm.hang_up()
    assert asker.ask(NUMBER)["kind"] == "PartyFound"
    crm.manner = "once"
    assert {asker.ask(NUMBER)["kind"] for _ in range(4)} == {"PartyFound"}


def test_more_questions_than_connections_are_all_answered(asker: Asker, crm: Crm) -> None:
    found = asker.all(*[NUMBER] * 30)
    assert {each["kind"] for each in found} == {"PartyFound"}
    assert len(found) == 30
    assert crm.connections <= CONNECTIONS


@pytest.mark.parametrize(
    ("login", "header"),
    [
        ({"token": TOKEN}, f"Bearer {TOKEN}"),
        ({"user": "fsgov", "password": "pä:ss"}, "Basic " + b64encode("fsgov:pä:ss".encode()).decode()),
    ],
)
def test_credentials_are_sent_and_never_logged(
    child: Asker, crm: Crm, tmp_path: Path, login: dict[str, str], header: str
) -> None:
    child.make(crm.url, tmp_path, **login)
    child.ask(NUMBER)
    assert crm.asked[-1].headers["authorization"] == header
    for crm.manner in ("401", "reset", "garbage", "redirect:/elsewhere"):
        child.ask(NUMBER)
    said = child.log.read_text()
    assert "party.lookup.failed" in said
    for secret in (TOKEN, "pä:ss", header.partition(" ")[2], NUMBER[1:]):
        assert secret not in said


# -- what is no answer -----------------------------------------------------------------------------------

REASONS = {
    **dict.fromkeys(MANNERS, "unreadable"),
    "500": "refused",
    "401": "refused",
    "redirect:/elsewhere": "refused",
    "garbage": "unreadable",
    "reset": "unreachable",
    "cut": "unreachable",
}


@pytest.mark.parametrize("manner", sorted(REASONS))
def test_what_is_no_answer_is_a_reason_and_the_next_one_is_answered(
    asker: Asker, crm: Crm, manner: str
) -> None:
    crm.manner = manner
    told = asker.ask(NUMBER)
    assert (told["kind"], told["unasked"], told["reason"]) == ("PartyUnknown", True, REASONS[manner])
    crm.manner = ""
    assert asker.ask(NUMBER)["kind"] == "PartyFound"


@pytest.mark.parametrize("manner", ["hang", "drip", "endless", "silent"])
def test_whatever_takes_too_long_ends_at_the_deadline(
    child: Asker, crm: Crm, tmp_path: Path, manner: str
) -> None:
    """Also where no single wait does, and where questions wait for a connection."""
    child.make(crm.url, tmp_path, deadline=0.3)
    crm.manner = manner
    begun = time.monotonic()
    found = child.all(*[NUMBER] * (2 * CONNECTIONS))
    took = time.monotonic() - begun
    assert [each["reason"] for each in found] == ["deadline"] * (2 * CONNECTIONS)
    assert took < 1.8  # dripped to its end, one answer takes twenty seconds
    assert child.do("counts")["turns"] > 5  # others were served meanwhile
    crm.manner = ""
    child.do("age", seconds=FIRST_PAUSE)
    assert child.ask(NUMBER)["kind"] == "PartyFound"


def test_a_redirect_is_not_followed_anywhere(asker: Asker, crm: Crm) -> None:
    with Crm({NUMBER: ROW}) as elsewhere:
        for url in (elsewhere.url, crm.url + "/other"):
            crm.manner = f"redirect:{url}"
            assert asker.ask(NUMBER)["reason"] == "refused"
        assert (elsewhere.connections, len(crm.asked)) == (0, 2)


def test_a_crm_that_is_not_there(child: Asker, crm: Crm, tmp_path: Path) -> None:
    crm.close()
    child.make(crm.url, tmp_path)
    assert child.ask(NUMBER)["reason"] == "unreachable"
    child.make("http://no-such-host.invalid/", tmp_path)
    assert child.ask(NUMBER)["reason"] in ("unreachable", "deadline")


def test_tls_believes_the_named_ca_and_no_other(child: Asker, tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path, "the CRM of the tests")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    cache = tmp_path / "cache"
    cache.mkdir()
    with Crm({NUMBER: ROW}, tls=tls) as crm:
        child.make(crm.url, cache, token=TOKEN)
        assert child.ask(NUMBER)["reason"] == "unreachable"
        child.make(crm.url.replace("127.0.0.1", "localhost"), cache, token=TOKEN, ca=str(certificate))
        assert child.ask(NUMBER)["reason"] == "unreachable"  # its certificate names another host
        assert crm.asked == []  # nor has anybody seen the token
        child.make(crm.url, cache, ca=str(certificate))
        assert child.ask(NUMBER)["kind"] == "PartyFound"


# -- while it is down ------------------------------------------------------------------------------------


def counts(asker: Asker) -> Any:
    return asker.do("counts")


def test_a_crm_that_is_down_is_asked_but_now_and_then(asker: Asker, crm: Crm) -> None:
    crm.manner = "500"
    for _ in range(TRIP):
        assert counts(asker)["troubles"] == {}
        assert asker.ask(NUMBER)["reason"] == "refused"
    assert "does not answer" in counts(asker)["troubles"]["crm"]
    assert {asker.ask(number)["reason"] for number in (NUMBER, OTHER, NOBODY)} == {"held"}
    assert len(crm.asked) == TRIP
    pause = FIRST_PAUSE
    for n in range(1, 7):
        asker.do("age", seconds=pause - 0.01)
        assert asker.ask(NUMBER)["reason"] == "held"
        asker.do("age", seconds=0.01)
        reasons = sorted(each["reason"] for each in asker.all(*[NUMBER] * 5))
        assert reasons == ["held"] * 4 + ["refused"]
        assert len(crm.asked) == TRIP + n
        pause = min(2 * pause, LAST_PAUSE)
    told = counts(asker)
    assert told["results"]["refused"] == told["asked"] == len(crm.asked)


@pytest.mark.parametrize("number", [NUMBER, NOBODY])
def test_the_first_answer_lets_everybody_be_asked_again(asker: Asker, crm: Crm, number: str) -> None:
    """That nobody has the number is an answer too."""
    crm.manner = "500"
    for _ in range(TRIP):
        asker.ask(NUMBER)
    crm.manner = ""
    asker.do("age", seconds=FIRST_PAUSE)
    asker.ask(number)
    assert counts(asker)["troubles"] == {}
    assert {each["kind"] for each in asker.all(*[NUMBER] * 5)} == {"PartyFound"}


def test_failures_with_answers_between_them_hold_nothing_back(asker: Asker, crm: Crm) -> None:
    crm.manners[OTHER] = "500"
    for _ in range(2 * TRIP):
        assert [asker.ask(number)["kind"] for number in (OTHER, NUMBER)] == ["PartyUnknown", "PartyFound"]
    assert counts(asker)["troubles"] == {}


def test_what_it_said_in_the_last_day_stands_in(asker: Asker, crm: Crm) -> None:
    """Facts and refusals. A yes may have been taken back since: it is asked for, or it is none."""
    asker.ask(NUMBER)
    asker.do("settle")
    for crm.manner in ("500", "reset", "page"):
        told = asker.ask(NUMBER)
        assert (told["kind"], told["remembered"]) == ("PartyFound", REASONS[crm.manner])
        assert told["facts"] == {"segment": "retail", "vip": "true"}
        assert told["consents"] == {"analytics": False}
    assert asker.ask(OTHER)["kind"] == "PartyUnknown"
    for _ in range(TRIP):
        asker.ask(OTHER)
    assert asker.ask(NUMBER)["remembered"] == "held"
    assert counts(asker)["remembered"] == 4


def test_an_answer_counts_and_not_what_it_said_yesterday(asker: Asker, crm: Crm) -> None:
    asker.ask(NUMBER)
    asker.do("settle")
    del crm.rows[NUMBER]
    assert asker.ask(NUMBER)["reason"] == "no row"
    asker.do("settle")
    crm.manner = "500"
    told = asker.ask(NUMBER)
    assert (told["kind"], told["unasked"]) == ("PartyUnknown", True)  # nor is it remembered any more


def test_what_another_policy_did_not_ask_for_is_not_known(asker: Asker, crm: Crm) -> None:
    """A fact that was not kept is not one that the CRM has denied."""
    asker.ask(NUMBER)
    asker.do("settle")
    crm.manner = "500"
    asker.do("facts", names=["segment", "protected"])
    assert asker.ask(NUMBER)["kind"] == "PartyUnknown"
    asker.do("facts", names=["segment"])
    assert asker.ask(NUMBER)["facts"] == {"segment": "retail"}
