"""A dialplan in FreeSWITCH's XML: contexts, extensions, conditions, and which actions they give a channel.

The subset that dialplans of fsgov and their tests need, as mod_dialplan_xml.c of 1.10.12 reads it. What is
not in it raises: `load` refuses attributes and tags that it does not know, the run refuses applications.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from fsgov.errors import BadConfiguration

Action = tuple[str, str]
"""An application and its data, variables not yet expanded."""
_VARIABLE = re.compile(r"\$\{([^{}]*)\}")
_REFERENCE = re.compile(r"\$([0-9])")
_KNOWN = {
    "context": {"name"},
    "extension": {"name", "continue"},
    "condition": {"field", "expression", "break"},
    "action": {"application", "data"},
    "anti-action": {"application", "data"},
}
_BREAKS = ("on-false", "on-true", "always", "never")


@dataclass(frozen=True, slots=True)
class Condition:
    field: str
    expression: str
    leave: str
    actions: tuple[Action, ...]
    anti_actions: tuple[Action, ...]


@dataclass(frozen=True, slots=True)
class Extension:
    name: str
    goes_on: bool
    conditions: tuple[Condition, ...]


def expand(text: str, value: Callable[[str], str]) -> str:
    """The text with its variables; what a variable holds is not looked at again."""
    return _VARIABLE.sub(lambda m: value(m[1]), text)


class Plan:
    """The contexts of a switch; as in FreeSWITCH the first of two with one name counts."""

    def __init__(self) -> None:
        self.contexts: dict[str, list[Extension]] = {}

    def load(self, path: Path | str) -> None:
        """Read a file, with what its contexts include. Raises BadConfiguration."""
        for context in _root(Path(path)).iter("context"):
            extensions = [_extension(each) for each in _inside(context, Path(path).parent)]
            self.contexts.setdefault(_attributes(context)["name"], extensions)

    def hunt(self, context: str, number: str, value: Callable[[str], str]) -> list[Action] | None:
        """What the first extension that fits wants done, and those before it that let the search go on.

        value: a channel's variable; None where the context is unknown or nothing fits.
        """
        found: list[Action] = []
        for extension in self.contexts.get(context, []):
            actions = _matched(extension, number, value)
            if actions is None:
                continue
            found += actions
            if not extension.goes_on:
                break
        return found or None


def _root(path: Path) -> Element:
    try:
        return ElementTree.parse(path).getroot()  # noqa: S314  (written by whoever runs the simulator)
    except (OSError, ElementTree.ParseError) as fault:
        raise BadConfiguration(f"The dialplan {path} cannot be read", str(fault)) from fault


def _inside(context: Element, directory: Path) -> Iterator[Element]:
    """The extensions of a context, and those of the files that it includes."""
    for child in context:
        if child.tag != "X-PRE-PROCESS":
            yield child
        elif child.get("cmd") == "include":
            yield from _root(directory / child.get("data", "")).iter("extension")
        else:
            raise BadConfiguration("The simulator does not know this", str(child.attrib))


def _attributes(element: Element) -> dict[str, str]:
    known = _KNOWN.get(element.tag)
    unknown = {element.tag} if known is None else set(element.keys()) - known
    if unknown:
        raise BadConfiguration("The simulator's dialplan does not know this", ", ".join(sorted(unknown)))
    return element.attrib


def _extension(element: Element) -> Extension:
    found = _attributes(element)
    conditions = tuple(_condition(each) for each in element)
    return Extension(found.get("name", ""), found.get("continue") == "true", conditions)


def _condition(element: Element) -> Condition:
    found = _attributes(element)
    leave = found.get("break", "on-false")
    if leave not in _BREAKS or element.tag != "condition":
        raise BadConfiguration("The simulator's dialplan does not know this", f"{element.tag} {leave}")
    actions: dict[str, list[Action]] = {"action": [], "anti-action": []}
    for each in element:
        words = _attributes(each)
        actions[each.tag].append((words["application"], words.get("data", "")))
    return Condition(
        found.get("field", ""),
        found.get("expression", ""),
        leave,
        tuple(actions["action"]),
        tuple(actions["anti-action"]),
    )


def _matched(extension: Extension, number: str, value: Callable[[str], str]) -> list[Action] | None:
    """The actions of an extension that fits; anti-actions, too, make it fit."""
    found: list[Action] = []
    fits = False
    for condition in extension.conditions:
        match: re.Match[str] | None = None
        passed = not condition.field
        if condition.field:
            data = number if condition.field == "destination_number" else expand(condition.field, value)
            match = re.search(expand(condition.expression, value), data)
            passed = match is not None
        if passed:
            found += [(application, _substituted(data, match)) for application, data in condition.actions]
        else:
            found += condition.anti_actions
        fits = passed or bool(condition.anti_actions)
        if condition.leave == "always" or condition.leave == ("on-true" if passed else "on-false"):
            break
    return found if fits else None


def _substituted(data: str, match: re.Match[str] | None) -> str:
    """$1 … of the expression, in the data."""
    if match is None or not match.re.groups:
        return data
    groups = (match[0], *match.groups())
    return _REFERENCE.sub(lambda m: groups[int(m[1])] or "" if int(m[1]) < len(groups) else "", data)
