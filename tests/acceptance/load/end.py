"""How a load ends: nobody calls any more, everything gets where it belongs, and the parts stop."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from typing import Protocol

from fsgov.catalog.desk import Desk
from fsgov.demo.stage import Stage
from tests.acceptance.crash.loop import Script
from tests.acceptance.load.phones import Phones


class Parts(Protocol):
    """Who started them: stops one, and notes how it ended."""

    def stop(self, name: str) -> None: ...


def to_the_end(stage: Stage, parts: Parts, phones: Phones, over: Callable[[], bool]) -> Script:
    yield "the kills and faults", over
    phones.closed = True
    yield "the last call", lambda: phones.idle
    spool = stage.site.spool
    yield (
        "an empty spool",
        lambda: not any((spool / "audio").glob("*.wav")) and not any((spool / "calls").glob("*.json")),
    )
    alarms = spool / "ship.alarms.json"
    yield "the end of ship's alarms", lambda: not alarms.exists() or json.loads(alarms.read_text()) == {}
    for name in ("govern", "ship"):
        parts.stop(name)
    with stage.desk("alice") as dsn, closing(Desk(dsn)) as desk:
        yield "all lines are in the log", lambda: desk.log.state().waiting == 0
    parts.stop("keep")
