"""fsgov governs call recording on FreeSWITCH: see README.md and docs/architecture.md."""

__version__ = "0.1.0"
