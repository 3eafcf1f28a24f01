"""One TOML file configures a host's parts or a person's desk; `load` gives it as frozen values."""

from importlib import resources

from fsgov.config.file import find, load
from fsgov.config.keeping import check_keeping
from fsgov.config.policy_file import check_place, check_prompts, law_packs, load_policy, prompt_facts
from fsgov.config.secret import Secret
from fsgov.config.settings import (
    Admin,
    Control,
    Database,
    Log,
    Login,
    Parties,
    PolicyFile,
    Settings,
    Spool,
    Switch,
    VaultSettings,
)

__all__ = [
    "Admin",
    "Control",
    "Database",
    "Log",
    "Login",
    "Parties",
    "PolicyFile",
    "Secret",
    "Settings",
    "Spool",
    "Switch",
    "VaultSettings",
    "check_keeping",
    "check_place",
    "check_prompts",
    "find",
    "law_packs",
    "load",
    "load_policy",
    "prompt_facts",
    "sample",
]

PLACEHOLDER = "age1-YOUR-RECIPIENT"


def sample(recipient: str = PLACEHOLDER) -> str:
    """The text of a complete configuration in which every key is explained.

    As shipped it names no recipient: sealing to a key that nobody holds would be the worst default.
    """
    text = resources.files("fsgov").joinpath("config/sample.toml").read_text(encoding="utf-8")
    return text.replace(PLACEHOLDER, recipient)
