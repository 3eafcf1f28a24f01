"""Reading `[prompt.NAME]`, and what its file was found to be when the policy was loaded."""

from __future__ import annotations

import re
from collections.abc import Callable

from fsgov.errors import FsgovError
from fsgov.policy.document import Prompt, PromptFacts
from fsgov.policy.reading import Table

FindPrompt = Callable[[str], PromptFacts]
"""What the WAV file at a path is (relative: beside the policy); raises FsgovError where it is not one."""

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,31}")
SHA256 = re.compile(r"[0-9a-f]{64}")
LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[A-Za-z0-9]{2,8})*")
SWITCH_FILE = re.compile(r"/[A-Za-z0-9/_.+@=~-]{1,255}")
"""It becomes an argument of uuid_broadcast: no space, comma, quote, `!`, `$` or brace."""


def read_prompt(name: str, prompt: Table, find: FindPrompt | None, loaded: Table | None) -> Prompt:
    """One prompt; its file is looked at when the policy is being loaded, else taken as it was."""
    if not NAME.fullmatch(name):
        prompt.faults.add(prompt.path, "is no name of a prompt", "letters, digits, _ and -")
    file = prompt.text("file", needed="a WAV file as fsgov sees it")
    facts = PromptFacts(file="", samples=0, rate=0, sha256="")
    if find is not None and file:
        try:
            facts = find(file)
        except FsgovError as fault:
            prompt.fault("file", str(fault), fault.hint)
    elif loaded is not None:
        facts = read_facts(loaded)
    elif file:
        prompt.fault("file", "has not been looked at", "load the policy from its file")
    switch_file = prompt.text("switch_file", facts.file)
    if switch_file and not SWITCH_FILE.fullmatch(switch_file):
        key = "switch_file" if prompt.has("switch_file") else "file"
        hint = "an absolute path of letters, digits, / _ . + @ = ~ -; set switch_file where it differs"
        prompt.fault(key, f"{switch_file!r} cannot be named to the switch", hint)
    language = prompt.text("language")
    if language and not LANGUAGE.fullmatch(language):
        prompt.fault("language", f"{language!r} is no language", "de, en or en-GB")
    prompt.end()
    return Prompt(name=name, switch_file=switch_file, language=language, facts=facts)


def read_facts(loaded: Table) -> PromptFacts:
    """What `[loaded.prompt.NAME]` says of a file."""
    by_fsgov = "fsgov writes this when it loads a policy"
    facts = PromptFacts(
        file=loaded.text("file", needed=by_fsgov),
        samples=loaded.integer("samples", 0, 1, 2**40),
        rate=loaded.integer("rate", 0, 1, 1_000_000),
        sha256=loaded.text("sha256", needed=by_fsgov),
    )
    if not SHA256.fullmatch(facts.sha256):
        loaded.fault("sha256", "is no SHA-256", by_fsgov)
    loaded.end()
    return facts
