"""The simulated switch: its channels, its clock, its listeners. See the package's docstring for use."""

from __future__ import annotations

import uuid as uuids
from collections.abc import Iterable
from pathlib import Path

from gevent.event import Event as Flag
from gevent.server import StreamServer

from fsgov.errors import Conflict
from fsgov.simulator import ending, keys, system
from fsgov.simulator.bus import Bus
from fsgov.simulator.call import Call
from fsgov.simulator.channel import Channel
from fsgov.simulator.clock import Clock, ManualClock
from fsgov.simulator.connection import Connection
from fsgov.simulator.event import Identity
from fsgov.simulator.faults import Fault, Faults
from fsgov.simulator.life import Life
from fsgov.simulator.plan import Plan
from fsgov.simulator.playback import Prompting
from fsgov.simulator.recording import Recording
from fsgov.simulator.rooms import Rooms
from fsgov.simulator.run import Run
from fsgov.simulator.wav import Disk
from fsgov.simulator.world import World

Headers = list[tuple[str, str]]


class Switch:
    """One FreeSWITCH. Not thread-safe: everything happens in one gevent hub.

    clock:       `Clock(speed)` or `ManualClock()`
    recordings:  what `recordings_dir` says;  root: put before every path the switch writes or reads
    audio:       False writes no files;  tick: how often (world seconds) running files grow
    latency:     how long after it was fired an event is delivered (17-30 ms measured; 0 for tests)
    """

    def __init__(
        self,
        clock: ManualClock | None = None,
        *,
        recordings: Path | str = "/var/spool/freeswitch/recordings",
        password: str = "ClueCon",  # noqa: S107  (the default of every FreeSWITCH)
        root: Path | None = None,
        world: Path | None = None,
        audio: bool = True,
        latency: float = 0.0,
        heartbeat: float = 20.0,
        auth_timeout: float = 25.0,
        tick: float = 0.1,
        users: dict[str, dict[str, str]] | None = None,
        first_session: int = 1,
    ) -> None:
        self.clock: ManualClock = clock or Clock()
        self.recordings_dir, self.password, self.root = str(recordings), password, root
        self.audio, self.auth_timeout = audio, auth_timeout
        self.users = users or {}
        self.identity: Identity = Identity(str(uuids.uuid4()))
        self.world = World(self.clock, world)
        self.faults = Faults()
        self.disk = Disk()
        self.life, self.rooms, self.prompting = Life(self), Rooms(self), Prompting(self)
        self.channels: dict[str, Channel] = {}
        self.calls: dict[str, Call] = {}
        self.bus = Bus(self, latency)
        self.dialplan: dict[str, str] = {"4000": "park"}
        self.plan, self.globals = Plan(), dict[str, str]()
        self.prompts: dict[str, float] = {}
        self.base_dir = "/usr/local/freeswitch"
        self.sound_prefix = "/usr/local/freeswitch/share/freeswitch/sounds"
        self.playback_delay, self.consultation = 0.17, 1.5
        self.sessions = first_session - 1
        self.paused: set[str] = set()
        self.shutting_down, self.stopped = "", Flag()
        self.acl: Iterable[str] | None = None
        self._uuids: list[str] = []
        self._server: StreamServer | None = None
        self._tick, self.heartbeat = tick, heartbeat
        if heartbeat:
            self.clock.call_later(heartbeat, lambda: system.beat(self, heartbeat, 1))
        if audio:
            self.clock.call_later(tick, self._grow)

    # -- phones ----------------------------------------------------------------------------------

    def call(
        self,
        caller: str = "15551230001",
        dialled: str = "2000",
        *,
        caller_name: str = "Alice Example",
        variables: dict[str, str] | None = None,
        uuid: str | None = None,
        dialplan: dict[str, str] | None = None,
        without: str = "",
        context: str = "",
    ) -> Call:
        """A caller's INVITE arrives: one inbound channel that runs the dialplan.

        variables: what the INVITE or the directory brings (there at CHANNEL_CREATE);  dialplan: what its
        first `set`s do;  without: names of variables this phone's SIP does not give;  context: where in
        `plan` (the XML that was loaded) the call comes in, instead of a script that plays the dialplan.
        """
        if "inbound" in self.paused or self.shutting_down in ("asap", "now"):
            raise Conflict("the switch takes no calls", "paused or shutting down: the caller gets 503")
        tokens = {
            "caller": caller,
            "dialled": dialled,
            "caller_name": caller_name or caller,
            "agent": "",
            "without": without,
        }
        a = self.new_channel("inbound", uuid, tokens, None)
        a.bring(variables or {})
        call = Call(self, a)
        self.calls[a.uuid] = call
        self.life.create(a)
        if context:
            self.route(a, dialled, context)
            return call
        for name, value in (
            {"hangup_after_bridge": "true", "ringback": "%(2000,4000,440,480)"}
            if dialplan is None
            else dialplan
        ).items():
            self.life.execute(a, "set", f"{name}={value}")
        return call

    def next_uuids(self, names: Iterable[str]) -> None:
        """The uuids of the next channels, in order of creation."""
        self._uuids += list(names)

    def new_uuid(self) -> str:
        return str(uuids.uuid4())

    def new_channel(
        self, direction: str, uuid: str | None, tokens: dict[str, str], call: Call | None
    ) -> Channel:
        self.sessions += 1
        name = uuid or (self._uuids.pop(0) if self._uuids else self.new_uuid())
        c = Channel(name, self.sessions, direction, tokens, self.clock.epoch())
        self.channels[name] = c
        if call is not None:
            self.calls[name] = call
        self.world.note(
            "leg",
            leg=c.number,
            uuid=name,
            call=call.a.uuid if call else name,
            direction=direction,
            caller=tokens["caller"],
            dialled=tokens.get("dialled") or tokens.get("agent", ""),
        )
        return c

    def call_of(self, c: Channel) -> Call:
        return self.calls[c.uuid]

    def adopt(self, c: Channel, call: Call) -> None:
        """A leg goes over to another call."""
        self.calls[c.uuid] = call

    def dtmf(self, c: Channel, digit: str, source: str = "RTP") -> None:
        if c.up:
            keys.pressed(self, c, digit, source)

    def route(self, c: Channel, number: str, context: str) -> None:
        """A leg runs the extension of `plan` that its number finds in a context."""
        c.context, c.run = context, Run(self, c, context)
        c.run.start(number)

    def hold(self, c: Channel, on: bool) -> None:
        """CHANNEL_HOLD / CHANNEL_UNHOLD; a recording of the held leg does not advance meanwhile."""
        if c.hold == on or not c.up:
            return
        self.catch_up(c, *([c.peer] if c.peer else []))
        c.hold = on
        c.held(self.clock.epoch(), on)
        c.call_state = "HELD" if on else "UNHELD"
        self.world.note("hold" if on else "unhold", leg=c.number)
        self.fire_for(c, "CHANNEL_HOLD" if on else "CHANNEL_UNHOLD")
        if not on:
            c.call_state = "ACTIVE"

    def end(self, c: Channel, cause: str, how: str, crossing: bool = False) -> None:
        """A leg ends, and with it its partner (`fsgov.simulator.ending`)."""
        ending.end(self, c, cause, how, crossing)

    def gone(self, c: Channel) -> None:
        """The channel is destroyed."""
        self.channels.pop(c.uuid, None)
        self.calls.pop(c.uuid, None)
        self.prompting.forget(c)

    # -- recording and playing ---------------------------------------------------------------------

    def on_disk(self, path: str) -> Path:
        """Where a path of the switch is on this machine."""
        return Path(path) if self.root is None else self.root / path.lstrip("/")

    def start_recording(self, c: Channel, path: str, limit: int, extra: dict[str, str]) -> bool:
        """Start one (a relative path gets a prefix); True also when it runs already."""
        if not path.startswith("/"):
            path = f"{self.sound_prefix}/{path}"
        if path in c.recordings:
            return True
        recording = Recording(self, c, path, limit, extra)
        try:
            recording.open()
        except OSError:
            c.set("record_completion_cause", "uri-failure")
            return False
        if not c.media:
            self.life.early(c)
        c.recordings[path] = recording
        recording.begin()
        self.world.note("opened", file=path, leg=c.number, uuid=c.uuid, frames=0, variables=extra)
        action = extra.get("execute_on_record_start", c.variables.get("execute_on_record_start", ""))
        if action.startswith("set:"):
            name, _, value = action.removeprefix("set:").lstrip(":").partition("=")
            self.clock.call_later(0.0, lambda: c.set(name, value))
        self.fire_for(c, "RECORD_START", recording.own_headers())
        self.fire_for(c, "MEDIA_BUG_START", recording.bug_headers())
        return True

    def catch_up(self, *channels: Channel) -> None:
        """Write all running recordings of these legs up to now."""
        for c in channels:
            for recording in list(c.recordings.values()):
                recording.catch_up()

    def _grow(self) -> None:
        self.catch_up(*list(self.channels.values()))
        self.clock.call_later(self._tick, self._grow)

    def play(self, c: Channel, path: str) -> None:
        """Queue a prompt for a leg."""
        self.prompting.play(c, path)

    # -- events ------------------------------------------------------------------------------------

    def fire_for(self, c: Channel, name: str, extra: Headers | None = None) -> None:
        """An event of a channel."""
        self.bus.of_channel(c, name, extra)

    def fire(self, name: str, extra: Headers, body: bytes = b"") -> None:
        """An event of no channel."""
        self.bus.plain(name, extra, body)

    # -- the socket ----------------------------------------------------------------------------------

    def listen(self, host: str = "127.0.0.1", port: int = 0) -> tuple[str, int]:
        """Open the event socket; the address it got."""
        self._server = StreamServer((host, port), lambda s, a: Connection(self, s, a).run())
        self._server.start()
        return self._server.server_host, self._server.server_port

    @property
    def connections(self) -> list[Connection]:
        return self.bus.connections

    def lacks(self, c: Channel) -> list[str]:
        """Names of variables that this call's phones do not give."""
        return c.tokens.get("without", "").split()

    def misbehave(self, *faults: Fault) -> None:
        """Arm faults."""
        for fault in faults:
            self.faults.add(fault)

    def close(self) -> None:
        """Stop: sockets closed, files as a crash leaves them (`hangup_all` first closes them properly)."""
        if self._server:
            self._server.stop(timeout=0)
        for connection in list(self.connections):
            connection.close()
        for c in self.channels.values():
            for recording in c.recordings.values():
                recording.abandon()
        self.clock.close()
        self.world.close()

    def hangup_all(self, cause: str = "SYSTEM_SHUTDOWN") -> None:
        for c in list(self.channels.values()):
            if c.up:
                self.end(c, cause, "all")
