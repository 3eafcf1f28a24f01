"""Writes the tables of metrics and alarms into docs/metrics.md: `python docs/metrics_tables.py`."""

from __future__ import annotations

from pathlib import Path

from fsgov import alarms
from fsgov.health import metrics

PAGE = Path(__file__).parent / "metrics.md"


def of_metrics() -> str:
    """A line for each metric."""
    lines = ["| metric | kind | labels | part | what it is |", "|---|---|---|---|---|"]
    for row in metrics.TABLE:
        labels = ", ".join(row.labels)
        lines.append(f"| `{row.name}` | {row.kind.value} | {labels} | {', '.join(row.parts)} | {row.help} |")
    return "\n".join(lines)


def of_alarms() -> str:
    """A line for each alarm."""
    lines = ["| alarm | part | what it means | what to do |", "|---|---|---|---|"]
    for row in alarms.TABLE.values():
        name = f"`{row.name}.` + {row.of}" if row.of else f"`{row.name}`"
        lines.append(f"| {name} | {', '.join(row.parts)} | {row.meaning} | {row.remedy} |")
    return "\n".join(lines)


def with_tables(text: str) -> str:
    """The page with its tables made anew."""
    for name, table in (("metrics", of_metrics()), ("alarms", of_alarms())):
        head, opened, rest = text.partition(f"<!-- {name} -->\n")
        _, closed, tail = rest.partition(f"<!-- end of {name} -->")
        assert opened, name
        assert closed, name
        text = f"{head}{opened}\n{table}\n\n{closed}{tail}"
    return text


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
