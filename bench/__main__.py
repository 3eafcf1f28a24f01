"""`python -m bench [PIECE …] [--short]`: measure and print; bench/results.json is of whole runs only."""

from __future__ import annotations

import json
import os
import platform
import sys
from pathlib import Path

from bench import Figure, deciding, governing, parsing, purging, reloading, sealing

PIECES = {
    "parsing": parsing.figures,
    "deciding": deciding.figures,
    "governing": governing.figures,
    "reloading": reloading.figures,
    "sealing": sealing.figures,
    "purging": purging.figures,
}


def main(arguments: list[str]) -> int:
    unknown = [word for word in arguments if word not in PIECES and word != "--short"]
    if unknown:
        print(f"{__doc__}\nPIECE: {', '.join(PIECES)}", file=sys.stderr)
        return 0 if unknown == ["--help"] else 2
    short = "--short" in arguments
    chosen = [name for name in arguments if name in PIECES] or list(PIECES)
    figures: list[Figure] = []
    for name in chosen:
        for figure in PIECES[name](short=short):
            figures.append(figure)
            print(sentence(figure), flush=True)
    if not short and chosen == list(PIECES):
        machine = {"cpus": os.cpu_count(), "python": platform.python_version(), "kernel": platform.release()}
        results = {"machine": machine, "figures": [figure.to_json() for figure in figures]}
        path = Path(__file__).parent / "results.json"
        path.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    return 0


def sentence(figure: Figure) -> str:
    beside = f"   {figure.peer}: {figure.peer_value:g}  ratio {figure.ratio}" if figure.peer_value else ""
    verdict = {True: "holds", False: "MISSED", None: "not judged"}[figure.holds]
    goal = f"   goal {figure.goal}: {verdict}" if figure.goal else ""
    return f"{figure.name}: {figure.value:g} {figure.unit}{beside}{goal}"


sys.exit(main(sys.argv[1:]))
