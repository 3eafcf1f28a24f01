"""What the demo shows: a live table on a terminal, plain lines elsewhere; then one line per call.

rich follows NO_COLOR by itself. Text of callers is never printed.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from fsgov.demo.playing import Played
from fsgov.demo.verdict import Verdict
from fsgov.verify import Report

CAPTURE = {"on": "recording", "masked": "paused", "off": "-", "armed": "armed", "unknown": "unknown"}
COLOURS = {"recording": "red", "paused": "yellow", "unknown": "magenta"}
WIDE = 200
"""Columns of an output that is no terminal: nothing is folded."""


class Display:
    """Tells how far the demo is. `calls` asks govern for the live conversations."""

    def __init__(self, calls: Callable[[], list[dict[str, Any]]], quiet: bool = False) -> None:
        width = None if sys.stdout.isatty() else WIDE
        self.console = Console(highlight=False, markup=False, emoji=False, width=width, quiet=quiet)
        self._calls = calls
        self._live: Live | None = None
        self._told: dict[str, tuple[str, str]] = {}
        self._started = time.monotonic()

    def say(self, sentence: str) -> None:
        """One line, with the seconds since the start."""
        self.console.print(f"{time.monotonic() - self._started:5.1f} s  {sentence}")

    @contextmanager
    def playing(self) -> Iterator[Callable[[list[Played]], None]]:
        """While calls are played; yields what takes a look at them."""
        if not self.console.is_terminal:
            yield self._line_by_line
            return
        with Live(console=self.console, auto_refresh=False, transient=True) as live:
            self._live = live
            try:
                yield self._table
            finally:
                self._live = None

    def _states(self, played: Sequence[Played]) -> list[tuple[Played, str, str]]:
        """Each scene with its stage and its capture as govern tells them."""
        live = {each["call"]: each for each in self._calls()}
        found = []
        for each in played:
            told = live.get(each.call)
            if told is not None:
                found.append((each, str(told["stage"]), CAPTURE.get(str(told["capture"]), "-")))
            else:
                found.append((each, "over" if each.over else "not yet" if not each.call else "…", "-"))
        return found

    def _line_by_line(self, played: Sequence[Played]) -> None:
        for each, stage, capture in self._states(played):
            before = self._told.get(each.scene.name)
            self._told[each.scene.name] = (stage, capture)
            if before != (stage, capture) and stage not in ("not yet", "…"):
                self.say(f"{each.scene.title:<36} {stage:<9} {capture}")

    def _table(self, played: Sequence[Played]) -> None:
        table = Table(box=None, pad_edge=False, header_style="bold")
        for name in ("the caller …", "call", "capture"):
            table.add_column(name, min_width=10)
        for each, stage, capture in self._states(played):
            dim = "dim" if stage in ("over", "not yet") else ""
            table.add_row(
                Text(each.scene.title, dim), Text(stage, dim), Text(capture, COLOURS.get(capture, dim))
            )
        if self._live is not None:
            self._live.update(table, refresh=True)

    # -- the end -----------------------------------------------------------------------------------------

    def verdicts(self, verdicts: Sequence[Verdict]) -> None:
        """One line per call, and under it what is not as it should be."""
        table = Table(box=None, pad_edge=False, header_style="bold")
        for name in (
            "the caller …",
            "outcome",
            "rule",
            "segments",
            "sealed\nbytes",
            "pause\nproof",
            "as it\nshould be",
        ):
            right = name in ("segments", "sealed\nbytes")
            table.add_column(name, justify="right" if right else "left", overflow="fold")
        for each in verdicts:
            mark = Text("yes", "green") if not each.faults else Text("NO", "bold red")
            proof = "-" if each.proof == "none" else each.proof
            numbers = str(len(each.segments)), f"{each.sealed:,}"
            table.add_row(each.title, each.outcome, each.rule, *numbers, proof, mark)
        self.console.print()
        self.console.print(table)
        for each in verdicts:
            for fault in each.faults:
                self.console.print(Text(f"  {each.scene}: {fault}", "red"), soft_wrap=True)
        self.console.print()

    def log(self, report: Report | None, faults: Sequence[str]) -> None:
        """What the log proves, and what else is wrong."""
        if report is not None:
            self.say(f"the log {report.log_id} verifies: {report}")
        for fault in faults:
            self.console.print(Text(f"  {fault}", "red"), soft_wrap=True)

    def next(self, commands: Sequence[str]) -> None:
        """What to try now."""
        self.console.print("\nIt is all there to look at; for instance:\n")
        for command in commands:
            self.console.print(f"  {command}", soft_wrap=True)
        self.console.print()

    def __enter__(self) -> Display:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.console.file.flush()
