"""A simulated FreeSWITCH: its event socket, recordings and callers, for the demo, tests and benches.

    from fsgov.simulator import Clock, Fault, ManualClock, Switch, timecode

    switch = Switch(Clock(speed=1.0), recordings="/spool/audio", world=Path("world.jsonl"))
    host, port = switch.listen("127.0.0.1")             # port 0: any free one
    call = switch.call(caller="+4930123456", dialled="+4930901820", caller_name="Alice",
                       variables={"tenant": "acme"}, uuid="…")      # the INVITE; the dialplan runs
    call.dial("1000", uuid="…").ring().answer()         # the agent's phone; answer() bridges
    call.bridge("1000")                                 # dial + answer in one
    call.answer()                                       # with nobody ringing: the dialplan answers the caller
    call.press("1").hold(by="b").unhold(by="b")
    call.blind_transfer("2001", by="b"), call.attended_transfer("2001", by="b")
    call.park(), call.conference("room1"), call.queue(), call.busy(), call.reject()
    call.hang_up(by="a")                                # "a" caller, "b" first agent, "c" …, or a uuid
    call.a, call.b, call.legs                           # Channel: .uuid .number .variables .answered .up
    switch.plan.load("dialplans/gate.xml")              # XML as FreeSWITCH reads it (`plan`, `applications`)
    switch.call(dialled="2000", context="default")      # runs the extension that this context has for it
    switch.misbehave(Fault("silence", command="uuid_record * mask"), Fault("drop", event="RECORD_STOP"))
    switch.disk.limit(path, 65536)                      # a full file system below `path`
    switch.world.entries                                # what really happened (also world.jsonl): the oracle
    timecode.decode(wav), timecode.moments(wav)         # which moments of which leg a recording holds
    switch.hangup_all(); switch.close()

`ManualClock()` instead of `Clock` stops the world: `switch.clock.advance(2.5)` moves it. Nothing here is
thread-safe, all is one gevent hub; a client in the same process must be a gevent client. As a process of
its own: `python -m fsgov.simulator --help` (phones and faults as JSON lines on stdin or a unix socket).
"""

from fsgov.simulator import timecode
from fsgov.simulator.call import Call
from fsgov.simulator.channel import Channel
from fsgov.simulator.clock import Clock, ManualClock
from fsgov.simulator.faults import Fault
from fsgov.simulator.switch import Switch
from fsgov.simulator.world import World

__all__ = ["Call", "Channel", "Clock", "Fault", "ManualClock", "Switch", "World", "timecode"]
