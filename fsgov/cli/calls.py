"""`fsgov calls`: what became of each call, and acts on live ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from fsgov.cli import completing, output
from fsgov.cli.frame import Frame, Group, Moment, a_call, pass_frame
from fsgov.errors import BadUsage, Unreachable

if TYPE_CHECKING:
    from fsgov.catalog.rows import WholeCall


IN_LOG = {
    True: "its inputs are those that the log tells",
    None: "the log has no line yet that tells its inputs",
}


@click.group(cls=Group, example="fsgov calls list --outcome failed")
def calls() -> None:
    """What became of each call, recorded or not; and acts on live ones."""


@calls.command("list", example="fsgov calls list --outcome refused --since 2026-11-01")
@click.option("--since", type=Moment(), help="Opened at or after: 2026-11-21 or 2026-11-21T16:00Z (UTC).")
@click.option("--until", type=Moment(), help="Opened before.")
@click.option("--outcome", help="For instance recorded, refused, failed.", shell_complete=completing.outcomes)
@click.option("--rule", help="Decided by the rule of this name.")
@click.option("--tag", help="With this tag.")
@click.option("--number", help="With this party: E.164, or as the switch gave it.")
@click.option("--hold", help="That this hold has reached.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True)
@pass_frame
def list_(frame: Frame, /, **wanted: Any) -> None:
    """The newest calls first."""
    since, until = wanted["since"], wanted["until"]
    if since and until and since >= until:
        raise BadUsage("--since is not before --until", f"{since.isoformat()}, {until.isoformat()}")
    with frame.desk() as desk:
        found = desk.calls(**wanted)
    frame.rows(
        found,
        {
            "opened": lambda row: row.opened_at,
            "call": lambda row: row.call,
            "direction": lambda row: row.direction,
            "rule": lambda row: row.rule,
            "outcome": lambda row: outcome(row.outcome, row.outcome_cause),
            "segments": lambda row: (
                f"{len(row.segments)}" + (f" ({len(row.missing)} not entered)" * bool(row.missing))
            ),
            "held": lambda row: row.held,
        },
        "no such calls",
    )


def outcome(name: str | None, cause: str) -> str:
    """`failed:media`, `recorded`; a call that is not over has none yet."""
    return "(not over)" if name is None else f"{name}:{cause}" if cause else name


@calls.command(example="fsgov calls show 0f6c2d1e-aaaa-4bbb-8ccc-0123456789ab")
@click.argument("call")
@pass_frame
def show(frame: Frame, call: str) -> None:
    """Everything about one call; numbers only where this login may see them."""
    with frame.desk() as desk:
        whole = desk.call(a_call(call))
        evidence = desk.evidence(call)
    if frame.json:
        output.print_json({**output.plain(whole), "evidence": evidence})
        return
    row = whole.call
    output.print_facts(
        {
            "call": row.call,
            "tenant": row.tenant,
            "host": row.host,
            "direction": row.direction,
            "opened": row.opened_at,
            "answered": row.answered_at,
            "ended": row.ended_at,
            "outcome": outcome(row.outcome, row.outcome_cause),
            "rule": row.rule,
            "policy": f"{row.policy_version} ({(row.policy_sha256 or '')[:16]})",
            "merged into": row.merged_into,
            "parted from": row.parted_from,
            "held": row.held,
            "not entered": row.missing,
        }
    )
    _parts(whole)


def _parts(whole: WholeCall) -> None:
    for title, rows, names in (
        ("legs", whole.legs, ("name", "leg", "direction", "party", "answered_at", "ended_at", "cause")),
        ("parties", whole.parties or [], ("party", "side", "number", "e164", "country", "facts")),
        ("consents", whole.consents, ("party", "purpose", "state", "method", "at", "consent")),
        (
            "recordings",
            whole.segments,
            ("segment", "state", "ms", "parties", "purposes", "mask_proof", "quarantine"),
        ),
        ("pauses", whole.masks, ("segment", "by", "from_ms", "to_ms", "acknowledged_at", "actor")),
        ("tags", whole.tags, ("tag", "actor", "at")),
    ):
        if rows:
            click.echo(f"\n{title}")
            columns = {name.replace("_", " "): _reader(name) for name in names}
            output.print_rows(list(rows), columns)
    if whole.parties is None:
        click.echo("\nnumbers: not for this login")


def _reader(name: str) -> Any:
    return lambda row: getattr(row, name)


@calls.command(example="fsgov calls explain 0f6c2d1e-aaaa-4bbb-8ccc-0123456789ab --replay")
@click.argument("call")
@click.option(
    "--replay",
    is_flag=True,
    help="Only decide again, and compare byte for byte, the inputs with the log; 8 where one differs.",
)
@pass_frame
def explain(frame: Frame, call: str, replay: bool) -> None:
    """Why a call was decided as it was, from the stored inputs and the stored policy."""
    from fsgov.cli import replaying

    with frame.desk() as desk:
        told = replaying.explained(desk, a_call(call))
    if replay:
        told.compare()
        facts = {"call": call, "policy": told.sha256, "identical": True, "bytes": len(told.stored)}
        frame.said(
            f"the same decision, byte for byte ({len(told.stored)} bytes); {IN_LOG[told.in_log]}",
            {**facts, "inputs_in_log": told.in_log},
        )
    elif frame.json:
        traces = [trace.to_json() for _, trace in told.traces]
        output.print_json({"decisions": traces, "identical": told.identical})
    else:
        if len(told.traces) > 1:
            output.print_line(f"decided {len(told.traces)} times; the strictest is in force")
        for inputs, trace in told.traces:
            for line in trace.text(inputs).splitlines():
                output.print_line(line)
        if not told.identical:
            output.print_line("another decision is stored: --replay says what differs")


# -- live acts -------------------------------------------------------------------------------------------


def _act(frame: Frame, call: str, act: str, body: dict[str, Any] | None = None) -> None:
    from fsgov.cli import live

    path = frame.settings.control.socket
    status, said = live.ask(path, "POST", f"/v1/calls/{a_call(call)}/{act}", body)
    facts = {"call": call, "act": act, "acknowledged": status == 200, "reason": said.get("reason", "")}
    if status == 200:
        frame.said(f"{act} {call}: acknowledged", facts)
        return
    if frame.json:
        output.print_json(facts)
    raise Unreachable(
        "Sent, but the switch has not acknowledged it yet", facts["reason"], f"fsgov calls show {call}"
    )


@calls.command(example="fsgov calls start 0f6c2d1e-aaaa-4bbb-8ccc-0123456789ab")
@click.argument("call")
@pass_frame
def start(frame: Frame, call: str) -> None:
    """Start recording a live call whose rule records on demand."""
    _act(frame, call, "start")


@calls.command(example="fsgov calls stop 0f6c2d1e-aaaa-4bbb-8ccc-0123456789ab")
@click.argument("call")
@pass_frame
def stop(frame: Frame, call: str) -> None:
    """Stop recording a live call; what was captured is kept."""
    _act(frame, call, "stop")


@calls.command(example="fsgov calls pause 0f6c2d1e-aaaa-4bbb-8ccc-0123456789ab")
@click.argument("call")
@pass_frame
def pause(frame: Frame, call: str) -> None:
    """Pause the recording of a live call, by mask or cut as its rule says; 4 while not acknowledged."""
    _act(frame, call, "pause")


@calls.command(example="fsgov calls resume 0f6c2d1e-aaaa-4bbb-8ccc-0123456789ab")
@click.argument("call")
@pass_frame
def resume(frame: Frame, call: str) -> None:
    """Resume a paused recording."""
    _act(frame, call, "resume")


@calls.command(example="fsgov calls tag 0f6c2d1e-aaaa-4bbb-8ccc-0123456789ab complaint")
@click.argument("call")
@click.argument("tag")
@pass_frame
def tag(frame: Frame, call: str, tag: str) -> None:
    """Put a tag on a live call: 1 to 64 printable characters."""
    _act(frame, call, "tag", {"tag": tag})


@calls.command(example="fsgov calls consent 0f6c2d1e-aaaa-4bbb-8ccc-0123456789ab refused --party 1")
@click.argument("call")
@click.argument("said", type=click.Choice(("given", "refused", "withdrawn")))
@click.option("--party", type=click.IntRange(1, 9999), help="Its number in the call; else the one outside.")
@click.option("--purpose", default="", help="Of the call's rule; else what its consent mode rests on.")
@pass_frame
def consent(frame: Frame, call: str, said: str, party: int | None, purpose: str) -> None:
    """Say what a party of a live call has said: kept with your id as its evidence.

    A yes counts where the rule lets somebody else say it, a no always: capture stops at once.
    """
    _act(frame, call, "consent", {"said": said, "party": party or 0, "purpose": purpose})
