"""What `resolve` makes of the DSNs that are not embedded."""

from __future__ import annotations

from pathlib import Path

import pytest

from fsgov import embedded
from fsgov.errors import Unreachable


@pytest.mark.parametrize(
    ("dsn", "login", "expected"),
    [
        ("postgresql://db/fsgov", (None, None), "postgresql://db/fsgov"),
        (
            "postgresql://x:y@db:5/fsgov?sslmode=require",
            ("a b", "p@/'"),
            "postgresql://a%20b:p%40%2F%27@db:5/fsgov?sslmode=require",
        ),
        ("postgresql://x:y@db/fsgov", ("alice", None), "postgresql://alice@db/fsgov"),
        (
            "host=db dbname=fsgov",
            ("o'neil", "a\\b"),
            "host=db dbname=fsgov user='o\\'neil' password='a\\\\b'",
        ),
        ("", (None, None), ""),
    ],
)
def test_a_login_replaces_that_of_the_dsn(
    dsn: str, login: tuple[str | None, str | None], expected: str
) -> None:
    assert embedded.resolve(dsn, *login) == expected


def test_an_embedded_server_that_is_not_there_is_unreachable(tmp_path: Path) -> None:
    with pytest.raises(Unreachable) as failure:
        embedded.resolve(f"embedded:{tmp_path}/none")
    assert failure.value.hint
