"""Loading a policy from its file: the prompts it plays and the laws it includes are looked at once, here."""

from __future__ import annotations

import hashlib
import wave
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from zoneinfo import ZoneInfo

from fsgov.errors import BadConfiguration
from fsgov.policy import Policy, PromptFacts, RecordMode, parse
from fsgov.policy.reading import Faults, nearest


def law_packs() -> dict[str, str]:
    """The law packs of this version, by the name that `include` uses."""
    found = resources.files("fsgov").joinpath("laws").iterdir()
    packs = sorted((item for item in found if item.name.endswith(".toml")), key=lambda item: item.name)
    return {f"law:{item.name.removesuffix('.toml')}": item.read_text(encoding="utf-8") for item in packs}


def prompt_facts(path: Path) -> PromptFacts:
    """What a prompt's WAV file is. Raises BadConfiguration where it is not 16-bit PCM with a sound in it."""
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            file.seek(0)
            with wave.open(file) as sound:
                width, rate, samples = sound.getsampwidth(), sound.getframerate(), sound.getnframes()
                heard = len(sound.readframes(samples)) // (width * sound.getnchannels())
    except OSError as fault:
        hint = "record it, and let fsgov read it"
        raise BadConfiguration("the prompt cannot be read", f"{path}: {fault.strerror}", hint) from None
    except (wave.Error, EOFError) as fault:
        raise BadConfiguration("the prompt is no WAV file", f"{path}: {fault}", "16-bit PCM WAV") from None
    if width != 2 or samples == 0 or heard < samples:
        what = (
            "it is shorter than its header says"
            if width == 2 and samples
            else f"{8 * width} bit, {samples} samples"
        )
        raise BadConfiguration("the prompt holds no sound to play", f"{path}: {what}", "16-bit PCM WAV")
    return PromptFacts(file=str(path), samples=samples, rate=rate, sha256=digest)


def load_policy(path: Path, vaults: Mapping[str, str] | None = None) -> Policy:
    """The policy in a file; relative prompts are beside it. Raises BadConfiguration with every fault.

    vaults: the configured ones, which every rule must be able to use, and where each is; None: not checked.
    """
    path = path.absolute()
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as fault:
        why = fault.strerror if isinstance(fault, OSError) else "it is not UTF-8"
        raise BadConfiguration("The policy cannot be read", f"{path}: {why}", "see policy.file") from None
    policy = parse(
        text,
        str(path),
        prompts=lambda file: prompt_facts((path.parent / Path(file).expanduser()).resolve()),
        packs=law_packs(),
    )
    check_place(policy, path, vaults)
    return policy


def check_place(policy: Policy, path: Path, vaults: Mapping[str, str] | None = None) -> None:
    """Whether this host can carry the policy out: its time zone and vaults are here, and where it says."""
    faults = Faults()
    try:
        ZoneInfo(policy.timezone)
    except (KeyError, OSError, ValueError):
        faults.add("timezone", f"{policy.timezone} is not known here", "Area/City as in Europe/Berlin")
    for name, region in policy.bounds.regions.items():
        if vaults is not None and vaults.get(name, region) != region:
            message = f"is {region}, by the configuration {vaults[name] or 'nobody says where it is'}"
            faults.add(f"vault.{name}.region", message, f"[vault.{name}] region of the configuration")
    for number, rule in enumerate(policy.rules, 1):
        if vaults is None or rule.record is RecordMode.NEVER:
            continue
        if rule.vault and rule.vault not in vaults:
            faults.add(
                f"rule[{number}].vault", f"there is no [vault.{rule.vault}]", nearest(rule.vault, vaults)
            )
        elif not rule.vault and len(vaults) != 1:
            hint = f"one of {', '.join(sorted(vaults))}" if vaults else "configure a vault"
            faults.add(f"rule[{number}].vault", "is missing, there is not just one vault", hint)
    faults.raise_any(f"The policy {path}", "the policy and the configuration must agree")


def check_prompts(policy: Policy) -> None:
    """Whether this host has every prompt as it was when the policy was loaded, wherever that was.

    A prompt is looked for where `file` was then, and where the switch plays it from. Raises BadConfiguration.
    """
    faults = Faults()
    for name, prompt in policy.prompts.items():
        places = dict.fromkeys((Path(prompt.facts.file), Path(prompt.switch_file)))
        there = [place for place in places if place.is_file()]
        if not there:
            faults.add(f"prompt.{name}.file", f"{prompt.facts.file} is not here", "copy it to every host")
        elif all(_digest(place) != prompt.facts.sha256 for place in there):
            faults.add(f"prompt.{name}.file", f"{there[0]} is another recording", "copy it to every host")
    faults.raise_any(f"The policy {policy.version}", "each host needs the prompts that were activated")


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""
