"""The command line: `fsgov …` and `python -m fsgov`.

main      the process: exit codes, faults in three lines, no traceback
frame     what every command has: --config, --json, an example; reaching settings and database
output    tables for people, JSON for programs
exporting a recording's way from the vault to a file; everything else is named after its commands

The modules of the commands import nothing but click; what a command needs is imported when it runs.
"""

from fsgov.cli.main import main

__all__ = ["main"]
