"""`fsgov reconcile`: what does not agree, and, when told to, what is done about it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from fsgov.cli import output
from fsgov.cli.frame import Command, Frame, pass_frame
from fsgov.errors import Damaged, FsgovError
from fsgov.reconcile.compare import compare
from fsgov.reconcile.worlds import BY_NAME_ONLY, Difference, Host, Kind, VaultListing, Worlds

if TYPE_CHECKING:
    from fsgov.catalog.reconciling import Reconciling
    from fsgov.config import Settings

ALL = "all"
KINDS = (ALL, *(kind.value for kind in Kind))


class Span(click.ParamType):  # type: ignore[type-arg]
    """A length of time as the configuration writes it: 10 min, 24 h, 7 d; in microseconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, context: click.Context | None) -> int:
        from fsgov.policy.spans import duration

        found = duration(str(value))
        if found is None:
            self.fail(f"{value!r} is no duration: 10 min, 24 h, 7 d", param, context)
        return found


@dataclass(frozen=True, slots=True)
class Told:
    """A difference, what would be or was done about it, and whether it is still there."""

    difference: Difference
    done: str
    left: bool


@click.command(cls=Command, example="fsgov reconcile\nfsgov reconcile --apply orphan-file")
@click.option("--apply", "kinds", multiple=True, type=click.Choice(KINDS), help="Resolve this kind; or all.")
@click.option("--grace", type=Span(), default="1 h", show_default=True, help="What is younger is on its way.")
@click.option("--since", type=Span(), default="24 h", show_default=True, help="How far back CDR files go.")
@click.option("--gone", multiple=True, metavar="HOST", help="A host that is no more, with its spool.")
@click.option("--vault", default="", help="Where adopted audio goes whose call says nothing of it.")
@pass_frame
def reconcile(
    frame: Frame, kinds: tuple[str, ...], grace: int, since: int, gone: tuple[str, ...], vault: str
) -> None:
    """Compare switch, spool, vaults, key buckets, catalog and CDR files both ways; name each difference.

    Nothing is changed without --apply. Nothing is ever destroyed: audio without an owner is adopted,
    quarantined. --apply all leaves out foreign-recording and damaged-object, which have to be named.
    For ops of every tenant. Exit code 8 while a difference is left, else that of what did not answer.
    """
    from fsgov.catalog.reconciling import Reconciling
    from fsgov.reconcile.host import wall_clock
    from fsgov.reconcile.resolving import Resolving, resolved

    settings = frame.settings
    now = wall_clock()
    with frame.database() as dsn:
        catalog = Reconciling(dsn)
        try:
            worlds, silent = looked(settings, catalog, now - since, gone)
            found = compare(worlds, now, grace)
            resolving = Resolving(settings, catalog, worlds, vault)
            told = []
            for each in found:
                if not chosen(each.kind, kinds):
                    told.append(Told(each, f"would {each.resolution}", True))
                    continue
                done, fault = resolved(resolving, each)
                told.append(Told(each, done, fault is not None))
        finally:
            catalog.close()
    tell(frame, told, silent)


def chosen(kind: Kind, kinds: tuple[str, ...]) -> bool:
    """Whether it is to be resolved."""
    return kind.value in kinds or (ALL in kinds and kind not in BY_NAME_ONLY)


def looked(
    settings: Settings, catalog: Reconciling, since: int, gone: tuple[str, ...]
) -> tuple[Worlds, dict[str, FsgovError | None]]:
    """What there is to compare, and what could not be asked: why, or None for what is not here at all."""
    from fsgov.reconcile import host, vaults

    silent: dict[str, FsgovError | None] = {}
    here: Host | None = None
    if not settings.switch.password or not settings.spool.directory.is_dir():
        silent["host"] = None
    else:
        switch = None
        try:
            switch = host.ask(settings)
        except FsgovError as fault:
            silent["switch"] = fault
        try:
            here = host.look(settings, since, switch)
        except FsgovError as fault:
            silent["host"] = fault
    listings: list[VaultListing] = []
    for name, vault in settings.vaults.items():
        try:
            listed = vaults.listing(vault)
        except FsgovError as fault:
            silent[f"vault {name}"] = fault
            continue
        if listed.keys is None:
            silent[f"vault {name}: keys"] = None
        listings.append(listed)
    legs = [] if here is None else [session.leg for session in (*(here.live or ()), *(here.cdr or ()))]
    rows = catalog.catalog(settings.host, since, legs)
    if here is not None and here.cdr is None:
        silent["cdr"] = None
    whole = len(listings) == len(settings.vaults)
    return Worlds(rows, tuple(listings), here, frozenset(gone), whole), silent


def tell(frame: Frame, told: list[Told], silent: dict[str, FsgovError | None]) -> None:
    """Print it all. Raises Damaged where differences are left, else the first fault of what was not asked."""
    totals = Counter(each.difference.kind.value for each in told)
    left = sum(each.left for each in told)
    if frame.json:
        output.print_json(
            {
                "differences": [_plain(each) for each in told],
                "totals": dict(totals),
                "left": left,
                "not_compared": {name: str(fault or "not here") for name, fault in silent.items()},
            }
        )
    else:
        for each in told:
            found = each.difference
            since = f" since {output.cell(_moment(found.since))}" if found.since else ""
            detail = f" ({found.detail})" if found.detail else ""
            output.print_line(
                f"{found.kind.value}  {found.subject}  in {found.where}{since}{detail}: {each.done}"
            )
        for name, fault in silent.items():
            output.print_line(f"not compared: {name} ({fault or 'not here'})")
        words = ", ".join(f"{count} {kind}" for kind, count in totals.items())
        output.print_line(f"{len(told)} differences: {words}; {left} left" if told else "no differences")
    if left:
        hint = "fsgov reconcile --apply KIND resolves them; docs/operations.md has each kind"
        raise Damaged("The worlds do not agree", f"{left} differences are left", hint)
    for fault in silent.values():
        if fault is not None:
            raise fault


def _plain(told: Told) -> dict[str, Any]:
    found = told.difference
    return {
        "kind": found.kind,
        "subject": found.subject,
        "where": found.where,
        "since": _moment(found.since),
        "detail": found.detail,
        "done" if not told.left else "resolution": told.done,
        "left": told.left,
    }


def _moment(at: int | None) -> datetime | None:
    return None if at is None else datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at)
