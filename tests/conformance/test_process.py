"""The simulator as a process of its own: driven by a control channel, killed, ended, played from a script."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from fsgov.simulator import timecode
from fsgov.simulator.remote import Remote


def test_phones_are_driven_and_the_world_is_read_from_outside(tmp_path: Path) -> None:
    with Remote.start(recordings=tmp_path / "audio", directory=tmp_path, speed=20.0) as sim:
        made = sim.do(
            "call", **{"as": "one"}, caller="+4930123", dialled="+4930456", variables={"tenant": "acme"}
        )
        sim.do("bridge", call="one", agent="1000")
        file = tmp_path / "audio" / "x.wav"
        assert sim.do("api", text=f"uuid_record {made['call']} start {file}")["reply"] == "+OK Success\n"
        sim.do("press", call="one", digits="1")
        sim.do("advance", seconds=12.0)
        sim.kill()
        assert sim.world("leg", leg=1)[0]["caller"] == "+4930123"
        assert sim.wait_for("pressed")["digits"] == "1"
        assert len(timecode.moments(file.read_bytes())) in (2 * 65536 // 320, 2 * 65536 // 320 + 205)


def test_sigterm_hangs_up_and_closes_the_files(tmp_path: Path) -> None:
    with Remote.start(recordings=tmp_path, directory=tmp_path, speed=20.0) as sim:
        made = sim.do("call", **{"as": "one"})
        sim.do("bridge", call="one")
        sim.do("api", text=f"uuid_record {made['call']} start {tmp_path}/x.wav")
        sim.do("advance", seconds=2.0)
        assert sim.stop() == 0
        end = sim.world("closed")[0]
        assert end["cause"] == "success-silence"
        assert len(timecode.moments((tmp_path / "x.wav").read_bytes())) == end["frames"]


def test_a_wrong_step_is_refused_with_a_reason(tmp_path: Path) -> None:
    with Remote.start(recordings=tmp_path, directory=tmp_path) as sim:
        with pytest.raises(ValueError, match="no such step: dance"):
            sim.do("dance")
        with pytest.raises(ValueError, match="KeyError"):
            sim.do("hang_up", call="nobody")
        assert sim.quit() == 0


def test_a_script_is_played_and_ends(tmp_path: Path) -> None:
    script = tmp_path / "world.toml"
    script.write_text(
        """
        [prompts]
        "/p.wav" = 1.0
        [[call]]
        at = 0.1
        caller = "+4930123"
        [[call.step]]
        at = 0.2
        do = "bridge"
        agent = "1000"
        [[call.step]]
        at = 1.0
        do = "hang_up"
        by = "b"
        """
    )
    command = [sys.executable, "-m", "fsgov.simulator", "--script", str(script), "--exit", "--speed", "10"]
    done = subprocess.run(
        [*command, "--world", str(tmp_path / "w")], capture_output=True, timeout=20, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert '"what": "hangup"' in (tmp_path / "w").read_text()


def test_a_script_that_cannot_be_read_is_an_error_of_one_line(tmp_path: Path) -> None:
    script = tmp_path / "bad.toml"
    script.write_text("[[call")
    command = [sys.executable, "-m", "fsgov.simulator", "--script", str(script)]
    done = subprocess.run(command, capture_output=True, timeout=20, check=False)
    assert done.returncode == 2
    assert done.stderr.count(b"\n") == 1
