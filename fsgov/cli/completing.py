"""What a shell completes beside commands, options and files: values that cost no connection.

Shells ask by click's protocol (`_FSGOV_COMPLETE`); docs/cli.md says how they are told to.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from importlib import resources
from importlib.resources.abc import Traversable

import click
from click.shell_completion import CompletionItem

from fsgov.errors import FsgovError

IN_FORCE = "in-force"
"""What `policy diff` calls the policy that counts now."""


def entry_schemas() -> dict[str, Traversable]:
    """The JSON Schema of each entry type, by the type."""
    end = ".v1.json"
    folder = (resources.files("fsgov") / "schemas").iterdir()
    return {item.name.removesuffix(end): item for item in folder if item.name.endswith(end)}


def entry_types(_: click.Context, __: click.Parameter, begun: str) -> list[CompletionItem]:
    return _beginning(entry_schemas(), begun)


def outcomes(_: click.Context, __: click.Parameter, begun: str) -> list[CompletionItem]:
    schema = json.loads(entry_schemas()["call.over"].read_text(encoding="utf-8"))
    return _beginning(schema["properties"]["data"]["properties"]["outcome"]["enum"], begun)


def policies(_: click.Context, __: click.Parameter, begun: str) -> list[CompletionItem]:
    return [CompletionItem(begun, type="file"), *_beginning([IN_FORCE], begun)]


def tenants(context: click.Context, _: click.Parameter, begun: str) -> list[CompletionItem]:
    """Those of the configuration; none where it cannot be read."""
    from fsgov import config

    try:
        found = config.load(context.find_root().params.get("config")).tenants
    except (FsgovError, OSError):
        return []
    return _beginning({**found, "default": None}, begun)


def _beginning(words: Iterable[str], begun: str) -> list[CompletionItem]:
    return [CompletionItem(word) for word in sorted(words) if word.startswith(begun)]
