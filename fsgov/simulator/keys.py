"""Keys that people press: heard by whatever runs on the leg, else told at once; and codes bound to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fsgov.simulator.run import Run

if TYPE_CHECKING:
    from fsgov.simulator.channel import Channel
    from fsgov.simulator.switch import Switch


def pressed(switch: Switch, c: Channel, digit: str, source: str) -> None:
    """A key of the leg `c`."""
    switch.world.note("pressed", leg=c.number, digits=digit)
    arrived(switch, c, digit, source)


def arrived(switch: Switch, c: Channel, digit: str, source: str) -> None:
    """The key is heard by what runs on the leg, or by the bridge, which tells of it and knows the codes."""
    if c.run is not None:
        c.run.press(digit, source)
        return
    tell(switch, c, digit, source)
    _code(switch, c, digit)


def tell(switch: Switch, c: Channel, digit: str, source: str) -> None:
    """The DTMF event."""
    duration = "2080" if source == "RTP" else "2000"
    extra = [("DTMF-Digit", digit), ("DTMF-Duration", duration), ("DTMF-Source", source)]
    switch.fire_for(c, "DTMF", extra)


def _code(switch: Switch, c: Channel, digit: str) -> None:
    """bind_meta_app: `*` and a bound digit on a bridged leg; the binding is the originating leg's."""
    if c.peer is None:
        return
    holder, leg = (c, "a") if c.direction == "inbound" else (c.peer, "b")
    if not any(bound == leg for bound, _ in holder.bindings):
        return
    if digit == "*":
        c.meta = not c.meta
        return
    meta, c.meta = c.meta, False
    action = holder.bindings.get((leg, digit))
    if meta and action is not None:
        c.run = Run(switch, c, "")
        c.run.begin([action])
