"""`fsgov subject`: what people ask about their own recordings, from the letter to the answer."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

import click

from fsgov.cli import output
from fsgov.cli.frame import Frame, Group, Moment, pass_frame
from fsgov.cli.spelling import numbers_of, region_of
from fsgov.errors import BadUsage

if TYPE_CHECKING:
    from fsgov.catalog.subjects import AnswerRow, RequestRow, Subjects
    from fsgov.cli.outlook import Outlook

A_REQUEST = re.compile(r"r-[a-z]{8,32}")
CRM = click.option("--crm", multiple=True, help="What the CRM calls them: VALUE, or FACT=VALUE. One or more.")
TENANT = click.option("--tenant", help="Of this tenant's calls only; else of all of yours.")
REGION = click.option("--region", help="How a number without + is read: DE, GB. Else as the tenant's.")


@click.group(cls=Group, example="fsgov subject find +493012345")
def subject() -> None:
    """What people ask about their own recordings: find them, give them out, erase them.

    WHO is a number: E.164, with 00, national, a tel: URI, or as the switch gives it. REQUEST is the id that
    `subject open` gave.
    """


@contextmanager
def subjects_of(frame: Frame) -> Iterator[tuple[Subjects, str]]:
    """The requests as this person may see them, and their DSN. Raises NotPermitted for a service's login."""
    from fsgov.catalog.desk import Desk
    from fsgov.catalog.subjects import Subjects

    with frame.database() as dsn:
        with closing(Desk(dsn)):
            pass
        with closing(Subjects(dsn)) as found:
            yield found, dsn


def a_request(text: str) -> str:
    if not A_REQUEST.fullmatch(text):
        raise BadUsage("This is no id of a request", repr(text[:40]), "fsgov subject list shows ids")
    return text


# -- what there is of somebody ---------------------------------------------------------------------------


@subject.command(example="fsgov subject find +493012345\nfsgov subject find --crm id=4711 --json")
@click.argument("who", nargs=-1)
@CRM
@TENANT
@REGION
@pass_frame
def find(
    frame: Frame, who: tuple[str, ...], crm: tuple[str, ...], tenant: str | None, region: str | None
) -> None:
    """Every record of a person, and what an erasure would do with each: nothing is changed.

    A record is a recording in which they can be heard, or the rows of a call that name them. For the roles
    supervisor, privacy and auditor. WHO may be a REQUEST, too.
    """
    from fsgov.cli.outlook import outlook

    if not who and not crm:
        raise BadUsage("Say who", "", "a number, or --crm VALUE")
    names, whose = list(crm), tenant or "*"
    by_request = len(who) == 1 and A_REQUEST.fullmatch(who[0]) is not None
    numbers = [] if by_request else numbers_of(who, region or region_of(frame.settings, tenant))
    with subjects_of(frame) as (subjects, dsn):
        if by_request:
            asked = subjects.request(who[0])
            numbers, names, whose = asked.numbers, asked.crm, asked.tenant
        found = outlook(dsn, subjects.find(whose, numbers, names))
    show_records(frame, found)


def show_records(frame: Frame, found: list[Outlook]) -> None:
    frame.rows(
        found,
        {
            "opened": lambda row: row.opened_at,
            "call": lambda row: row.call,
            "party": lambda row: row.party,
            "recording": lambda row: row.segment,
            "state": lambda row: row.state,
            "an erasure": lambda row: row.verdict,
            "reasons": lambda row: row.reasons,
            "until": lambda row: row.until,
        },
        "there is nothing of them",
    )


# -- requests --------------------------------------------------------------------------------------------


@subject.command(
    "open", example="fsgov subject open export +493012345 --received 2026-11-20 --reference 'ticket 4711'"
)
@click.argument("kind", type=click.Choice(("export", "erase")))
@click.argument("who", nargs=-1)
@CRM
@TENANT
@REGION
@click.option("--received", type=Moment(), help="When it came; else now.")
@click.option("--due", type=Moment(), help="By when they must be answered; else a month after it came.")
@click.option("--reference", default="", help="Your ticket or letter; kept in the row, never in the log.")
@pass_frame
def open_(
    frame: Frame,
    kind: str,
    who: tuple[str, ...],
    crm: tuple[str, ...],
    tenant: str | None,
    region: str | None,
    received: datetime | None,
    due: datetime | None,
    reference: str,
) -> None:
    """Somebody asks for what there is of them (export), or to have it erased (erase).

    From now on it is in `subject list`, and an alarm of keep from a week before it is due until it is done or
    answered. For the role privacy.
    """
    numbers = numbers_of(who, region or region_of(frame.settings, tenant))
    with frame.desk() as desk:
        tenants = desk.whoami().tenants
    whose = tenant or ("*" if "*" in tenants or len(tenants) != 1 else tenants[0])
    with subjects_of(frame) as (subjects, _):
        id_ = subjects.open(whose, kind, numbers, crm, reference, received, due)
        row = subjects.request(id_)
    then = "another login approves it" if kind == "erase" else "carry it out"
    frame.said(
        f"{id_}, due {output.cell(row.due_at)}; {then}: fsgov subject {kind} {id_}",
        {"id": id_, "kind": kind, "tenant": whose, "due": row.due_at},
    )


@subject.command("list", example="fsgov subject list --all")
@click.option("--all", "over", is_flag=True, help="With those that are done or refused.")
@pass_frame
def list_(frame: Frame, over: bool) -> None:
    """Requests that are not at their end, what is due first comes first. For privacy and auditor."""
    with subjects_of(frame) as (subjects, _):
        found = subjects.requests(over=over)
    frame.rows(
        found,
        {
            "id": lambda row: row.id,
            "kind": lambda row: row.kind,
            "state": lambda row: row.state,
            "tenant": lambda row: row.tenant,
            "due": lambda row: row.due_at,
            "answered": lambda row: row.answered_at,
            "records": lambda row: row.verdicts,
            "reference": lambda row: row.reference,
        },
        "no such requests",
    )


@subject.command(example="fsgov subject show r-abcdefghijkl")
@click.argument("request")
@pass_frame
def show(frame: Frame, request: str) -> None:
    """A request, and what became of each record, with reasons: what the person is to be told."""
    with subjects_of(frame) as (subjects, _):
        row, answers = subjects.request(a_request(request)), subjects.answers(request)
    if frame.json:
        output.print_json({**output.plain(row), "records": answers})
        return
    output.print_facts({name.replace("_", " "): value for name, value in output.plain(row).items()})
    if answers:
        click.echo()
        _answers(answers)


def _answers(answers: Sequence[AnswerRow]) -> None:
    output.print_rows(
        answers,
        {
            "call": lambda row: row.call,
            "party": lambda row: row.party,
            "recording": lambda row: row.segment or "(rows)",
            "verdict": lambda row: row.verdict,
            "reasons": lambda row: row.reasons,
            "until": lambda row: row.until,
        },
    )


@subject.command(example="fsgov subject answer r-abcdefghijkl --refused")
@click.argument("request")
@click.option("--refused", is_flag=True, help="They were told that it is refused, and why.")
@click.option(
    "--until", type=Moment(), help="They were told that it takes until then: two months more at most."
)
@pass_frame
def answer(frame: Frame, request: str, refused: bool, until: datetime | None) -> None:
    """The person was told: what became of each record, that it is refused, or that it takes longer.

    Its alarm ends. What waits of an erasure is erased all the same, when its hold or its period ends.
    """
    if refused and until:
        raise BadUsage("Either it is refused, or it takes longer", "", "fsgov subject answer --help")
    with subjects_of(frame) as (subjects, _):
        subjects.answer(a_request(request), refused=refused, until=until)
        row: RequestRow = subjects.request(request)
    frame.said(
        f"{request}: {row.state}, due {output.cell(row.due_at)}" + ", answered" * bool(row.answered_at),
        {"id": request, "state": row.state, "due": row.due_at, "answered": row.answered_at},
    )
