"""What every command has: the configuration, `--json`, an example; and how it reaches the database."""

from __future__ import annotations

import getpass
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar
from urllib.parse import unquote, urlsplit

import click

from fsgov.cli import output
from fsgov.errors import BadUsage

if TYPE_CHECKING:
    from fsgov.catalog.desk import Desk
    from fsgov.config import Settings

Row = TypeVar("Row")
EMBEDDED = "embedded:"
LIBPQ = ("PGHOST", "PGHOSTADDR", "PGSERVICE", "PGDATABASE")


class Frame:
    """One run of the command line: which configuration, which form of output."""

    def __init__(self, config: Path | None = None) -> None:
        self.config = config
        self.json = False

    @property
    def settings(self) -> Settings:
        """The configuration. Raises BadConfiguration with every fault."""
        from fsgov import config

        return config.load(self.config)

    # -- the database ------------------------------------------------------------------------------------

    @contextmanager
    def database(self, *, create: bool = False) -> Iterator[str]:
        """The DSN of the person at this desk; an embedded server is joined, or started for the block.

        `[admin]` names server and login, what it leaves out comes from `[database]` and libpq's defaults.
        create: an embedded database that is not there is made.
        """
        from fsgov import embedded

        settings = self.settings
        dsn = settings.admin.dsn or settings.database.dsn
        if not dsn and not any(os.environ.get(name) for name in LIBPQ):
            settings.need("desk")
        user = settings.admin.user or None
        password = settings.admin.password.reveal() if settings.admin.password else None
        if dsn.startswith(EMBEDDED):
            with embedded.joined(Path(dsn.removeprefix(EMBEDDED)), create):
                yield embedded.resolve(dsn, user or os.environ.get("PGUSER") or None, password)
            return
        if password is not None and user is None:
            user = _user(dsn)
        yield embedded.resolve(dsn, user, password)

    @contextmanager
    def desk(self) -> Iterator[Desk]:
        """The catalog as this person may see it. Raises NotPermitted for the login of a service."""
        from fsgov.catalog.desk import Desk

        with self.database() as dsn, closing(Desk(dsn)) as desk:
            yield desk

    # -- output ------------------------------------------------------------------------------------------

    def bar(
        self, label: str, total: int, unit: Literal["bytes", "lines"]
    ) -> AbstractContextManager[Callable[[int], None]]:
        """How far a long command is: a bar on a terminal's standard error, nothing with --json."""
        return nullcontext(lambda _: None) if self.json else output.bar(label, total, unit)

    def rows(
        self, rows: Sequence[Row], columns: Mapping[str, Callable[[Row], Any]], nothing: str = "none"
    ) -> None:
        """A list: all fields of every row as JSON, or these columns as a table."""
        if self.json:
            output.print_json(list(rows))
        elif rows:
            output.print_rows(rows, columns)
        else:
            output.print_line(nothing)

    def facts(self, facts: Mapping[str, Any]) -> None:
        """One thing: a JSON object, or a line for each fact."""
        if self.json:
            output.print_json(facts)
        else:
            output.print_facts({name.replace("_", " "): value for name, value in facts.items()})

    def said(self, sentence: str, facts: Mapping[str, Any]) -> None:
        """What was done: the facts as a JSON object, or a sentence."""
        if self.json:
            output.print_json(facts)
        else:
            output.print_line(sentence)


@contextmanager
def joined_if_embedded(dsn: str) -> Iterator[None]:
    """An embedded server runs for the block; one that was not made is not made here. Raises NotFound."""
    from fsgov import embedded

    if not dsn.startswith(EMBEDDED):
        yield
        return
    with embedded.joined(Path(dsn.removeprefix(EMBEDDED)), create=False):
        yield


def _user(dsn: str) -> str | None:
    """Who libpq would log in as; None where the DSN's words say it."""
    if dsn and "://" not in dsn:
        return None
    return unquote(urlsplit(dsn).username or "") or os.environ.get("PGUSER") or getpass.getuser()


def _epilog(example: str, more: str | None = None) -> str:
    """The end of a help: an example, as it is written."""
    lines = "\n".join(f"  {line}" for line in example.splitlines())
    return "\n\n".join(filter(None, (f"\b\nExample:\n{lines}", more)))


class Command(click.Command):
    """A command with `--json`, and an example at the end of its help."""

    def __init__(self, *args: Any, example: str, **options: Any) -> None:
        options["epilog"] = _epilog(example)
        super().__init__(*args, **options)
        self.example = example
        self.params.append(
            click.Option(
                ["--json"], is_flag=True, expose_value=False, callback=_wants_json, help="Print JSON."
            )
        )


class Group(click.Group):
    """Commands of this kind, groups of this kind, with an example as well."""

    command_class = Command
    group_class = type

    def __init__(self, *args: Any, example: str, **options: Any) -> None:
        options["epilog"] = _epilog(example, options.get("epilog"))
        super().__init__(*args, **options)
        self.example = example


def _wants_json(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    frame = context.find_object(Frame)
    if frame is not None:
        frame.json = wanted


pass_frame = click.make_pass_decorator(Frame, ensure=True)


def a_path(**options: Any) -> click.Path:
    """A path argument as pathlib has it; whether it is there, and for us, is told in our words, later."""
    return click.Path(path_type=Path, readable=False, **options)


class Moment(click.ParamType):  # type: ignore[type-arg]
    """An instant: ISO 8601; UTC where no offset is given, midnight where no time is."""

    name = "moment"

    def convert(self, value: Any, param: click.Parameter | None, context: click.Context | None) -> datetime:
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is no instant: 2026-11-21 or 2026-11-21T16:37Z", param, context)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def a_call(text: str) -> str:
    """The same text, where it can be the id of a call or a segment. Raises BadUsage."""
    if not 0 < len(text) <= 80 or not all(
        each.isascii() and (each.isalnum() or each == "-") for each in text
    ):
        raise BadUsage("This is no id of a call or recording", repr(text[:80]), "fsgov calls list shows ids")
    return text


def read_text(path: Path, what: str) -> str:
    """A file that the command names. Raises NotFound, NotPermitted, BadUsage."""
    from fsgov.errors import NotFound, NotPermitted

    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise NotFound(f"There is no {what}", str(path), "name a file that is there") from None
    except PermissionError:
        hint = "act as its owner, or let them give it to you"
        raise NotPermitted(f"The {what} is not for this user", str(path), hint) from None
    except (OSError, UnicodeDecodeError) as fault:
        why = fault.strerror if isinstance(fault, OSError) else "it is no text"
        raise BadUsage(f"The {what} cannot be read", f"{path}: {why}", "name a file of text") from None


def write_new(path: Path, text: str, mode: int) -> None:
    """A file that was not there, with this mode. Raises Conflict where it is, NotPermitted, BadUsage."""
    from fsgov.errors import Conflict, NotPermitted

    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError:
        raise Conflict("The file is there already", str(path), "name another; none is overwritten") from None
    except PermissionError:
        raise NotPermitted("This user may not write the file", str(path)) from None
    except OSError as fault:
        raise BadUsage("The file cannot be written", f"{path}: {fault.strerror}") from None
    with os.fdopen(file, "w", encoding="utf-8") as out:
        os.fchmod(out.fileno(), mode)
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
