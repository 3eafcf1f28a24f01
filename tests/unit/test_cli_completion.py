"""Completion as docs/cli.md sets it up, in the shells themselves; zsh and fish where they are installed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs" / "cli.md"
ASKED: dict[str, set[str]] = {
    "fsgov rec": {"recordings", "reconcile"},
    "fsgov run --part ": {"govern", "ship", "keep"},
    "fsgov check --part s": {"ship"},
    "fsgov recordings list --state q": {"quarantined"},
    "fsgov people add eve --role s": {"supervisor"},
    "fsgov calls list --outcome ref": {"refused"},
    "fsgov events schema segment.m": {"segment.masked", "segment.moved"},
    "fsgov policy diff in": {"in-force"},
    "fsgov --config fsgov.toml policy explain --tenant a": {"acme"},
    "fsgov --config missing.toml policy explain --tenant a": set(),
    "fsgov policy check po": {"policy.toml"},
}
BASH = """
shopt -s progcomp
ask() {{
    COMP_LINE=$1; read -ra COMP_WORDS <<< "$1"; [[ $1 == *" " ]] && COMP_WORDS+=("")
    COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); COMPREPLY=()
    _fsgov_completion fsgov "${{COMP_WORDS[COMP_CWORD]}}" 2> /dev/null  # compopt needs a prompt
    if [[ ${{#COMPREPLY[@]}} == 0 ]]; then COMPREPLY=($(compgen -f -- "${{COMP_WORDS[COMP_CWORD]}}")); fi
    echo "$1|${{COMPREPLY[*]}}"
}}
{setting}
{questions}
complete -p fsgov
"""


def setting(shell: str) -> str:
    """What the page says to put into the shell's file."""
    (found,) = re.findall(rf"^```{shell}\n(.*?)^```$", DOCS.read_text(), re.MULTILINE | re.DOTALL)
    return str(found)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "fsgov.toml").write_text('[tenant.acme]\nregion = "DE"\n')
    (tmp_path / "policy.toml").touch()
    program = tmp_path / "bin" / "fsgov"
    program.parent.mkdir()
    program.write_text(
        f"#!{sys.executable}\nimport sys\nsys.argv[0] = 'fsgov'\nfrom fsgov.cli import main\nmain()\n"
    )
    program.chmod(0o755)
    return tmp_path


def run(place: Path, *words: str) -> str:
    environment = {"PATH": f"{place}/bin:{os.environ['PATH']}", "HOME": str(place), "LANG": "C.UTF-8"}
    done = subprocess.run(
        words, cwd=place, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done
    return done.stdout


def test_bash_completes(place: Path) -> None:
    questions = "\n".join(f'ask "{line}"' for line in ASKED)
    said = run(place, "bash", "--norc", "-c", BASH.format(setting=setting("bash"), questions=questions))
    *answers, registered = said.splitlines()
    assert {line: set(words.split()) for line, _, words in (each.partition("|") for each in answers)} == ASKED
    assert registered.endswith(" -F _fsgov_completion fsgov")


@pytest.mark.installed("fish")
def test_fish_completes(place: Path) -> None:
    ask = "echo -n '{0}|'; complete -C '{0}' | string replace -r '\\t.*' '' | string join ' '; echo"
    questions = "\n".join(ask.format(line) for line in ASKED)
    said = run(place, "fish", "--no-config", "-c", f"{setting('fish')}\n{questions}")
    answers = (each.partition("|") for each in said.splitlines() if each)
    assert {line: set(words.split()) for line, _, words in answers} == ASKED


@pytest.mark.installed("zsh")
def test_zsh_takes_the_setting_and_is_answered(place: Path) -> None:
    """Its line editor cannot be asked from a script: the function's own question is."""
    script = f"autoload -U compinit; compinit -u\n{setting('zsh')}\nprint -r -- $_comps[fsgov]"
    assert run(place, "zsh", "-f", "-c", script).strip() == "_fsgov_completion"
    asked = 'COMP_WORDS="fsgov run --part s" COMP_CWORD=3 _FSGOV_COMPLETE=zsh_complete fsgov'
    assert run(place, "zsh", "-f", "-c", asked).split() == ["plain", "ship", "_"]
