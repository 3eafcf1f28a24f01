"""docs/architecture.md shows the machines as they are, and names files that exist."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/architecture.md"


def test_the_diagram_is_drawn_from_the_tables() -> None:
    spec = importlib.util.spec_from_file_location("diagram", ROOT / "docs/diagram.py")
    assert spec
    assert spec.loader
    diagram = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(diagram)
    text = PAGE.read_text(encoding="utf-8")
    assert diagram.with_diagram(text) == text, "make docs"
    assert "```mermaid" in text


def test_every_file_that_the_page_names_exists() -> None:
    named = set(re.findall(r"`((?:[a-z_]+/)*[a-z_]+(?:\.py|/))`", PAGE.read_text(encoding="utf-8")))
    assert len(named) > 25
    missing = [name for name in named if not ((ROOT / "fsgov" / name).exists() or (ROOT / name).exists())]
    assert not missing
