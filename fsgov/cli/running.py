"""`fsgov run` and `fsgov demo`."""

from __future__ import annotations

import os
import sys

import click

from fsgov.cli.frame import Command, Frame, pass_frame

PARTS = ("govern", "ship", "keep")


@click.command(cls=Command, example="fsgov --config /etc/fsgov/fsgov.toml run --part ship")
@click.option("--part", type=click.Choice(PARTS), help="Run this part alone; without it, all three.")
@pass_frame
def run(frame: Frame, part: str | None) -> None:
    """Run the service: govern, ship and keep, until SIGTERM.

    SIGHUP reads the policy file again. With --part, one part runs in this process: systemd units give each
    its own user and credentials that way.
    """
    from fsgov import config

    path = config.find(frame.config)
    settings = config.load(path)
    if part == "govern":
        settings.need(part)
        os.execv(sys.executable, [sys.executable, "-m", "fsgov.govern", "--config", str(path)])  # noqa: S606
    from fsgov import parts

    sys.exit(parts.run(settings, part) if part else parts.run_all(settings))


@click.command(cls=Command, example="fsgov demo")
@pass_frame
def demo(frame: Frame) -> None:
    """Play calls on a simulated switch through the real service, below .demo, and judge what came of them."""
    from fsgov.demo import main

    sys.exit(main(as_json=frame.json))
