"""`fsgov retention`: for how long, and why; and another policy's periods for what is there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from fsgov.cli import completing, output
from fsgov.cli.frame import Frame, Group, a_call, pass_frame
from fsgov.cli.inforce import YES, acting, in_force
from fsgov.errors import BadUsage, Conflict, NotFound

if TYPE_CHECKING:
    from fsgov.catalog.retaining import Retaining
    from fsgov.retention import Comparison, Disposition, Facts
    from fsgov.retention import Group as Amount


@contextmanager
def retaining(frame: Frame) -> Iterator[Retaining]:
    """What retention is judged from, as far as this person sees it."""
    from fsgov.catalog.retaining import Retaining

    with frame.desk():  # a person, not a service
        pass
    with frame.database() as dsn, closing(Retaining(dsn)) as found:
        yield found


def now() -> int:
    return int(datetime.now(UTC).timestamp() * 1_000_000)


# -- looking -----------------------------------------------------------------------------------------------


@click.group(cls=Group, example="fsgov retention list --overdue")
def retention() -> None:
    """How long each recording is kept, and why; and another policy's periods for those that are there."""


@retention.command(
    "list",
    example="fsgov retention list --overdue\nfsgov retention list 0f6c2d1e-aaaa-4bbb-8ccc-0123456789ab-01",
)
@click.argument("segments", nargs=-1)
@click.option("--verdict", type=click.Choice(("keep", "hold", "destroy")), help="Only those.")
@click.option(
    "--overdue", is_flag=True, help="Only what is past its time by more than retention.overdue_after."
)
@click.option("--unjudged", is_flag=True, help="Only what nobody can say a period of.")
@click.option("--limit", type=click.IntRange(1, 1_000_000), default=50, show_default=True)
@pass_frame
def list_(
    frame: Frame, segments: tuple[str, ...], verdict: str | None, overdue: bool, unjudged: bool, limit: int
) -> None:
    """What is to become of each recording, when, and why; and how many there are of each kind.

    All that is not destroyed is judged, now, by the policy it was captured under, or by the one whose periods
    two persons let count instead. With SEGMENT… these only.
    """
    from fsgov.retention import Verdict, tally

    wanted = [a_call(segment) for segment in segments]
    missing = set(wanted)
    shown: list[dict[str, Any]] = []

    def noting(rows: Iterator[tuple[Facts, Disposition]]) -> Iterator[tuple[Facts, Disposition]]:
        for facts, found in rows:
            missing.discard(facts.segment)
            late = found.overdue and found.verdict is Verdict.DESTROY and not facts.planned
            if (
                len(shown) < limit
                and verdict in (None, found.verdict.value)
                and (late or not overdue)
                and (found.unjudged or not unjudged)
            ):
                shown.append(_row(facts, found))
            yield facts, found

    with retaining(frame) as catalog:
        grace = frame.settings.retention.overdue_after
        with catalog.judged(now(), grace=grace, segments=wanted or None) as rows:
            totals = tally(noting(rows))
    if missing:
        raise NotFound("There is no audio of this recording", min(missing), "fsgov recordings list")
    counts = {found.value: group for found, group in totals.verdicts.items()}
    counts |= {"overdue": totals.overdue, "unjudged": totals.unjudged}
    if frame.json:
        output.print_json({"totals": counts, "recordings": shown})
        return
    if shown:
        columns = ("segment", "verdict", "live", "keep_until", "destroy_after", "reasons")
        output.print_rows(shown, {name.replace("_", " "): _reader(name) for name in columns})
        click.echo()
    output.print_facts({name: _amount(group) for name, group in counts.items()})


def _row(facts: Facts, found: Disposition) -> dict[str, Any]:
    return {
        "segment": facts.segment,
        "call": facts.call,
        "verdict": found.verdict.value,
        "live": sorted(found.live),
        "keep_until": _moment(found.keep_until),
        "destroy_after": _moment(found.destroy_after),
        "overdue": found.overdue,
        "reasons": [str(reason) for reason in found.reasons],
        "policy_sha256": facts.policy_sha256,
    }


def _reader(name: str) -> Any:
    return lambda row: row[name]


def _moment(at: int | None) -> datetime | None:
    return None if at is None else datetime.fromtimestamp(at // 1_000_000, UTC)


def _amount(group: Amount) -> str:
    return f"{group.recordings} recordings, {group.size / 1e9:.3f} GB"


@retention.command(example="fsgov retention history")
@pass_frame
def history(frame: Frame) -> None:
    """Every time that another policy's periods were proposed or came to count, the newest first."""
    with retaining(frame) as catalog:
        rows = catalog.history()
    frame.rows(
        rows,
        {
            "n": lambda row: row.n,
            "to": lambda row: row.to_sha256[:16],
            "from": lambda row: [each[:16] for each in row.from_sha256],
            "state": lambda row: row.state,
            "reason": lambda row: row.reason,
            "proposed by": lambda row: row.proposed_by,
            "approved by": lambda row: row.approved_by,
            "since": lambda row: row.applied_at,
        },
        "every recording is judged by the policy it was captured under",
    )


# -- another policy's periods --------------------------------------------------------------------------------

FROM = click.option(
    "--from",
    "captured",
    multiple=True,
    metavar="VERSION",
    help="Only recordings captured under this policy; may be repeated. Else all others.",
    shell_complete=completing.policies,
)


@retention.command(example="fsgov retention diff 2026-11-21")
@click.argument("version")
@FROM
@pass_frame
def diff(frame: Frame, version: str, captured: tuple[str, ...]) -> None:
    """What would become of recordings that are there, if this policy's periods counted for them.

    VERSION is a version or the beginning of a digest of the catalog, or in-force.
    """
    with retaining(frame) as catalog:
        to, from_ = _meant(frame, catalog, version, captured)
        _tell(frame, _compared(catalog, from_, to), from_, to)


@retention.command(
    example='fsgov retention propose 2026-11-21 --reason "shorter, since the audit of October"'
)
@click.argument("version")
@FROM
@click.option("--reason", required=True, help="Why; kept with the proposal, not in the log.")
@YES
@pass_frame
def propose(frame: Frame, version: str, captured: tuple[str, ...], reason: str, yes: bool) -> None:
    """Let this policy's periods count for recordings that are there; what changes is shown first.

    It waits for somebody else's `retention approve`. Refused where the policy lacks a purpose that they
    serve. For the role privacy, of every tenant.
    """
    with retaining(frame) as catalog:
        to, from_ = _meant(frame, catalog, version, captured)
        found = _compared(catalog, from_, to)
        _tell(frame, found, from_, to, on_error=True)
        if found.unjudged.recordings:
            raise Conflict(
                "This policy lacks a purpose that these recordings serve",
                f"{found.unjudged.recordings} recordings",
                "give it that purpose, or leave the policy they were captured under out: --from",
            )
        if not yes:
            click.confirm(f"Propose that the periods of {to[:16]} count for them?", abort=True, err=True)
        n = catalog.propose(from_, to, reason)
    facts = {"move": n, "from": from_, "to": to, "state": "proposed"}
    frame.said(f"{n} waits for somebody else: fsgov retention approve {n}", facts)


@retention.command(example="fsgov retention approve 3")
@click.argument("move", type=click.IntRange(1))
@YES
@pass_frame
def approve(frame: Frame, move: int, yes: bool) -> None:
    """Let another policy's periods count, as somebody else has proposed; what changes is shown first.

    MOVE is its number in `retention history`. For the roles privacy and supervisor, of every tenant; never
    for the login that proposed it.
    """
    with retaining(frame) as catalog:
        asked = next((row for row in catalog.history() if row.n == move and row.state == "proposed"), None)
        if asked is None:
            raise NotFound("No such proposal waits for approval", str(move), "fsgov retention history")
        found = _compared(catalog, asked.from_sha256, asked.to_sha256)
        _tell(frame, found, asked.from_sha256, asked.to_sha256, on_error=True)
        if not yes:
            click.confirm(f"Let this count, as {asked.proposed_by} proposed it?", abort=True, err=True)
        catalog.approve(move)
    facts = {"move": move, "from": asked.from_sha256, "to": asked.to_sha256, "state": "applied"}
    frame.said(f"{asked.to_sha256[:16]} counts for these recordings", facts)


def _meant(frame: Frame, catalog: Retaining, version: str, captured: Sequence[str]) -> tuple[str, list[str]]:
    """Digests of the policy whose periods are to count, and of those it is to count for."""
    with acting(frame) as person:

        def digest(name: str) -> str:
            if name != completing.IN_FORCE:
                return person.stored(name)[0]
            now = in_force(person.history())
            if now is None:
                raise NotFound("No policy was activated", "each host has its own policy.file in force", "")
            return now.sha256

        to = digest(version)
        from_ = sorted({digest(name) for name in captured})
    if not from_:
        from_ = [sha256 for sha256 in catalog.captured_under() if sha256 != to]
    if not from_:
        raise Conflict("No recording was captured under another policy", to[:16], "fsgov policy history")
    return to, from_


def _compared(catalog: Retaining, from_: Sequence[str], to: str) -> Comparison:
    from fsgov.retention import compare, judge

    at = now()
    with catalog.facts(policies=from_) as (known, rows):
        new = known.named(to)
        if new is None:
            raise BadUsage("This version of fsgov cannot read that policy", to[:16], "fsgov policy check")
        return compare(
            (
                facts,
                judge(facts, known.counting_for(facts.policy_sha256), holds, at),
                judge(facts, new, holds, at),
            )
            for facts, holds in rows
        )


def _tell(frame: Frame, found: Comparison, from_: Sequence[str], to: str, *, on_error: bool = False) -> None:
    changes = {
        f"{before.value} -> {after.value}": group
        for (before, after), group in sorted(found.verdicts.items(), key=lambda each: str(each[0]))
    }
    whole = {**changes, "shorter": found.shorter, "longer": found.longer, "unjudged": found.unjudged}
    if on_error:
        for name, group in whole.items():
            click.echo(f"{name}: {_amount(group)}", err=True)
    elif frame.json:
        output.print_json({"from": list(from_), "to": to, **whole})
    else:
        output.print_facts({name: _amount(group) for name, group in whole.items()})
