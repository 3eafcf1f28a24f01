"""What govern makes of the configuration for the core."""

from __future__ import annotations

from fsgov.govern import site


def test_every_salt_is_another_one_and_long_enough() -> None:
    salts = {site.salt() for _ in range(1000)}
    assert len(salts) == 1000
    assert {len(bytes.fromhex(salt)) for salt in salts} == {16}
