"""Histories that once broke a law, kept as they were found and made small."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """`why`: what was wrong. Faults are spent from the end; `late`: only from the script on."""

    why: str
    mode: str
    record: str = "always"
    opening: str
    script: str
    faults: str = ""
    late: bool = False


FOUND = (
    Found(
        why="the end of a stray ended the question about it",
        mode="none",
        opening="call a, answer a, wait 1",
        script="wait 0.1, wait 1, kill 2",
        faults="late, fine",
    ),
    Found(
        why="a pause of a call that its pause's limit has stopped was accepted, and its resume, too",
        mode="none",
        opening="call a, call b, answer b, answer a, wait 10, act pause, wait 1",
        script="disconnect, wait 30, act pause, wait 1, act resume, wait 1",
    ),
    Found(
        why="the end of the segment ended the stop of a stray",
        mode="opt_out",
        opening="call a, answer a, wait 1",
        script="wait 9, press a *9, wait 1, hangup a",
        faults="late, fine, fine, fine, fine, fine, fine, lost, late, fine",
        late=True,
    ),
    Found(
        why="a pause was acknowledged while the unmask before it was still under way",
        mode="none",
        opening="call a, answer a, wait 1",
        script="act pause, wait 1, act resume, wait 1, act pause, wait 1, act resume, wait 1",
        faults="lost, fine",
        late=True,
    ),
    Found(
        why="killed after an unmask was sent: the mask had ended",
        mode="none",
        opening="call a, answer a, wait 1",
        script="act pause, wait 1, act resume, wait 1, restart fsgov",
        faults="lost, fine",
        late=True,
    ),
    Found(
        why="a stop was acknowledged while a recording that had been given up ran",
        mode="notice",
        opening="call a, call b, answer b, answer a, bridge b",
        script="wait 1, answer a, wait 1, press a 1, wait 1, wait 9, act stop, kill 1, wait 1",
        faults="late, fine, fine, lost, dropped, lost, refused, fine, fine, late, fine, fine, fine, fine",
        late=True,
    ),
    Found(
        why="and so was a pause",
        mode="notice",
        opening="call a, call b, answer b, answer a, bridge b",
        script="answer a, wait 1, press a 1, wait 1, hold a, wait 4, hold a, wait 1, act pause, wait 4, "
        "act resume, wait 4",
        faults="lost, fine, fine, fine, fine, late, fine, fine, fine, fine",
        late=True,
    ),
    Found(
        why="a hold that was told of before the start of its file",
        mode="notice",
        opening="call a, call b, answer b, answer a, wait 10, act pause, wait 1",
        script="act resume, wait 0.5, act pause, hold a",
        faults="late, fine, fine, fine, fine, dropped, fine, fine, fine",
    ),
    Found(
        why="a segment ended while its unmask was under way",
        mode="opt_out",
        opening="call a, call b, answer b, answer a, wait 10, act pause, wait 1",
        script="act resume, wait 1, stray",
        faults="lost",
        late=True,
    ),
    Found(
        why="a late start of a leg that had gone was asked about without end",
        mode="opt_in",
        opening="call a, call b, answer b, answer a, wait 1, press a 1, wait 1",
        script="hangup a",
        faults="late, fine, fine, refused, fine, fine, fine, fine, fine, fine",
    ),
    Found(
        why="a recording moved to a leg that nobody knew",
        mode="none",
        opening="call a, call b, answer b, answer a, wait 10, act pause, wait 1",
        script="move, act resume",
        faults="lost, lost",
    ),
    Found(
        why="a leg found after a restart took the name of a call that was over",
        mode="opt_out",
        opening="call a, call b, answer b, answer a, wait 1, press a 1, wait 1",
        script="hangup a, wait 1, restart fsgov",
        faults="lost, lost",
    ),
    Found(
        why="a hold that was over before the start of its file was told of",
        mode="none",
        opening="call a",
        script="answer a, wait 0.1, hold a, wait 0.2, hold a, wait 1, act pause, wait 1, act resume, wait 1",
        faults="late, fine, fine",
        late=True,
    ),
    Found(
        why="a pause was acknowledged while nothing but a stray ran",
        mode="opt_out",
        opening="call a, answer a, wait 1",
        script="wait 4, wait 4, wait 4, kill 1, act start, act pause",
        faults="dropped, dropped, fine, no effect, fine, fine, late, fine",
        late=True,
    ),
)

SEVERAL = (
    Found(
        why="what a merged call asked about its leg was answered to its elder alone, and it recorded on",
        mode="notice",
        opening="call a, answer a, wait 1, press a 1, call x, answer x, wait 1, press x 1, wait 9",
        script="room a 1, room b 1, wait 1, room x 1, wait 4",
        faults="refused, fine, fine, fine",
        late=True,
    ),
    Found(
        why="a start of a call that had merged while it was under way came about, and ran on",
        mode="none",
        opening="call a, answer a, wait 1, press a 1, wait 9",
        script="call b, answer b, room a 1, room b 1, wait 1, call x, answer x, press x 1, room x 1, wait 9, "
        "room a 2, kill 1, restart fsgov, meet a b",
    ),
    Found(
        why="who had left one call, and come back to another, was sent to the first",
        mode="none",
        opening="call a, answer a, wait 1, press a 1, wait 9",
        script="call b, answer b, room a 1, room b 1, wait 1, call x, answer x, press x 1, room x 1, wait 9, "
        "room a 2, kill 1, call x, answer x, call y, answer y, meet x y, wait 1, press x 1, wait 9, "
        "meet a y, hangup x, meet a b",
    ),
    Found(
        why="the last one in a room kept two others of his call from being recorded, who had left it",
        mode="none",
        opening="call a, call b, answer b, answer a, meet a b, wait 1, press a 1, wait 9",
        script="call d, answer d, meet b d, wait 1, press d 1, wait 1, call b, answer b, room a 1, room b 1, "
        "wait 1, call x, answer x, press x 1, room x 1, wait 9, room a 2, meet a x",
    ),
    Found(
        why="the room of a leg that nobody knew yet was forgotten when it was known",
        mode="notice",
        opening="call a, answer a, wait 1, press a 1, wait 9",
        script="call b, answer b, room a 1, room b 1, wait 1, call x, answer x, press x 1, room x 1, wait 9, "
        "room a 2, call b, answer b, call c, answer c, wait 1, press c 2, wait 1, room a 1, room b 1",
        faults="lost",
        late=True,
    ),
    Found(
        why="killed between the two files of a merger, the younger told its end twice",
        mode="agent_attested",
        opening="call a, answer a, wait 1, press a 1, wait 9",
        script="call x, answer x, wait 1, press x 1, wait 1, meet a x, kill 2",
    ),
    Found(
        why="and so did one whose leg had met another in a room",
        mode="agent_attested",
        opening="call a, answer a, wait 1, press a 1, wait 9",
        script="call x, answer x, wait 1, press x 1, wait 1, room x 2, call y, answer y, room y 2, wait 9, "
        "room a 2, kill 2",
    ),
    Found(
        why="a leg was recorded that had met somebody who had refused, before the two calls were one",
        mode="opt_out",
        opening="call a, answer a, wait 1, press a 1, wait 9",
        script="call b, call d, answer d, meet b d, wait 1, press d 1, wait 1, call x, answer x, wait 1, "
        "press x 2, wait 1, meet a x, wait 1",
    ),
    Found(
        why="and when it met somebody who had not been asked to the end",
        mode="opt_out",
        opening="call a, answer a, wait 1, press a 1, wait 9",
        script="call x, answer x, wait 1, press x 1, wait 1, call b, call d, answer d, meet b d, wait 1, "
        "press d 1, wait 1, meet a x, wait 1",
    ),
    Found(
        why="who came back to a room was together with one of those in it, who were of two calls by then",
        mode="notice",
        opening="call a, answer a, wait 1, press a 1, wait 9",
        script="call b, answer b, room a 1, room b 1, wait 1, call x, answer x, press x 1, room x 1, wait 9, "
        "room a 2, room a 1",
        faults="lost, fine",
        late=True,
    ),
)
"""Of two calls that merge and part."""
