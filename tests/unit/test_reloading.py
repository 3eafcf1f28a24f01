"""What a reload takes up, what waits for a restart, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from fsgov import reloading
from fsgov.config import Settings, load
from fsgov.errors import BadConfiguration
from fsgov.govern.site import reloaded, site_of

TEXT = """host = "fs1"
[switch]
password = "ClueCon"
trunks = ["external"]
[tenant.default]
region = "DE"
[vault.eu]
url = "file:audio"
keys = "file:keys"
"""


@pytest.fixture
def before(tmp_path: Path) -> Settings:
    (tmp_path / "fsgov.toml").write_text(TEXT)
    return load(tmp_path / "fsgov.toml")


def after(before: Settings, old: str, new: str) -> Settings:
    assert old in TEXT
    before.path.write_text(TEXT.replace(old, new))
    return reloading.read_again(before, "govern")


def test_what_govern_takes_up_waits_for_nothing(before: Settings) -> None:
    for old, new in (
        ('trunks = ["external"]', 'trunks = ["sofia/berlin"]'),
        ('region = "DE"', 'region = "GB"'),
        ("[vault.eu]", "[vault.uk]"),
    ):
        settings = after(before, old, new)
        assert reloading.waiting(before, settings) == []
        assert reloaded(site_of(before), settings) == site_of(settings)


def test_everything_else_waits_for_a_restart_and_is_named(before: Settings) -> None:
    settings = after(before, 'password = "ClueCon"', 'password = "ClueCon"\nport = 9000')
    assert reloading.waiting(before, settings) == ["switch"]
    settings = after(before, 'host = "fs1"', 'host = "fs2"')
    assert reloading.waiting(before, settings) == ["host"]
    assert reloaded(site_of(before), settings) == site_of(before)


def test_what_a_part_needs_is_looked_at_again(before: Settings) -> None:
    with pytest.raises(BadConfiguration, match=r"switch\.password"):
        after(before, 'password = "ClueCon"\n', "")
