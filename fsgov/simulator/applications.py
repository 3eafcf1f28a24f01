"""The dialplan applications that the simulator knows, as mod_dptools plays them (seen on 1.10.12)."""

from __future__ import annotations

import re
from collections.abc import Callable

from fsgov.errors import BadConfiguration
from fsgov.simulator.playback import Playback
from fsgov.simulator.run import Run, Steps, Wait

BREAKABLE = frozenset({"time", "break"})
LISTENING = frozenset({"key", "played"})


def _set(run: Run, data: str) -> Steps:
    name, _, value = data.partition("=")
    run.channel.set(name.strip(), value)
    yield from ()


def _export(run: Run, data: str) -> Steps:
    name = data.partition("=")[0]
    run.channel.set(name, data.partition("=")[2])
    known = [n for n in run.channel.variables.get("export_vars", "").split(",") if n and n != name]
    run.channel.set("export_vars", ",".join([*known, name]))
    yield from ()


def _unset(run: Run, data: str) -> Steps:
    run.channel.unset(data)
    yield from ()


def _multiset(run: Run, data: str) -> Steps:
    for part in data.split():
        name, _, value = part.partition("=")
        run.channel.set(name, value)
    yield from ()


def _multiunset(run: Run, data: str) -> Steps:
    run.channel.unset(*data.split())
    yield from ()


def _answer(run: Run, _: str) -> Steps:
    if not run.channel.answered:
        run.switch.life.answer_near(run.channel)
        run.channel.stage("a.ack")
    yield from ()


def _sleep(run: Run, data: str) -> Steps:
    """Until its time is over or uuid_break; keys stay in the queue."""
    yield Wait(BREAKABLE, int(data) / 1000)


def _event(run: Run, data: str) -> Steps:
    """A CUSTOM event: its own headers, then those of the channel."""
    words = [(n.strip(), v.strip()) for n, _, v in (part.partition("=") for part in data.split(","))]
    facts = dict(words)
    if facts.get("Event-Name") != "CUSTOM" or "Event-Subclass" not in facts:
        raise BadConfiguration("The simulator fires CUSTOM events only", data)
    own = [(name, value) for name, value in words if name not in ("Event-Name", "Event-Subclass")]
    c = run.channel
    run.switch.bus.custom(facts["Event-Subclass"], "event", [*own, *c.headers("CUSTOM")], c.uuid)
    yield from ()


def _playback(run: Run, data: str) -> Steps:
    """A file; a key among `playback_terminators` (default *) ends it, others are taken and do nothing."""
    kept = run.channel.variables.get("playback_terminators", "*")
    terminators = {"none": "", "any": "1234567890*#"}.get(kept, kept)
    yield from _heard(run, data, terminators)
    run.channel.set("current_application_response", _response(run))


def _response(run: Run) -> str:
    return run.channel.variables.get("current_application_response", "FILE PLAYED")


def _heard(run: Run, path: str, terminators: str) -> Steps:
    """Play until the end, or until a terminator, which is left in `pressed`."""
    run.pressed = ""
    playing = Playback(run.switch, run.channel, path, 0.0, then=lambda: run.wake("played"))
    run.channel.playback = playing
    while not playing.over:
        word, _ = yield Wait(LISTENING)
        while word == "key" and run.digits and not run.pressed:
            digit = run.take()
            if digit in terminators:
                run.pressed = digit
                playing.end("break")


def _flush_dtmf(run: Run, _: str) -> Steps:
    """What is queued is thrown away; no event tells of it."""
    run.digits.clear()
    yield from ()


def _play_and_get_digits(run: Run, data: str) -> Steps:
    """One digit after or during the prompt: min max tries timeout terminators file invalid_file var regex."""
    words = data.split(" ")
    if len(words) != 9 or words[:3] != ["1", "1", "1"]:
        raise BadConfiguration("The simulator reads one digit in one try", data)
    timeout, _, file, invalid, name, expression = words[3:]
    c = run.channel
    c.unset(name, f"{name}_invalid")
    yield from _heard(run, file, "0123456789*#ABCD")
    digit = run.pressed
    missing = _response(run) == "FILE NOT FOUND"
    if not digit and not missing:
        word, _ = yield Wait(frozenset({"key", "time"}), int(timeout) / 1000)
        digit = run.take() if word == "key" else ""
    c.unset("current_application_response")
    if digit and re.search(expression, digit):
        c.set(name, digit)
        return
    c.set(f"{name}_invalid", digit)
    yield from _heard(run, invalid, "")
    c.unset("current_application_response")


def _execute_extension(run: Run, data: str) -> Steps:
    """Another extension's actions, then back; an unknown context or extension does nothing."""
    words = data.split()
    context = words[2] if len(words) > 2 else run.context
    actions = run.switch.plan.hunt(context, words[0], run.value) if words else None
    if actions:
        yield from run.inner(actions)


def _transfer(run: Run, data: str) -> Steps:
    """The channel leaves this dialplan for another extension."""
    from fsgov.simulator import transfer

    number, _, rest = data.partition(" ")
    transfer.leave(run.switch, run.channel, number)
    run.stop()
    context = rest.split()[-1] if rest else run.context
    run.switch.clock.call_later(0.0, lambda: run.switch.route(run.channel, number, context))
    yield from ()


def _hangup(run: Run, data: str) -> Steps:
    run.stop()
    run.switch.end(run.channel, data or "NORMAL_CLEARING", "kill")
    yield from ()


def _bridge(run: Run, data: str) -> Steps:
    """Calls an agent by the number in its address; the phone answers at once."""
    agent = data.rpartition("/")[2].partition("@")[0]
    run.terminal = True
    call = run.switch.call_of(run.channel)
    call.dial(agent).answer()
    yield from ()


def _park(run: Run, _: str) -> Steps:
    run.terminal = True
    run.switch.call_of(run.channel).park()
    yield from ()


def _bind_meta_app(run: Run, data: str) -> Steps:
    """`* digit` of leg a or b runs an application on the leg that pressed it, at once (flags s and i)."""
    digit, legs, flags, application = data.split(" ", 3)
    if set(flags) != {"s", "i"} or legs not in ("a", "b"):
        raise BadConfiguration("The simulator binds for one leg, same and inline", data)
    name, _, argument = application.partition("::")
    run.channel.bindings[legs, digit] = (name, argument)
    yield from ()


APPLICATIONS: dict[str, Callable[[Run, str], Steps]] = {
    "answer": _answer,
    "bind_meta_app": _bind_meta_app,
    "bridge": _bridge,
    "event": _event,
    "execute_extension": _execute_extension,
    "export": _export,
    "flush_dtmf": _flush_dtmf,
    "hangup": _hangup,
    "multiset": _multiset,
    "multiunset": _multiunset,
    "park": _park,
    "play_and_get_digits": _play_and_get_digits,
    "playback": _playback,
    "set": _set,
    "sleep": _sleep,
    "transfer": _transfer,
    "unset": _unset,
}
