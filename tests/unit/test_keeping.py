"""Vaults that cannot keep what a policy wants kept: told before anything is recorded."""

from __future__ import annotations

from pathlib import Path

import pytest

from fsgov.config import VaultSettings, check_keeping
from fsgov.config.file import parse
from fsgov.errors import BadConfiguration
from fsgov.policy import Policy
from fsgov.policy import parse as policy_of
from fsgov.policy.bounds import Bounds

LOCKED = """
version = "1"
timezone = "UTC"
[residency]
DE = ["DE", "FR"]
[vault.eu]
region = "DE"
[purpose.evidence]
basis = "contract"
retain_min = "1 year"
retain_max = "1 year"
lock = "governance"
[[rule]]
name = "all"
consent = "none"
purposes = ["evidence"]
on_withdrawal = "keep"
vault = "eu"
"""


def vault(name: str, url: str, region: str = "DE", **more: object) -> VaultSettings:
    return VaultSettings(name=name, url=url, keys=f"{url}-keys", region=region, **more)  # type: ignore[arg-type]


def faults(policy: Policy, *vaults: VaultSettings) -> str:
    try:
        check_keeping(policy, {each.name: each for each in vaults})
    except BadConfiguration as fault:
        return fault.detail
    return ""


def test_a_directory_locks_nothing() -> None:
    locked, free = policy_of(LOCKED), policy_of(LOCKED.replace('lock = "governance"', ""))
    directory, bucket = vault("eu", "file:/a"), vault("eu", "s3://h/a")
    assert "rule[1].vault: eu is a directory, which locks nothing (governance)" in faults(locked, directory)
    assert faults(locked, bucket) == faults(free, directory) == ""
    replica = vault("dr", "file:/b", replica_of="eu")
    assert "dr is a directory" in faults(locked, bucket, replica)
    only = policy_of(LOCKED.replace('vault = "eu"\n', "").replace('[vault.eu]\nregion = "DE"', "")
                     .replace('[residency]\nDE = ["DE", "FR"]', ""))  # fmt: skip
    assert "eu is a directory" in faults(only, directory), "the only one is meant"


@pytest.mark.parametrize(
    ("by_store", "region", "refused"),
    [(True, "US", True), (True, "", True), (True, "FR", False), (False, "US", False)],
)
def test_a_replica_that_takes_everything_is_where_everything_may_be(
    by_store: bool, region: str, refused: bool
) -> None:
    told = faults(
        policy_of(LOCKED), vault("eu", "s3://h/a"),
        vault("far", "s3://h/b", region, replica_of="eu", by_store=by_store),
    )  # fmt: skip
    assert ("far" in told and "calls with DE may not be kept there" in told) is refused


def test_where_a_recording_may_go() -> None:
    bounds = Bounds.of((), {"CN": frozenset({"CN"}), "DE": frozenset({"DE", "FR"})}, {"eu": "DE", "cn": "CN"})
    regions = {"eu": "DE", "cn": "CN", "fr": "FR", "us": "US", "lost": ""}
    assert bounds.against(["DE"], False, "eu", "fr", regions) == ()
    assert bounds.against(["DE"], False, "eu", "us", regions) == ("DE: not kept in vault us (US)",)
    assert bounds.against(["DE"], False, "eu", "lost", regions) == (
        "DE: not kept in vault lost (nobody says where)",
    )
    assert bounds.against(["DE", "CN"], False, "eu", "fr", regions) == ("CN: not kept in vault fr (FR)",)
    assert bounds.against(["GB"], False, "eu", "us", regions) == ()
    assert bounds.against([], True, "eu", "us", regions) == ("DE: not kept in vault us (US)",), (
        "may be a german"
    )
    assert bounds.against([], True, "eu", "fr", regions) == (), "cannot be from China: it would not be here"
    wrong = bounds.against([], False, "eu", "cn", {**regions, "cn": "DE"})
    assert wrong == ("vault cn is CN by the policy, DE by the configuration",)


HOST = """
host = "fs1"
[spool]
directory = "/s"
[vault.eu]
url = "file:/a"
keys = "file:/ak"
[vault.dr]
url = "file:/b"
keys = "file:/bk"
"""


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ('replica_of = "dr"', "vault.dr.replica_of: there is no other [vault.dr]"),
        ('replica_of = "uu"', "vault.dr.replica_of: there is no other [vault.uu] (known here: eu)"),
        ('replicated_by = "store"', "vault.dr.replicated_by: has no effect, this is no replica"),
        ('replica_of = "eu"\nreplicated_by = "magic"', "vault.dr.replicated_by: 'magic' fills no replica"),
    ],
)
def test_what_is_no_replica(line: str, fault: str) -> None:
    with pytest.raises(BadConfiguration) as told:
        parse(HOST + line, Path("/etc/fsgov.toml"))
    assert fault in told.value.detail


def test_a_replica_is_no_vault_to_record_into() -> None:
    settings = parse(HOST + 'replica_of = "eu"\nreplicated_by = "store"', Path("/etc/fsgov.toml"))
    assert (list(settings.homes), list(settings.regions)) == (["eu"], ["eu"])
    assert settings.vaults["dr"].by_store
    with pytest.raises(BadConfiguration) as told:
        parse(HOST + 'replica_of = "eu"\n[vault.x]\nurl = "file:/c"\nreplica_of = "dr"', Path("/etc/f.toml"))
    assert "vault.x.replica_of: dr is a replica itself" in told.value.detail
