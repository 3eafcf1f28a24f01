"""Every alarm there is, and how one is told: an entry, a log line, a metric and a line of `fsgov status`.

An alarm is raised once and cleared once. Its name is a row of the table below and, where there may be
several, a dot and which one: `vault.eu`, `segment.<id>`. docs/metrics.md shows this table, and
fsgov/health/alerts.yml has a rule for each row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import structlog

from fsgov.alarms_of_keep import GOVERN, ROWS, SHIP, Alarm
from fsgov.errors import FsgovError
from fsgov.events import Instant

log = structlog.get_logger()


TABLE: Mapping[str, Alarm] = {
    row.name: row
    for row in (
        Alarm(
            "switch",
            GOVERN,
            "The event socket has not been there for more than 10 s: no call is governed meanwhile.",
            "See whether FreeSWITCH runs, and its event_socket.conf.xml: address, password, ACL.",
        ),
        Alarm(
            "spool",
            ("govern", "ship"),
            "The spool cannot be written or read: no recording is started, none is shipped.",
            "See the disk below spool.directory: full, read-only, gone, rights.",
        ),
        Alarm(
            "disk",
            GOVERN,
            "The spool's disk, or its inodes, are below spool.warn_below (a tenth). It ends when a fifth more"
            " is free.",
            "See why ship does not empty it (its alarms), or make the disk larger.",
        ),
        Alarm(
            "shedding",
            GOVERN,
            "The spool's disk is below spool.shed_below: recordings of low priority are not begun; or below"
            " spool.refuse_below: none is begun but those that a rule requires. What runs goes on.",
            "Make room: see why ship does not empty it. See calls list --outcome failed.",
            of="low or all",
        ),
        Alarm(
            "starts",
            GOVERN,
            "Starts of recordings fail across calls: they are held back but for one probe each 1 to 10 s.",
            "See what the switch says to a start (segment.refused): its disk, its rights, its modules.",
        ),
        Alarm(
            "intake",
            GOVERN,
            "More than 1,000 events have waited for 5 s: decisions come late.",
            "See this host's load; govern needs a core for about ten thousand events a second.",
        ),
        Alarm(
            "pause",
            GOVERN,
            "A pause has outlived its limit by 5 s, or an hour where its rule has none.",
            "fsgov calls list shows the call; resume or stop it, and give the rule a max.",
        ),
        Alarm(
            "recorder",
            GOVERN,
            "In the last 5 minutes three starts in a row failed, or a call went without the recording that it"
            " needs, and no start has succeeded since.",
            "fsgov calls explain CALL; fsgov check says whether the switch can write into the spool.",
        ),
        Alarm(
            "prompt",
            GOVERN,
            "In the last 10 minutes the switch had no file for a question: nobody could consent.",
            "Compare the policy's prompt.NAME.file with what is there, as the switch sees it.",
        ),
        Alarm(
            "ungoverned",
            GOVERN,
            "In the last 10 minutes sessions were found that fsgov has not seen.",
            "See the log for switch.lost before it; fsgov must run whenever the switch does.",
        ),
        Alarm(
            "crm",
            GOVERN,
            "Five look-ups in a row had no answer. The CRM is asked but each 1 to 10 s, until it gives one.",
            "fsgov check says what is wrong; on_lookup_failure of the policy, what is decided meanwhile.",
        ),
        Alarm(
            "in_force",
            GOVERN,
            "The activated policy cannot be carried out here, or what is in force cannot be kept on disk.",
            "See in_force.refused in govern's log: a prompt or a vault that is not here, a full disk.",
        ),
        Alarm(
            "clock",
            GOVERN,
            "The host's clock was set by a second or more while calls are up: what happens is entered with"
            " the time as it went on before, until no call is up.",
            "See why it was set; on a host that is never idle restart fsgov, calls go on meanwhile.",
        ),
        Alarm(
            "part",
            GOVERN,
            "This part has not been heard for a minute, or has ended under `fsgov run` in the last 10 minutes"
            " without being told to: recordings, or the log, wait.",
            "See its last words: journalctl -u fsgov-ship, -u fsgov-keep, or before part.ended in the log.",
            of="ship or keep",
        ),
        Alarm(
            "database",
            SHIP,
            "PostgreSQL does not take what ship enters; it waits in the spool.",
            "See PostgreSQL, the network, and the login fsgov_ship.",
        ),
        Alarm(
            "vault",
            SHIP,
            "The vault does not take audio; it waits in the spool.",
            "See the object store, the network, the credentials and the buckets.",
            of="name of the vault",
        ),
        Alarm(
            "lock",
            ("ship", "keep"),
            "The vault does not lock what its policy wants locked: of ship it waits in the spool, of keep a"
            " lock does not grow as it should.",
            "fsgov check says whether bucket and login can: make it with object lock, grant the right.",
            of="name of the vault",
        ),
        Alarm(
            "sealing",
            SHIP,
            "Nothing can be sealed for this vault: it is not configured, or has no recipient.",
            "Add [vault.NAME] with its recipients, and start ship again.",
            of="name of the vault",
        ),
        Alarm(
            "segment",
            SHIP,
            "One segment cannot be shipped: its sidecar, audio or row contradicts another.",
            "See its last ship.failed in the log; the audio stays in the spool.",
            of="id of the segment",
        ),
        Alarm(
            "call",
            SHIP,
            "A call file of the spool is damaged, or the catalog refuses it.",
            "See ship's log; the file stays in calls/.",
            of="id of the call",
        ),
        Alarm(
            "entries",
            SHIP,
            "Lines of this origin are damaged, or the database has others under their numbers.",
            "See ship's log; the file stays in entries/, other origins go on.",
            of="the origin",
        ),
        Alarm(
            "policy",
            SHIP,
            "The catalog refuses a policy that was in force here.",
            "See ship's log; the text stays in policies/.",
            of="how its digest begins",
        ),
        Alarm(
            "artefacts",
            SHIP,
            "What was attached to recordings does not get into its vault; it waits in the database.",
            "See ship's artefact.waits in its log, and the vault.",
        ),
        *ROWS,
    )
}


def family(name: str) -> Alarm:
    """The row that an alarm's name belongs to. KeyError where there is none."""
    return TABLE[name.partition(".")[0]]


def dotted(sink: str) -> str:
    """The name of a sink as alarms and metrics have it: `vault.eu` for `vault:eu`."""
    return sink.replace(":", ".")


class Alarms:
    """Which alarms of one part are up, by name, with the reason. One thread raises and clears; all may look.

    enter: takes type (`alarm.raised`, `alarm.cleared`), instant and facts of an entry.
    """

    def __init__(
        self,
        part: str,
        enter: Callable[[str, Instant, Mapping[str, str]], None],
        now: Callable[[], Instant],
        up: Mapping[str, str] | None = None,
    ) -> None:
        self.up: dict[str, str] = dict(up or {})
        self._part = part
        self._enter = enter
        self._now = now

    def raise_(self, name: str, fault: FsgovError) -> None:
        """Tell it, where it is not up already. The entry has the message, which names no secret or person."""
        if name in self.up:
            return
        log.error("alarm.raised", alarm=name, reason=fault.message, detail=fault.detail, hint=fault.hint)
        self._enter("alarm.raised", self._now(), {"alarm": name, "reason": fault.message})
        self.up[name] = fault.message

    def clear(self, name: str) -> None:
        """Tell that it is over; nothing where it was not up."""
        if name in self.up:
            log.info("alarm.cleared", alarm=name)
            self._enter("alarm.cleared", self._now(), {"alarm": name, "reason": self.up.pop(name)})

    def follow(self, troubles: Mapping[str, FsgovError]) -> None:
        """Raise and clear, until what is up is what troubles."""
        for name, fault in troubles.items():
            self.raise_(name, fault)
        for name in set(self.up) - set(troubles):
            self.clear(name)

    def counted(self) -> dict[str, int]:
        """How many are up of each row that this part may raise; 0 for none."""
        found = {row.name: 0 for row in TABLE.values() if self._part in row.parts}
        for name in list(self.up):
            row = name.partition(".")[0]
            found[row] = found.get(row, 0) + 1
        return found
