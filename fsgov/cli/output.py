"""What commands print: tables for people, JSON for programs. No text of a caller can steer a terminal."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import Any, Literal, TextIO, TypeVar

import click

Row = TypeVar("Row")

UNBOUNDED = 10_000
"""Columns of an output that is no terminal: nothing is folded or cut, so that it can be searched."""


def steerable(stream: TextIO) -> bool:
    """Is it a terminal whose cursor can be moved?"""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def styled(stream: TextIO) -> bool:
    """May what is written there be coloured or bold? Never with NO_COLOR (no-color.org)."""
    return steerable(stream) and not os.environ.get("NO_COLOR")


def plain(value: Any) -> Any:
    """The same as JSON has it: instants RFC 3339 in UTC, bytes in hex."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    match value:
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case bytes():
            return value.hex()
        case Enum():
            return plain(value.value)
        case Path():
            return str(value)
        case Mapping():
            return {str(key): plain(each) for key, each in value.items()}
        case list() | tuple() | set() | frozenset():
            return [plain(each) for each in value]
    return value


def cell(value: Any) -> str:
    """One line of text for people; nothing in it can steer a terminal."""
    match value:
        case None | "":
            return "-"
        case bool():
            return "yes" if value else "no"
        case datetime():
            return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"
        case list() | tuple():
            return ", ".join(cell(each) for each in value) or "-"
        case Mapping():
            return ", ".join(f"{cell(key)}={cell(each)}" for key, each in value.items()) or "-"
        case Enum():
            return cell(value.value)
    return clean(str(value))


def clean(text: str) -> str:
    """`text` with every character that is not printable (escapes, line ends, direction marks) replaced."""
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)


def print_json(value: Any) -> None:
    """One value, on one line when it is not for a terminal."""
    indent = 2 if sys.stdout.isatty() else None
    click.echo(json.dumps(plain(value), indent=indent))


def print_line(text: str) -> None:
    click.echo(clean(text))


def print_rows(rows: Sequence[Row], columns: Mapping[str, Callable[[Row], Any]]) -> None:
    """A table; a list of facts for each row where the terminal is too narrow for it.

    What has no space in it (ids, digests) is never broken: people copy it. Elsewhere than on a terminal the
    table is as wide as it must be.
    """
    from rich.console import Console
    from rich.measure import Measurement
    from rich.table import Table
    from rich.text import Text

    cells = [[cell(read(row)) for read in columns.values()] for row in rows]
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    for place, name in enumerate(columns):
        table.add_column(name, no_wrap=not any(" " in row[place] for row in cells))
    for row in cells:
        table.add_row(*map(Text, row))
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else UNBOUNDED
    colours: Literal["auto"] | None = "auto" if styled(sys.stdout) else None
    console = Console(
        width=width, height=100, color_system=colours, highlight=False, markup=False, emoji=False
    )
    wide = console.options.update(width=UNBOUNDED)
    if Measurement.get(console, wide, table).minimum <= width:
        console.print(table)
        return
    for place, row in enumerate(cells):
        if place:
            click.echo()
        print_facts(dict(zip(columns, row, strict=True)))


def print_facts(facts: Mapping[str, Any]) -> None:
    """Names and values, one a line."""
    width = max((len(name) for name in facts), default=0)
    for name, value in facts.items():
        click.echo(f"{name:<{width}}  {cell(value)}".rstrip())


@contextmanager
def bar(label: str, total: int, unit: Literal["bytes", "lines"]) -> Iterator[Callable[[int], None]]:
    """Tell it how much more is done; a terminal shows how far that is, and nothing of it stays there."""
    if not steerable(sys.stderr):
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as Remaining

    done = DownloadColumn() if unit == "bytes" else MofNCompleteColumn()
    console = Console(stderr=True, no_color=not styled(sys.stderr))
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), done, Remaining())
    with Progress(*columns, console=console, transient=True) as shown:
        task = shown.add_task(clean(label), total=total)
        yield lambda more: shown.update(task, advance=more)
