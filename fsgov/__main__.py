"""`python -m fsgov` is the command line."""

from fsgov.cli import main

main()
