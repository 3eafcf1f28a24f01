"""`[health]`: off unless it is set, every fault by its key."""

from __future__ import annotations

from pathlib import Path

import pytest

from fsgov.config.file import parse
from fsgov.config.settings import Address, Health
from fsgov.errors import BadConfiguration

FILE = Path("/srv/fsgov/fsgov.toml")


def health(text: str) -> Health:
    return parse(f'host = "fs1"\n[health]\n{text}\n', FILE).health


def test_nothing_listens_unless_it_is_set() -> None:
    assert parse('host = "fs1"\n', FILE).health == Health()
    assert health("") == Health(govern=None, ship=None, keep=None)


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [("127.0.0.1:9464", "127.0.0.1", 9464), ("[::1]:0", "::1", 0), ("metrics.example.net:1", None, 1)],
)
def test_an_address(text: str, host: str | None, port: int) -> None:
    address = health(f'keep = "{text}"').keep
    assert address == Address(host or "metrics.example.net", port)
    assert str(address) == text


@pytest.mark.parametrize("text", ["9464", ":9464", "127.0.0.1", "127.0.0.1:65536", "::1:9464", "a b:1", ""])
def test_what_is_no_address_is_told_by_its_key(text: str) -> None:
    with pytest.raises(BadConfiguration, match=r"health\.ship"):
        health(f'ship = "{text}"')


def test_two_parts_cannot_have_one_address_unless_the_system_chooses() -> None:
    with pytest.raises(BadConfiguration, match=r"health\.keep.*another part"):
        health('govern = "127.0.0.1:1"\nkeep = "127.0.0.1:1"')
    assert health('govern = "127.0.0.1:0"\nkeep = "127.0.0.1:0"').keep == Address("127.0.0.1", 0)


def test_an_unknown_part_is_told() -> None:
    with pytest.raises(BadConfiguration, match=r"health\.shop"):
        health('shop = "127.0.0.1:1"')
