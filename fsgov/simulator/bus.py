"""How events leave the switch: only those somebody listens to are made; faults have their way first."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from fsgov.simulator.event import Event

if TYPE_CHECKING:
    from fsgov.simulator.channel import Channel
    from fsgov.simulator.connection import Connection
    from fsgov.simulator.switch import Switch

Headers = list[tuple[str, str]]


class Bus:
    """The listeners and the way to them. `sequence` is the last Event-Sequence."""

    def __init__(self, switch: Switch, latency: float) -> None:
        self.switch, self.latency = switch, latency
        self.connections: list[Connection] = []
        self.sequence = 400
        self._held: list[Event] = []

    def delay(self) -> float:
        """How long an event waits for the 20 ms poll of its listener's thread."""
        return self.latency * random.uniform(0.85, 1.5) if self.latency else 0.0  # noqa: S311  (no secret)

    def wanted(self, name: str, subclass: str = "") -> bool:
        return any(c.subscription.wants(name, subclass) for c in self.connections)

    def head(self, name: str, origin: str) -> Headers:
        return self.switch.identity.headers(name, origin, self.switch.clock.epoch(), self.sequence)

    def of_channel(self, c: Channel, name: str, extra: Headers | None = None) -> None:
        """An event of a channel."""
        self.sequence += 1
        if self.wanted(name):
            self.send(Event(name, self.head(name, name) + c.headers(name) + (extra or []), uuid=c.uuid))

    def plain(self, name: str, extra: Headers, body: bytes = b"") -> None:
        """An event of no channel."""
        self.sequence += 1
        if self.wanted(name):
            self.send(Event(name, self.head(name, name) + extra, body))

    def custom(self, subclass: str, origin: str, extra: Headers, uuid: str = "", body: bytes = b"") -> None:
        """A CUSTOM event; its subclass comes before everything else."""
        self.sequence += 1
        if self.wanted("CUSTOM", subclass):
            head = [("Event-Subclass", subclass), *self.head("CUSTOM", f"{subclass} {origin}")]
            self.send(Event("CUSTOM", head + extra, body, subclass, uuid))

    def send(self, event: Event) -> None:
        """Hand an event to those who listen, after the faults had their way with it."""
        held, self._held = self._held, []
        hits = {f.kind: f for f in self.switch.faults.event(event.name, event.uuid)}
        for fault in hits.values():
            self.switch.world.note("fault", fault=fault.kind, event=event.name, uuid=event.uuid)
            if fault.kind == "hostile":
                event.replace(fault.header, fault.text)
        if "late" in hits:
            self.switch.clock.call_later(hits["late"].seconds, lambda: self._deliver(event))
        elif "reorder" in hits:
            self._held.append(event)
            self.switch.clock.call_later(1.0, self._overdue)
        elif "drop" not in hits:
            self._deliver(event, "half" if "half" in hits else "cut" if "cut" in hits else "")
            if "duplicate" in hits:
                self._deliver(event)
        for old in held:
            self._deliver(old)

    def _overdue(self) -> None:
        held, self._held = self._held, []
        for old in held:
            self._deliver(old)

    def _deliver(self, event: Event, cut: str = "") -> None:
        for connection in list(self.connections):
            connection.offer(event, cut)
