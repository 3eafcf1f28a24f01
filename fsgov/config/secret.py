"""A secret by reference: where it is, never what it is, until somebody needs it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from fsgov.errors import BadConfiguration

SCHEMES = ("file", "env", "cred")
HOW = "write file:PATH, env:NAME or cred:NAME (a systemd credential)"


@dataclass(frozen=True, slots=True, repr=False)
class Secret:
    """`file:PATH`, `env:NAME` or `cred:NAME`; `plain` only for values that are no secret.

    The value is read when it is asked for, so a part needs only the secrets it uses.
    """

    key: str
    """Key path in the configuration, for messages."""
    scheme: str = ""
    """file, env, cred, plain; "" where the key is missing."""
    place: str = ""
    """Absolute path, name of the variable or credential; the text itself where it is plain."""

    def __repr__(self) -> str:
        return f"Secret({self.key})"

    def __bool__(self) -> bool:
        return bool(self.scheme)

    def reveal(self) -> str:
        """The secret, without the line's end. Raises BadConfiguration where it cannot be had."""
        match self.scheme:
            case "plain":
                return self.place
            case "env":
                value = os.environ.get(self.place, "")
                if not value:
                    raise self._wrong(
                        f"the variable {self.place} is not set", "set it in the unit's environment"
                    )
                return value
            case "file":
                return self._read(Path(self.place), private=True)
            case "cred":
                directory = os.environ.get("CREDENTIALS_DIRECTORY")
                if not directory:
                    hint = "start it by systemd with LoadCredential=, or use file:"
                    raise self._wrong("CREDENTIALS_DIRECTORY is not set", hint)
                return self._read(Path(directory) / self.place, private=False)
        raise self._wrong("is missing", HOW)

    def _read(self, path: Path, *, private: bool) -> str:
        try:
            if private and path.stat().st_mode & 0o007:
                raise self._wrong(f"{path} can be read by everybody on this host", f"chmod 600 {path}")
            value = path.read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as fault:
            why = fault.strerror if isinstance(fault, OSError) else "it is not UTF-8"
            raise self._wrong(f"{path} cannot be read: {why}", "check the path and who may read it") from None
        if not value:
            raise self._wrong(f"{path} is empty", "write the secret into it")
        return value

    def _wrong(self, detail: str, hint: str) -> BadConfiguration:
        return BadConfiguration("A secret of the configuration cannot be had", f"{self.key}: {detail}", hint)
