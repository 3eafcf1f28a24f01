"""PostgreSQL: reachable, new enough, the schema as this program needs it, each login with its rights only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

from fsgov import embedded
from fsgov.catalog.inspecting import Inspected, inspect
from fsgov.checks.finding import Finding, failed, ok, warning
from fsgov.config import Settings
from fsgov.errors import BadConfiguration, FsgovError

OLDEST = 15
WARN_SECONDS, FAIL_SECONDS = 1.0, 30.0
EMBEDDED = "embedded:"
DAY = 86_400_000_000


def database(settings: Settings, parts: tuple[str, ...]) -> Iterator[Finding]:
    """As each service login sees it. Raises Unreachable, NotPermitted, BadConfiguration."""
    dsn = settings.database.dsn
    path = Path(dsn.removeprefix(EMBEDDED))
    with embedded.joined(path, create=False) if dsn.startswith(EMBEDDED) else nullcontext():
        for place, part in enumerate(parts):
            try:
                seen = inspect(dsn, part, settings.database.password(part))
            except FsgovError as fault:
                yield failed("database", fault)
                return
            if place == 0:
                yield from server(seen)
            yield rights(seen, part)
    yield backups(settings)


def server(seen: Inspected) -> Iterator[Finding]:
    """What is the same for every login. Raises BadConfiguration."""
    if seen.major < OLDEST:
        raise BadConfiguration("PostgreSQL is too old", f"{seen.version}", f"upgrade it to {OLDEST} or newer")
    if not seen.status.current:
        step, newest = seen.status.step, seen.status.newest
        hint = "fsgov db upgrade" if step < newest else "install the newer fsgov"
        raise BadConfiguration(
            "the database does not fit this program",
            f"step {step}, needed {newest}",
            hint if step else "fsgov db init",
        )
    yield ok("database", f"PostgreSQL {seen.version}, step {seen.status.step} of the schema")
    if seen.unguarded:
        hint = "ALTER TABLE … ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY; find out who took it away"
        fault = BadConfiguration("tables without forced row security", ", ".join(seen.unguarded), hint)
        yield failed("database.rows", fault)
    else:
        yield ok("database.rows", f"row security is forced on each of {seen.tables} tables")
    yield clock(seen.ahead)


def clock(ahead: float) -> Finding:
    """ahead: seconds that this host's clock is before the database's, beyond what the way there took."""
    words = f"this host's clock is {abs(ahead):.1f} s {'ahead of' if ahead > 0 else 'behind'} the database's"
    hint = "let chrony or systemd-timesyncd set both: times are evidence"
    if abs(ahead) > FAIL_SECONDS:
        return failed("clock", BadConfiguration("the clocks disagree", words, hint))
    if abs(ahead) > WARN_SECONDS:
        return warning("clock", words, hint=hint)
    return ok("clock", "this host and the database agree within a second")


def rights(seen: Inspected, part: str) -> Finding:
    """A service login can do its work, and nothing of the others'."""
    of = f"database.{part}"
    wrong = [*seen.powers]
    wrong += [f"is in {role}" for role in seen.roles]
    wrong += ["may read segment_keys"] if seen.reads_keys else []
    wrong += [f"may not call {name}" for name in seen.lacks]
    wrong += [f"may call {name}" for name in seen.exceeds]
    if wrong:
        words = f"{seen.login} has not the rights it must have"
        hint = "GRANT and REVOKE what schema.sql says; a service login has no other rights"
        return failed(of, BadConfiguration(words, ", ".join(wrong), hint))
    return ok(of, f"{seen.login} has the rights of {part}, and no others")


def backups(settings: Settings) -> Finding:
    """How old a dump may be that a destroyed key is still in. Raises BadConfiguration."""
    of, declared = "database.backups", settings.database
    interval, horizon = declared.backup_interval / DAY, declared.backup_horizon / DAY
    words = f"dumped every {interval:g} days, readable for {horizon:g} days, as declared"
    if declared.backup_horizon < declared.backup_interval:
        hint = "database.backup_horizon: how long the oldest dump that somebody has can be read"
        return failed(of, BadConfiguration("a dump cannot be gone before the next one", words, hint))
    if settings.spool.keep_sealed > declared.backup_horizon:
        hint = "destruction is complete only when both are over: a shorter spool.keep_sealed ends it sooner"
        return warning(of, "sealed copies stay longer than dumps", words, hint)
    return ok(of, words, f"sealed copies stay {settings.spool.keep_sealed / DAY:g} days")
