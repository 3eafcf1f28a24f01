"""What can be asked of a world in words: the steps of scripts and of the control channel.

A step is one object: `do` names it, `call` the call it is about (the name given with `as` when the
call was made, or its uuid), the rest are its arguments:

    call {as, caller, dialled, caller_name, variables, uuid, dialplan, without, context}
        (caller_name and variables of `say` may be {hex = "4a6fe9"}: bytes that are not UTF-8)
    dial, bridge {call, agent, uuid, variables}    ring {call, agent, uuid}    answer {call, by}
    park, queue, busy, reject {call}
    press {call, digits, by, every}             hold, unhold {call, by}
    blind_transfer, attended_transfer {call, to, by, uuid}      conference {call, room, by}
    hang_up, kill {call, by, cause}             say {call, leg, variables}: set channel variables
    api {text}: an api command that no client of the socket sent
    fault {kind, event, command, leg, nth, times, seconds, text, header}      no_faults {}
    plan {files}: dialplans in XML, for calls with a `context`      globals {variables}
    prompt {path, seconds}   dialplan {extension, action}   disk {directory, limit}   uuids {uuids}
    load {calls, rate, seconds, agent, caller, dialled}: many calls, bridged at once, hung up after `seconds`
    reload {}   shutdown {}   advance {seconds}   skip {seconds}: time that nobody has to wait for
    time {}   world {since}
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fsgov.simulator import api, encoding, system
from fsgov.simulator.faults import Fault

if TYPE_CHECKING:
    from fsgov.simulator.call import Call
    from fsgov.simulator.switch import Switch

Step = dict[str, Any]
OF_A_CALL = frozenset(
    [
        "dial",
        "ring",
        "answer",
        "bridge",
        "press",
        "hold",
        "unhold",
        "park",
        "conference",
        "queue",
        "busy",
        "reject",
        "blind_transfer",
        "attended_transfer",
        "hang_up",
        "kill",
    ]
)


class Steps:
    """Carries out steps; remembers the calls by the names they were given."""

    def __init__(self, switch: Switch) -> None:
        self.switch = switch
        self.calls: dict[str, Call] = {}

    def do(self, step: Step) -> Step:
        """Carry one out and tell what came of it. Raises KeyError, TypeError, ValueError for a wrong step."""
        facts = {k: v for k, v in step.items() if k not in ("do", "at", "call", "as")}
        verb = step["do"]
        if verb == "call":
            return self._call(step.get("as", ""), facts)
        if verb in OF_A_CALL:
            call = self.find(step["call"])
            getattr(call, verb)(**facts)
            return {
                "call": call.a.uuid,
                "legs": [{"uuid": c.uuid, "leg": c.number, "up": c.up} for c in call.legs],
            }
        act = getattr(self, f"_{verb}", None)
        if act is None:
            raise ValueError(f"no such step: {verb}")
        made: Step = act(**({"call": step["call"]} if "call" in step else {}), **facts) or {}
        return made

    def find(self, name: str) -> Call:
        """A call by its name or by the uuid of one of its legs."""
        return self.calls[name] if name in self.calls else self.switch.calls[name]

    def _call(self, name: str, facts: Step) -> Step:
        if "caller_name" in facts:
            facts["caller_name"] = _text(facts["caller_name"])
        call = self.switch.call(**facts)
        self.calls[name or call.a.uuid] = call
        return {"call": call.a.uuid, "leg": call.a.number}

    def _say(self, call: str, variables: dict[str, str], leg: str = "a") -> None:
        for name, value in variables.items():
            self.find(call).leg(leg).set(name, _text(value))

    def _fault(self, **facts: Any) -> None:
        self.switch.misbehave(Fault.of(facts))

    def _no_faults(self) -> None:
        self.switch.faults.clear()

    def _prompt(self, path: str, seconds: float) -> None:
        self.switch.prompts[path] = seconds

    def _dialplan(self, extension: str, action: str) -> None:
        self.switch.dialplan[extension] = action

    def _uuids(self, uuids: list[str]) -> None:
        self.switch.next_uuids(uuids)

    def _plan(self, files: list[str]) -> None:
        for file in files:
            self.switch.plan.load(file)

    def _globals(self, variables: dict[str, str]) -> None:
        self.switch.globals.update(variables)

    def _disk(self, directory: str, limit: int | None = None) -> None:
        place = self.switch.on_disk(directory)
        if limit is None:
            self.switch.disk.free(place)
        else:
            self.switch.disk.limit(place, limit)

    def _load(
        self,
        calls: int,
        rate: float,
        seconds: float,
        agent: str = "1000",
        caller: str = "+4930{n:07d}",
        dialled: str = "2000",
    ) -> None:
        clock, switch = self.switch.clock, self.switch

        def one(n: int) -> None:
            call = switch.call(caller=caller.format(n=n), dialled=dialled)
            call.bridge(agent)
            clock.call_later(seconds, lambda: call.hang_up("a"))

        for n in range(calls):
            clock.call_later(n / rate, lambda n=n: one(n))  # type: ignore[misc]

    def _api(self, text: str) -> Step:
        command, _, argument = text.partition(" ")
        return {"reply": api.execute(self.switch, command, argument)}

    def _reload(self) -> None:
        system.reload(self.switch)

    def _shutdown(self) -> None:
        system.shutdown(self.switch)

    def _advance(self, seconds: float) -> None:
        self.switch.clock.advance(seconds)

    def _skip(self, seconds: float) -> None:
        self.switch.clock.skip(seconds)

    def _time(self) -> Step:
        return {"now": self.switch.clock.now(), "epoch": self.switch.clock.epoch()}

    def _world(self, since: int = 0) -> Step:
        entries = self.switch.world.entries
        return {"entries": entries[since:], "next": len(entries)}


def _text(value: str | dict[str, str]) -> str:
    """A value as a script gives it: text, or {hex = "…"} for bytes that are not UTF-8."""
    return encoding.text(bytes.fromhex(value["hex"])) if isinstance(value, dict) else value


def schedule(steps: Steps, script: Step, origin: float = 0.0) -> float:
    """Put a script's steps on the clock and tell when the last one is due.

    `[[step]]` at absolute seconds, `[[call]]` with `[[call.step]]` relative to the call; second 0 of the
    script is `origin` of the world.
    """
    plan: list[tuple[float, Step]] = [(float(s.get("at", 0.0)), s) for s in script.get("step", [])]
    for i, call in enumerate(script.get("call", [])):
        start, name = float(call.get("at", 0.0)), call.get("as", f"call {i + 1}")
        facts = {k: v for k, v in call.items() if k != "step"}
        plan.append((start, facts | {"do": "call", "as": name}))
        plan += [(start + float(s["at"]), s | {"call": name}) for s in call.get("step", [])]
    for path, seconds in script.get("prompts", {}).items():
        steps.switch.prompts[path] = seconds
    steps.switch.dialplan.update(script.get("dialplan", {}))
    for at, step in sorted(plan, key=lambda p: p[0]):
        steps.switch.clock.call_later(origin + at - steps.switch.clock.now(), lambda s=step: steps.do(s))  # type: ignore[misc]
    return max((at for at, _ in plan), default=0.0)
