"""`fsgov check`: whether this host or desk could work as it is configured, one line for each thing."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fsgov.cli import output
from fsgov.cli.frame import Command, Frame, pass_frame
from fsgov.errors import BadConfiguration, Damaged, FsgovError, NotFound, NotPermitted

if TYPE_CHECKING:
    from fsgov.config import Settings

SECRET_KEY = b"AGE-SECRET-KEY-1"
LONGEST_KEY_FILE = 65_536


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. state: ok, warning, failed."""

    of: str
    state: str
    detail: str
    hint: str = ""
    code: int = 0


@click.command(cls=Command, example="fsgov check")
@pass_frame
def check(frame: Frame) -> None:
    """Whether configuration, policy, keys, spool, database, vaults and switch are as they should be.

    A line for each; the exit code is the first failure's. Vaults are tried with objects of fsgov's own below
    probe/, which are removed again where that is permitted.
    On a desk (no [switch] password) only what a desk needs is looked at.
    """
    settings = frame.settings
    findings = [Finding("configuration", "ok", str(settings.path))]
    for of, look in _looks(frame, settings):
        try:
            findings += look()
        except FsgovError as fault:
            detail = "; ".join(str(fault).splitlines())
            findings.append(Finding(of, "failed", detail, fault.hint, fault.exit_code))
    if frame.json:
        output.print_json(findings)
    else:
        for finding in findings:
            hint = f"  (hint: {finding.hint})" if finding.hint else ""
            output.print_line(f"{finding.state:<8} {finding.of:<16} {finding.detail}{hint}")
    failed = [finding for finding in findings if finding.state == "failed"]
    if failed:
        raise click.exceptions.Exit(failed[0].code)


def _looks(frame: Frame, settings: Settings) -> Iterator[tuple[str, Callable[[], list[Finding]]]]:
    if not settings.switch.password:
        yield "desk", lambda: _desk(frame)
        for name in settings.vaults:
            yield f"vault.{name}", lambda name=name: _readable(settings, name)  # type: ignore[misc]
        return
    yield "parts", lambda: _parts(settings)
    yield "policy", lambda: _policy(settings)
    yield "keys", lambda: _keys(settings)
    yield "signing key", lambda: _signing(settings)
    yield "spool", lambda: _spool(settings)
    yield "database", lambda: _database(settings)
    for name in settings.vaults:
        yield f"vault.{name}", lambda name=name: _vault(settings, name)  # type: ignore[misc]
    yield "switch", lambda: _switch(settings)


def _parts(settings: Settings) -> list[Finding]:
    for part in ("govern", "ship", "keep"):
        settings.need(part)
    return [Finding("parts", "ok", "govern, ship and keep have what they need")]


def _policy(settings: Settings) -> list[Finding]:
    from fsgov import config
    from fsgov.policy import run_tests

    policy = config.load_policy(settings.policy.file, settings.vaults)
    failures = run_tests(policy)
    if failures:
        raise BadConfiguration("its own tests fail", "\n".join(map(str, failures)), "fsgov policy check")
    words = f"version {policy.version}, {len(policy.rules)} rules, {len(policy.trials)} tests hold"
    return [Finding("policy", "ok", words)]


def _keys(settings: Settings) -> list[Finding]:
    """Recipients were parsed with the configuration; here no identity may be within reach."""
    found = [path for path in key_files(settings) if holds_identity(path)]
    if found:
        raise BadConfiguration(
            "an identity can be read on this switch host",
            ", ".join(map(str, found)),
            "move it to a desk, treat it as disclosed: whoever breaks in here opens every recording",
        )
    count = sum(len(vault.recipients) for vault in settings.vaults.values())
    return [Finding("keys", "ok", f"{count} recipients, no identity within reach")]


def key_files(settings: Settings) -> Iterator[Path]:
    """Where an identity is usually left: beside the configuration and the log's key, in age's own place."""
    named = os.environ.get("FSGOV_IDENTITY")
    if named:
        yield Path(named)
    places = {settings.path.parent, settings.log.signing_key.parent, settings.spool.directory}
    places.add(Path("~/.config/age").expanduser())
    if credentials := os.environ.get("CREDENTIALS_DIRECTORY"):
        places.add(Path(credentials))
    for place in sorted(places):
        try:
            yield from sorted(path for path in place.iterdir() if path.is_file())
        except OSError:
            continue


def holds_identity(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return SECRET_KEY in file.read(LONGEST_KEY_FILE)
    except OSError:
        return False


def _signing(settings: Settings) -> list[Finding]:
    from fsgov.journal import SIGNER
    from fsgov.journal.part import signing_key
    from fsgov.merkle import PublicKey

    return [Finding("signing key", "ok", str(PublicKey.of(SIGNER, signing_key(settings))))]


def _spool(settings: Settings) -> list[Finding]:
    from fsgov import spool

    directory = settings.spool.directory
    if not directory.exists():
        above = next(path for path in directory.parents if path.exists())
        if not os.access(above, os.W_OK | os.X_OK):
            raise BadConfiguration("the spool cannot be made", f"{above} is not for this user", "chown it")
        return [Finding("spool", "ok", f"{directory} will be made by govern")]
    spool.check(directory)
    disk = spool.disk(directory)
    state = "warning" if disk.used_share > 0.9 else "ok"
    return [Finding("spool", state, f"{directory}, {disk.used_share:.0%} of the disk used")]


def _database(settings: Settings) -> list[Finding]:
    """Each service reaches the database with its own login; the schema is this program's."""
    from fsgov import embedded
    from fsgov.catalog import migrate
    from fsgov.cli.frame import joined_if_embedded

    findings = []
    with joined_if_embedded(settings.database.dsn):
        for part in migrate.PARTS:
            password = settings.database.password(part)
            status = migrate.status(embedded.resolve(settings.database.dsn, f"fsgov_{part}", password))
            if not status.current:
                raise BadConfiguration(
                    "the database does not fit this program",
                    f"step {status.step}, needed {status.newest}",
                    "fsgov db init" if status.step == 0 else "fsgov db upgrade",
                )
            findings.append(Finding("database", "ok", f"fsgov_{part} reaches it, step {status.step}"))
    if settings.database.dsn.startswith(embedded.SCHEME):
        words = "switch, archive and log are in one hand on this host"
        findings.append(Finding("database", "warning", f"embedded: {words}", "for trials, not for service"))
    elif settings.database.credentials and (settings.database.credentials / "keep").exists():
        hint = "run keep elsewhere under its own credentials"
        findings.append(
            Finding("database", "warning", "keep's login is within reach of the switch host", hint)
        )
    return findings


def _vault(settings: Settings, name: str) -> list[Finding]:
    from fsgov.vault import Credentials, open_vault

    vault = settings.vaults[name]
    login = vault.credentials
    credentials = Credentials(login.access.reveal(), login.secret.reveal()) if login else None
    opened = open_vault(name, vault.url, vault.keys, credentials)
    findings = []
    for use, bucket in (("audio", opened.audio), ("keys", opened.keys)):
        with closing(bucket):
            probe = bucket.probe()
        if not probe.digests:
            raise Damaged("the bucket takes bytes that do not have the announced digest", bucket.url)
        words = f"{use}: versions {_word(probe.versioned)}, locks {_word(probe.locks)}"
        safe = probe.versioned and probe.locks is not False
        hint = (
            "" if safe else "nothing in it can be made immutable: a bucket with versions and object lock can"
        )
        findings.append(Finding(f"vault.{name}", "ok" if safe else "warning", words, hint))
    return findings


def _word(state: bool | None) -> str:
    return {True: "yes", False: "no", None: "not tried (this login may not remove)"}[state]


def _switch(settings: Settings) -> list[Finding]:
    from fsgov.cli import switch

    version = switch.logged_in(settings.switch.host, settings.switch.port, settings.switch.password.reveal())
    return [Finding("switch", "ok", f"{settings.switch.host}:{settings.switch.port}, {version}")]


def _desk(frame: Frame) -> list[Finding]:
    with frame.desk() as desk:
        who = desk.whoami()
    if who.person is None:
        raise NotFound("this login is nobody fsgov knows", who.login, f"fsgov people add {who.login} …")
    roles = ", ".join(role.removeprefix("fsgov_") for role in who.roles) or "no role"
    return [Finding("desk", "ok", f"{who.login} is {who.person}: {roles}; tenants {', '.join(who.tenants)}")]


def _readable(settings: Settings, name: str) -> list[Finding]:
    from fsgov.cli.exporting import audio_bucket

    of, url = f"vault.{name}", settings.vaults[name].url
    with audio_bucket(settings, name) as bucket:
        try:
            for _ in bucket.list("log/"):
                break
        except NotPermitted:
            return [Finding(of, "warning", f"{url} may not be listed", "exports only need to read objects")]
    return [Finding(of, "ok", f"{url} can be listed")]
