"""The alert rules, the page and the tables say the same: nothing is watched that no part exports."""

from __future__ import annotations

import importlib.util
import re
from importlib import resources
from pathlib import Path

from fsgov.alarms import TABLE as ALARMS
from fsgov.health.metrics import TABLE, Kind

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/metrics.md"
OF_PROMETHEUS = {"up"}
PROCESS = {
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
    "process_virtual_memory_bytes",
    "process_start_time_seconds",
    "process_open_fds",
    "process_max_fds",
}
SUFFIXES = {Kind.HISTOGRAM: ("_bucket", "_sum", "_count"), Kind.GAUGE: ("",), Kind.COUNTER: ("",)}


def rules() -> list[dict[str, str]]:
    """Alert, expr, for, severity and summary of each rule; the file has one key a line."""
    found: list[dict[str, str]] = []
    text = (resources.files("fsgov") / "health/alerts.yml").read_text(encoding="utf-8")
    for line in text.splitlines():
        if match := re.fullmatch(r"      - alert: (\w+)", line):
            found.append({"alert": match[1]})
        elif match := re.fullmatch(r"        (expr|for): (.+)", line):
            found[-1][match[1]] = match[2]
        elif match := re.fullmatch(r"        labels: \{severity: (\w+)\}", line):
            found[-1]["severity"] = match[1]
        elif match := re.fullmatch(r'          summary: "(.+)"', line):
            found[-1]["summary"] = match[1]
        else:
            skeleton = r"#.*||groups:|  - name: [a-z-]+|    rules:|        annotations:"
            assert re.fullmatch(skeleton, line), line
    return found


def used_by_rules() -> set[str]:
    """Names of metrics in the rules' expressions."""
    text = " ".join(rule["expr"] for rule in rules())
    return set(re.findall(r"\b(?:fsgov|process)_[a-z_]+", text)) | (set(re.findall(r"\bup\b", text)))


def exported() -> set[str]:
    return {row.name + suffix for row in TABLE for suffix in SUFFIXES[row.kind]}


def test_every_rule_is_whole_and_named_once() -> None:
    found = rules()
    assert len({rule["alert"] for rule in found}) == len(found)
    for rule in found:
        assert {"alert", "expr", "severity", "summary"} <= set(rule), rule
        assert rule["severity"] in ("page", "warn")
        assert rule["expr"].count("(") == rule["expr"].count(")")
        assert rule["expr"].count("{") == rule["expr"].count("}")


def test_every_metric_of_a_rule_is_exported() -> None:
    used = used_by_rules()
    assert len(used) > 10
    assert used - exported() - PROCESS - OF_PROMETHEUS == set()


def test_every_alarm_has_a_rule_of_its_name() -> None:
    watched = {
        rule["alert"]: match[1]
        for rule in rules()
        if (match := re.fullmatch(r'fsgov_alarms\{alarm="(\w+)"\} > 0', rule["expr"]))
    }
    assert watched == {f"Fsgov{name.title().replace('_', '')}": name for name in ALARMS}


def test_the_labels_of_the_rules_are_the_metrics() -> None:
    labels = {row.name + suffix: {*row.labels, "le"} for row in TABLE for suffix in SUFFIXES[row.kind]}
    for rule in rules():
        for name, inside in re.findall(r"(fsgov_\w+)\{([^}]*)\}", rule["expr"]):
            assert set(re.findall(r"(\w+)=", inside)) <= labels[name], rule


def test_the_page_has_every_metric_and_alarm() -> None:
    spec = importlib.util.spec_from_file_location("metrics_tables", ROOT / "docs/metrics_tables.py")
    assert spec
    assert spec.loader
    tables = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tables)
    text = PAGE.read_text(encoding="utf-8")
    assert tables.with_tables(text) == text, "make docs"
    assert {name for name in (*exported(), *PROCESS) if f"`{_plain(name)}`" not in text} == set()


def _plain(name: str) -> str:
    return re.sub(r"_(bucket|sum|count)$", "", name)


def test_names_follow_the_habit() -> None:
    for row in TABLE:
        assert row.name.startswith("fsgov_")
        assert row.name.endswith("_total") is (row.kind is Kind.COUNTER)
        assert not re.search(r"_(ms|milliseconds|minutes|kilobytes|percent)\b", row.name)
        assert not set(row.labels) & {"call", "segment", "leg", "number", "person", "tenant", "caller"}
        assert row.help.endswith((".", "1."))
