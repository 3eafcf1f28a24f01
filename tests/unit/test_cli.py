"""The command line's frame: every command documented, exampled and cheap to start; what output may not do."""

from __future__ import annotations

import errno
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any, cast

import click
import pytest
from click.testing import CliRunner

from fsgov.cli import live, main, output
from fsgov.cli.events import _cursor
from fsgov.cli.frame import Command, Frame, Group, Moment, a_call
from fsgov.cli.root import fsgov
from fsgov.errors import BadUsage, FsgovError, Unreachable

DOCS = Path(__file__).parents[2] / "docs" / "cli.md"
EXPECTED = {
    "run", "demo", "check", "status", "db init", "db upgrade", "db status", "people add", "people list",
    "people disable", "keys generate recipient", "keys generate signing", "keys list",
    "keys rotate", "keys approve", "keys rewrap", "keys confirm", "keys undo", "keys rotations",
    "policy check",
    "policy show", "policy explain", "policy export-dialplan", "policy test", "policy diff", "policy history",
    "policy activate", "policy approve", "policy rollback",
    "recordings quarantine list", "recordings quarantine set", "recordings quarantine release",
    "hold place", "hold add", "hold list", "hold show", "hold release", "hold approve",
    "policy simulate", "stop", "calls list", "calls show",
    "calls explain", "calls start", "calls stop",
    "calls pause", "calls resume", "calls tag", "calls consent",
    "recordings list", "recordings show", "recordings export",
    "recordings attach", "recordings artefacts", "recordings detach", "recordings prove",
    "recordings copy", "recordings copies", "recordings drop", "recordings move",
    "recordings verify", "events tail", "events export", "events verify", "events schema", "reconcile",
    "report outcomes", "db restored", "scrub",
    "calls anchor", "retention list", "retention diff", "retention propose", "retention approve",
    "retention history",
    "purge schedule propose", "purge schedule approve", "purge schedule end", "purge schedule list",
    "purge plan", "purge approve", "purge stop", "purge status", "purge apply", "purge certificate",
    "purge lost", "purge settle", "purge resume",
    "subject find", "subject open", "subject list", "subject show", "subject export", "subject erase",
    "subject answer", "report access",
}  # fmt: skip


def commands(group: click.Command, path: str = "") -> Iterator[tuple[str, click.Command]]:
    if not isinstance(group, click.Group):
        yield path, group
        return
    for name, command in group.commands.items():
        yield from commands(command, f"{path} {name}".strip())


ALL = dict(commands(fsgov))


def documented() -> dict[str, str]:
    """Each command's section of docs/cli.md."""
    sections = re.split(r"^### fsgov ", DOCS.read_text(), flags=re.MULTILINE)[1:]
    return {re.split(r" [^a-z]|\n", section)[0]: section for section in sections}


def test_the_commands_are_those_of_the_design() -> None:
    assert set(ALL) == EXPECTED


def test_nothing_is_documented_that_is_not_there() -> None:
    assert set(documented()) == set(ALL)


@pytest.mark.parametrize("name", ALL)
def test_a_command_is_documented_with_each_of_its_options(name: str) -> None:
    section = documented()[name]
    for parameter in ALL[name].params:
        if isinstance(parameter, click.Option) and parameter.name != "json":
            assert f"`{parameter.opts[0]}" in section, parameter.opts
    assert f"fsgov {name}" in section.split("```sh")[1].replace("--config /etc/fsgov/fsgov.toml ", "")


@pytest.mark.parametrize("name", ALL)
def test_a_command_has_json_an_example_and_help(name: str) -> None:
    command = ALL[name]
    assert isinstance(command, Command)
    assert command.help
    assert command.example.startswith("fsgov ")
    assert name.split()[-1] in command.example
    shown = CliRunner().invoke(fsgov, [*name.split(), "--help"])
    assert shown.exit_code == 0
    assert "--json" in shown.output
    assert "Example:" in shown.output


def groups(group: click.Group, path: str = "") -> Iterator[tuple[str, Group]]:
    assert isinstance(group, Group), path
    yield path, group
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from groups(command, f"{path} {name}".strip())


GROUPS = dict(groups(fsgov))


@pytest.mark.parametrize("name", GROUPS)
def test_a_group_has_an_example_and_shows_its_help_where_it_stands_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    monkeypatch.setattr(sys, "argv", ["fsgov", *name.split()])
    with pytest.raises(SystemExit, match="2"):
        main()
    shown = capsys.readouterr().err
    assert shown.startswith("Usage: ")
    assert "Example:\n    fsgov " in shown


def parsed(text: str) -> tuple[str, click.Context]:
    """The command that a line means, with its words as the command gets them. Raises click.UsageError."""
    words = shlex.split(text)
    assert words[0] == "fsgov"
    path, command = [], cast(click.Command, fsgov)
    context = command.make_context("fsgov", words[1:])
    while isinstance(command, click.Group):
        words = [*context._protected_args, *context.args]
        name, found, rest = command.resolve_command(context, words)
        assert name
        assert found
        path.append(name)
        command, context = found, found.make_context(name, rest, parent=context)
    return " ".join(path), context


def lines_of(text: str) -> list[str]:
    """Lines of a shell; one that ends in a backslash goes on in the next."""
    return [line for line in text.replace("\\\n", " ").splitlines() if line.strip()]


@pytest.mark.parametrize("name", [*ALL, *GROUPS])
def test_an_example_is_understood(name: str) -> None:
    command = ALL.get(name) or GROUPS[name]
    for line in lines_of(cast(Any, command).example):
        found, _ = parsed(line)
        assert f"{found} ".startswith(f"{name} ".lstrip()), line


@pytest.mark.parametrize("name", ALL)
def test_what_is_documented_is_understood_and_has_the_example_of_the_help(name: str) -> None:
    written = [
        line for block in documented()[name].split("```sh\n")[1:] for line in lines_of(block.split("```")[0])
    ]
    assert {parsed(line)[0] for line in written} == {name}
    assert set(lines_of(cast(Any, ALL[name]).example)) <= set(written)


@pytest.mark.parametrize(
    "line", ["fsgov calls", "fsgov run --part all", "fsgov stop a b", "fsgov calls show"]
)
def test_an_example_that_would_not_be_understood_is_found(line: str) -> None:
    with pytest.raises((click.UsageError, click.exceptions.NoArgsIsHelpError)):
        parsed(line)


@pytest.mark.parametrize("name", ALL)
def test_an_unknown_option_is_refused(name: str) -> None:
    assert CliRunner().invoke(fsgov, [*name.split(), "--no-such-option"]).exit_code == 2


def test_starting_costs_neither_gevent_nor_a_library_that_one_command_needs() -> None:
    heavy = ["gevent", "psycopg2", "rich", "cryptography", "minio", "urllib3", "structlog", "phonenumbers"]
    code = f"import sys, fsgov.cli; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_no_module_of_the_command_line_imports_gevent() -> None:
    code = (
        "import pkgutil, importlib, sys, fsgov.cli, fsgov.parts\n"
        "[importlib.import_module(m.name) for m in pkgutil.iter_modules(fsgov.cli.__path__, 'fsgov.cli.')]\n"
        "import fsgov.shipper.part, fsgov.journal, fsgov.catalog.desk, fsgov.config, fsgov.cli.replaying\n"
        "print('gevent' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


# -- output ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("nasty", ["\x1b[2J", "a\nb", "\r", "\x07", "\u202e", "\x9b1m", "\ud800", "\0"])
def test_text_of_callers_cannot_steer_a_terminal(nasty: str) -> None:
    assert output.cell(f"a{nasty}b").isprintable()
    assert output.clean("Jürgen 山田 → +49") == "Jürgen 山田 → +49"


def test_a_table_into_a_pipe_is_never_cut(capsys: pytest.CaptureFixture[str]) -> None:
    output.print_rows(["x" * 500, "[bold]y[/bold]"], {"long": lambda row: row, "other": len})
    shown = capsys.readouterr().out
    assert "x" * 500 in shown
    assert "[bold]y[/bold]" in shown


@pytest.mark.parametrize("columns", [40, 60, 100, 200])
def test_a_table_fits_its_terminal_and_breaks_no_id(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    id_ = "0f6c2d1e-aaaa-4bbb-8ccc-0123456789ab"
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")
    wordy = "several words that may be broken between two lines"
    output.print_rows([id_, id_], {"call": lambda row: row, "why": lambda _: wordy, "n": len})
    assert terminal.text.count(id_) == 2
    lines = terminal.text.splitlines()
    assert max(map(len, lines)) <= max(columns, len("why   ") + len(wordy))


def test_json_has_instants_in_utc_and_bytes_in_hex() -> None:
    there = datetime(2026, 11, 21, 17, 37, tzinfo=timezone(timedelta(hours=1)))
    plain = output.plain(
        {"at": there, "root": b"\x01\xff", "path": Path("/x"), "none": None, "all": (1, [2])}
    )
    assert plain == {
        "at": "2026-11-21T16:37:00Z",
        "root": "01ff",
        "path": "/x",
        "none": None,
        "all": [1, [2]],
    }
    json.dumps(plain)


class Terminal:
    """Standard output or error as a terminal."""

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> int:
        self.text += text
        return len(text)

    def flush(self) -> None: ...
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("no_color", "term", "coloured"), [("", "xterm", True), ("1", "xterm", False), ("", "dumb", False)]
)
def test_no_color_and_a_dumb_terminal_are_respected(
    monkeypatch: pytest.MonkeyPatch, no_color: str, term: str, coloured: bool
) -> None:
    terminal, table = Terminal(), Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(sys, "stdout", table)
    monkeypatch.setenv("NO_COLOR", no_color)
    monkeypatch.setenv("TERM", term)
    main_module = sys.modules["fsgov.cli.main"]
    main_module.tell("wrong", "a\nb", "do this")
    output.print_rows(["x"], {"name": str})
    assert ("\x1b[" in terminal.text) is coloured
    assert ("\x1b[" in table.text) is coloured
    assert terminal.text.endswith("\n  a\n  b\n  hint: do this\n")


@pytest.mark.parametrize(
    ("term", "json_", "shown"), [("xterm", False, True), ("dumb", False, False), ("xterm", True, False)]
)
def test_a_bar_is_for_a_terminal_and_never_for_json(
    monkeypatch: pytest.MonkeyPatch, term: str, json_: bool, shown: bool
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", term)
    monkeypatch.setenv("NO_COLOR", "1")
    frame = Frame()
    frame.json = json_
    with frame.bar("verifying", 4_000_000, "bytes") as seen:
        seen(1_000_000)
        seen(3_000_000)
    assert ("verifying" in terminal.text) is shown
    assert ("4.0/4.0 MB" in terminal.text) is shown
    assert "\x1b[3" not in terminal.text  # colours
    if shown:
        assert terminal.text.endswith("\x1b[2K")  # nothing of it stays


def test_there_is_no_bar_in_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    with output.bar("verifying", 2, "lines") as seen:
        seen(2)
    assert capsys.readouterr() == ("", "")


# -- faults ----------------------------------------------------------------------------------------------


def ended(monkeypatch: pytest.MonkeyPatch, fault: BaseException) -> int:
    """The exit code when a command raises this."""

    def raising(**_: object) -> None:
        raise fault

    monkeypatch.setattr(ALL["db status"], "callback", raising)
    monkeypatch.setattr(sys, "argv", ["fsgov", "db", "status"])
    with pytest.raises(SystemExit) as exit_:
        main()
    return int(str(exit_.value.code))


@pytest.mark.parametrize("kind", FsgovError.__subclasses__())
def test_a_fault_is_told_in_three_parts_with_its_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], kind: type[FsgovError]
) -> None:
    assert ended(monkeypatch, kind("It is wrong", "this one", "mend it")) == kind.exit_code
    assert capsys.readouterr().err == "fsgov: It is wrong\n  this one\n  hint: mend it\n"


def test_a_fault_without_a_hint_gets_the_one_of_its_kind(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(monkeypatch, Unreachable("It is away")) == 4
    assert "\n  hint: fsgov status" in capsys.readouterr().err


def test_what_nobody_expected_is_one_line_and_a_file(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.delenv("FSGOV_DEBUG", raising=False)
    assert ended(monkeypatch, ZeroDivisionError("by zero")) == 1
    said = capsys.readouterr().err
    assert "ZeroDivisionError: by zero" in said
    assert "Traceback" not in said
    kept = tmp_path / "fsgov" / "error.log"
    assert str(kept) in said
    assert "Traceback" in kept.read_text()
    assert kept.stat().st_mode & 0o777 == 0o600


def test_debug_shows_the_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FSGOV_DEBUG", "1")
    assert ended(monkeypatch, Unreachable("It is away")) == 4
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("fault", "code", "said"),
    [
        (
            PermissionError(errno.EACCES, "Permission denied", "/etc/fsgov/x"),
            5,
            "/etc/fsgov/x: Permission denied",
        ),
        (OSError(errno.ENOSPC, "No space left on device"), 4, "No space left on device"),
        (OSError(errno.EBADF, "Bad file descriptor"), 1, "This is a fault of fsgov itself"),
    ],
)
def test_what_the_system_refuses_is_told_in_our_words(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    fault: OSError,
    code: int,
    said: str,
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert ended(monkeypatch, fault) == code
    shown = capsys.readouterr().err
    assert said in shown
    assert "\n  hint: " in shown
    assert (tmp_path / "fsgov").exists() is (code == 1)


def test_an_interruption_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ended(monkeypatch, KeyboardInterrupt()) == 130


@pytest.mark.parametrize(
    ("status", "said", "code", "detail"),
    [
        (400, {"description": "a tag is"}, 2, "a tag is"),
        (403, {"title": "403", "description": "no person of fsgov"}, 5, "no person of fsgov"),
        (404, {}, 6, ""),
        (409, {"reason": "nothing is recorded"}, 7, "nothing is recorded"),
        (500, [], 4, "status 500"),
    ],
)
def test_what_the_daemon_refuses_has_the_code_of_its_status(
    status: int, said: object, code: int, detail: str
) -> None:
    fault = live.refused(status, said)
    assert fault.exit_code == code
    assert detail in fault.detail


# -- arguments -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "a/b", "../etc", "a b", "ä", "x" * 81, "a\n", "%00", "'"])
def test_an_id_that_cannot_be_one_is_refused(text: str) -> None:
    with pytest.raises(BadUsage):
        a_call(text)


def test_a_cursor_goes_on_behind_the_line_it_names() -> None:
    assert _cursor("log-abc:41") == ("log-abc", 42)
    for text in ("log-abc", "41", "log:-1", "log:x", "a b:1", ":1"):
        with pytest.raises(BadUsage):
            _cursor(text)


def test_an_instant_without_offset_is_utc() -> None:
    assert Moment().convert("2026-11-21", None, None) == datetime(2026, 11, 21, tzinfo=UTC)
    assert Moment().convert("2026-11-21T17:00+01:00", None, None) == datetime(2026, 11, 21, 16, tzinfo=UTC)
    with pytest.raises(click.BadParameter):
        Moment().convert("yesterday", None, None)
