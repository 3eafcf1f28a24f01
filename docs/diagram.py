"""Draws the conversation's machines from their tables into docs/architecture.md: `python docs/diagram.py`."""

from __future__ import annotations

from pathlib import Path

from fsgov.call.state import Capture
from fsgov.call.tables import CAPTURE, CONVERGE, GOVERNANCE

PAGE = Path(__file__).parent / "architecture.md"
OPEN, CLOSE = "<!-- diagram -->\n", "<!-- end of diagram -->"


def drawn() -> str:
    """Governance and capture as Mermaid diagrams, and the move for each pair of confirmed and wanted."""
    governance = {(a.value, word.value): b.value for (a, word), b in GOVERNANCE.items()}
    capture = {(a.value, sign.value): b.value for (a, sign), b in CAPTURE.items()}
    machines = [f"```mermaid\nstateDiagram-v2\n{_edges(table)}\n```\n" for table in (governance, capture)]
    return "\n".join([*machines, _moves()])


def _moves() -> str:
    wanted = [Capture.OFF, Capture.ARMED, Capture.ON, Capture.MASKED]
    head = f"| confirmed | {' | '.join(f'wanted: {one.value}' for one in wanted)} |"
    lines = [head, "|---" * (len(wanted) + 1) + "|"]
    for have in Capture:
        moves = [CONVERGE.get((have, want)) for want in wanted]
        lines.append(f"| {have.value} | {' | '.join('' if m is None else m.value for m in moves)} |")
    return "\n".join(lines) + "\n"


def _edges(table: dict[tuple[str, str], str]) -> str:
    """One line for each pair of states, with everything that leads from the one to the other."""
    lines: dict[tuple[str, str], list[str]] = {}
    for (before, why), after in table.items():
        lines.setdefault((before, after), []).append(why)
    return "\n".join(f"    {a} --> {b}: {' / '.join(sorted(set(w)))}" for (a, b), w in lines.items())


def with_diagram(text: str) -> str:
    """The page with its diagram drawn anew."""
    head, _, rest = text.partition(OPEN)
    _, _, tail = rest.partition(CLOSE)
    return f"{head}{OPEN}\n{drawn()}\n{CLOSE}{tail}"


if __name__ == "__main__":
    PAGE.write_text(with_diagram(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
