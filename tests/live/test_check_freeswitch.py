"""What `fsgov check` asks of a real FreeSWITCH is answered as the simulator answers it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fsgov.checks import switch, switch_user
from fsgov.checks.event_socket import logged_in
from fsgov.errors import BadConfiguration, NotPermitted

pytestmark = pytest.mark.freeswitch


def test_a_real_switch_is_known_to_the_checks(tmp_path: Path) -> None:
    host, port, password = os.environ["FSGOV_LIVE_FREESWITCH"].split(":")
    with logged_in(host, int(port), password) as asked:
        assert switch.version(asked.api("version")).startswith("FreeSWITCH Version 1.1")
        assert [each.state for each in switch.commands(asked)] == ["ok"]
        assert [each.of for each in switch.recorders(asked, "/nowhere/")] == ["switch.recorders"]
        assert [each.message for each in switch.heartbeat(asked.api(switch.SWITCH_CONF))] == ["every 20 s"]
        assert [each.state for each in switch.trunks(asked, ("sofia/internal", "internal"))] == ["ok"]
        assert [each.state for each in switch.trunks(asked, ("internl",))] == ["warning"]
        with pytest.raises(BadConfiguration, match="no such SIP profile"):
            list(switch.trunks(asked, ("sofia/internl",)))
        loaded = asked.api("module_exists mod_callcenter").strip() == "true"
        assert [each.state for each in switch.trunks(asked, ())] == ["warning" if loaded else "ok"]
        (tmp_path / "there").touch()
        assert not switch.seen(asked, f"{tmp_path}/not there")
        user = switch_user.listener(int(port))
        assert user is not None
        assert switch.seen(asked, f"{tmp_path}/there") is (switch_user.barrier(tmp_path, user) == "")
    with pytest.raises(NotPermitted, match="refuses the login"), logged_in(host, int(port), "wrong"):
        pass
