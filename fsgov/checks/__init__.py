"""`fsgov check`, one function for each thing it looks at: parts are tried for real, none is changed."""

from fsgov.checks.everything import on_host
from fsgov.checks.finding import Finding, failed, gathered, ok, warning

__all__ = ["Finding", "failed", "gathered", "ok", "on_host", "warning"]
