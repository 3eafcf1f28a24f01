"""The process around a command: its exit code, and what it says when something is wrong."""

from __future__ import annotations

import os
import sys
import traceback
from datetime import UTC, datetime
from pathlib import Path

import click

from fsgov import errors
from fsgov.cli import output
from fsgov.cli.root import fsgov
from fsgov.errors import FsgovError

DEBUG = "FSGOV_DEBUG"
UNEXPECTED = 1
BAD_USAGE = 2
INTERRUPTED = 130

HINTS: dict[type[FsgovError], str] = {
    errors.BadUsage: "--help has an example",
    errors.BadConfiguration: "fsgov check looks at all of it",
    errors.Unreachable: "fsgov status says which part answers; the same command may work later",
    errors.NotPermitted: "fsgov check says who you are and in which roles",
    errors.NotFound: "fsgov calls list and recordings list show what is there",
    errors.Conflict: "see its state first: fsgov calls show, recordings show",
    errors.Damaged: "keep it as it is, and compare it with another copy",
}
"""What to do next where whoever raised the failure did not say it."""


def main() -> None:
    """Run the command that sys.argv names, and exit with the code that docs/cli.md promises."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    sys.exit(run())


def run() -> int:
    """The exit code; every failure has been told on standard error, without a traceback."""
    try:
        code = fsgov.main(prog_name="fsgov", standalone_mode=False)
        sys.stdout.flush()
    except FsgovError as fault:
        _debug()
        tell(fault.message, fault.detail, fault.hint or HINTS.get(type(fault), ""))
        return fault.exit_code
    except click.exceptions.NoArgsIsHelpError as fault:  # a group alone: its help is the answer
        click.echo(fault.ctx.get_help() if fault.ctx else fault.format_message(), err=True)
        return BAD_USAGE
    except click.UsageError as fault:
        where = fault.ctx.command_path if fault.ctx else "fsgov"
        tell(fault.format_message(), "", f"{where} --help")
        return BAD_USAGE
    except click.ClickException as fault:
        tell(fault.format_message())
        return fault.exit_code
    except (click.Abort, KeyboardInterrupt):
        tell("Interrupted")
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return UNEXPECTED
    except Exception as fault:
        _debug()
        told = errors.refused_by_system(fault) if isinstance(fault, OSError) else None
        if told is not None:
            tell(told.message, told.detail, told.hint)
            return told.exit_code
        words = str(fault).strip().splitlines()
        said = f"{type(fault).__name__}: {words[0]}" if words else type(fault).__name__
        tell("This is a fault of fsgov itself", said, f"{_kept()}; {DEBUG}=1 shows it at once")
        return UNEXPECTED
    return code if isinstance(code, int) else 0


def tell(message: str, detail: str = "", hint: str = "") -> None:
    """Message, detail and hint on standard error; colours only for a terminal that wants them."""
    first, *rest = errors.in_lines(message, detail, hint)
    click.echo(click.style(first, fg="red", bold=True) if output.styled(sys.stderr) else first, err=True)
    for line in rest:
        click.echo(line, err=True)


def _debug() -> None:
    if os.environ.get(DEBUG):
        traceback.print_exc()


def _kept() -> str:
    """Where the traceback is now: a file of the user's own."""
    home = os.environ.get("XDG_STATE_HOME") or str(Path("~/.local/state").expanduser())
    path = Path(home) / "fsgov" / "error.log"
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(file, "a", encoding="utf-8") as log:
            log.write(f"{datetime.now(UTC).isoformat()} fsgov {' '.join(sys.argv[1:3])}\n")
            log.write(traceback.format_exc() + "\n")
    except OSError:
        return "the traceback could not be kept"
    return f"the traceback is in {path}"
