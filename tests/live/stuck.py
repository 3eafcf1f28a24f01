"""One part as `fsgov run --part` starts it, whose loop stands still once a file exists: `PART CONFIG FILE`.

govern's loop waits in gevent, so that everything else in the process goes on: the watchdog must not be fed
by anything but the loop. The loops of ship and keep sleep.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any


def when_there(file: Path, owner: Any, name: str, wait: Any) -> None:
    """Have `owner.name` never return once `file` exists."""
    original = getattr(owner, name)

    def instead(*words: Any, **named: Any) -> Any:
        while file.exists():
            wait(0.05)
        return original(*words, **named)

    setattr(owner, name, instead)


def main(part: str, config: str, file: Path) -> int:
    if part == "govern":
        from gevent import monkey

        monkey.patch_all()
        import gevent

        from fsgov.govern import starting as govern
        from fsgov.switchboard import Switchboard

        when_there(file, Switchboard, "next_deadline", gevent.sleep)
        return govern.main(["--config", config])
    import time

    from fsgov import config as configuration
    from fsgov import parts
    from fsgov.journal import Sequencer
    from fsgov.shipper.belt import Belt

    when_there(file, *((Belt, "look") if part == "ship" else (Sequencer, "run_once")), time.sleep)
    return parts.run(configuration.load(Path(config)), part)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], Path(sys.argv[3])))
