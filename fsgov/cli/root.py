"""`fsgov`, and the groups below it."""

from __future__ import annotations

from pathlib import Path

import click

from fsgov import __version__
from fsgov.cli import (
    accessing,  # noqa: F401 - a command of report
    anchoring,
    checking,
    database,
    events,
    granting,  # noqa: F401 - two commands of subject
    holding,
    people,
    quarantining,
    reconciling,
    reporting,
    resuming,
    retaining,
    rotating,
    running,
    scrubbing,
    simulating,
    standing,
    stopping,
    subjects,
)
from fsgov.cli.frame import Frame, Group, a_path

CODES = """\b
Exit codes:
  0  done                       5  not permitted
  1  a fault of fsgov itself    6  not found
  2  wrong words                7  refused by the state of the thing
  3  wrong configuration        8  damaged: digest, signature or seal
  4  a part did not answer    130  interrupted"""


@click.group(
    cls=Group,
    example="fsgov check\nfsgov --config ./fsgov.toml calls list --json",
    epilog=CODES,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.option(
    "--config", type=a_path(), help="Configuration file; else FSGOV_CONFIG, else /etc/fsgov/fsgov.toml."
)
@click.version_option(__version__, prog_name="fsgov", message="%(prog)s %(version)s")
@click.pass_context
def fsgov(context: click.Context, config: Path | None) -> None:
    """Govern call recording on FreeSWITCH: consent, policy, sealed storage, a log that can be verified."""
    context.obj = Frame(config)


for command in (
    running.run,
    running.demo,
    checking.check,
    standing.status,
    database.db,
    people.people,
    rotating.keys,
    simulating.policy,
    stopping.stop,
    anchoring.calls,
    retaining.retention,
    holding.hold,
    resuming.purge,
    quarantining.recordings,
    subjects.subject,
    events.events,
    reconciling.reconcile,
    scrubbing.scrub,
    reporting.report,
):
    fsgov.add_command(command)
