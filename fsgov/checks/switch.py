"""The switch: login, version, commands, other recorders, heartbeat, trunks, the prompts and spool it sees."""

from __future__ import annotations

import html
import json
import re
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path

from fsgov.checks import switch_user
from fsgov.checks.event_socket import Asked, logged_in
from fsgov.checks.finding import Finding, failed, ok, warning
from fsgov.checks.gate import gate
from fsgov.config import Settings
from fsgov.config.sections import LOOPBACK, PUBLIC_PASSWORD
from fsgov.errors import BadConfiguration, FsgovError, NotPermitted, Unreachable

OLDEST = (1, 10)
BEAT, PATIENCE = 20, 50
"""Seconds between two heartbeats as FreeSWITCH ships; and without one, until the switch counts as lost."""
WANTED: Mapping[str, str] = {
    "uuid_record": "mask|unmask",
    "uuid_buglist": "<uuid>",
    "uuid_broadcast": "aleg",
    "uuid_break": "<uuid>",
    "uuid_dump": "<uuid>",
    "uuid_setvar": "<uuid>",
    "uuid_transfer": "<uuid>",
    "uuid_kill": "<uuid>",
}
"""Commands that fsgov gives, with a word of the usage that each prints when it is given nothing."""
MOST_CHANNELS = 200
NO_PROFILE = "Invalid Profile"
SWITCH_CONF = "xml_locate configuration configuration name switch.conf"
_UUID = re.compile(r"[0-9A-Za-z-]{1,64}")
_VERSION = re.compile(r"FreeSWITCH Version (\d+)\.(\d+)[\w.]*")
_INTERVAL = re.compile(r'name="event-heartbeat-interval"\s+value="(\d+)"')
_TARGET = re.compile(r"<function>session_record</function>\s*<target>(.*?)</target>", re.DOTALL)


def switch(settings: Settings) -> Iterator[Finding]:
    """Asks, and changes nothing. Raises Unreachable, NotPermitted, BadConfiguration."""
    at, password = settings.switch, settings.switch.password.reveal()
    public = password == PUBLIC_PASSWORD
    if public and at.host not in LOOPBACK:
        hint = "set another one in event_socket.conf.xml, and as switch.password"
        raise BadConfiguration("the switch is reached from elsewhere by the password of every copy", "", hint)
    with logged_in(at.host, at.port, password) as asked:
        yield ok("switch", f"logged in at {at.host}:{at.port}", version(asked.api("version")))
        if public:
            hint = "set another one in event_socket.conf.xml: every login on this host knows it"
            yield warning("switch.password", f"it is {PUBLIC_PASSWORD}, as FreeSWITCH ships", hint=hint)
        for of, look in (
            ("switch.commands", commands(asked)),
            ("switch.recorders", recorders(asked, f"{settings.spool.switch_directory}/audio/")),
            ("switch.heartbeat", heartbeat(asked.api(SWITCH_CONF))),
            ("switch.trunks", trunks(asked, at.trunks)),
            ("switch.prompts", prompts(asked, settings)),
            ("switch.gate", gate(asked, settings)),
            ("switch.spool", spool(asked, settings)),
        ):
            try:
                yield from look
            except Unreachable:
                raise
            except FsgovError as fault:
                yield failed(of, fault)


def version(said: str) -> str:
    """What it calls itself. Raises BadConfiguration where it is older than fsgov knows."""
    found = _VERSION.search(said)
    if not found:
        raise BadConfiguration("it does not say that it is FreeSWITCH", said[:80])
    if (int(found[1]), int(found[2])) < OLDEST:
        hint = "fsgov rests on what 1.10 does; install that"
        raise BadConfiguration("this FreeSWITCH is too old", found[0], hint)
    return found[0]


def commands(asked: Asked) -> Iterator[Finding]:
    """Each answers with its usage, so it is there, and has the form that fsgov uses."""
    missing = [name for name, word in WANTED.items() if word not in asked.api(name)]
    if missing:
        raise BadConfiguration(
            "the switch lacks commands that fsgov gives", ", ".join(missing), "load mod_commands of 1.10"
        )
    yield ok("switch.commands", f"{len(WANTED)} commands answer", ", ".join(WANTED))


def recorders(asked: Asked, ours: str) -> Iterator[Finding]:
    """Recordings of live calls that are not fsgov's: the dialplan's, another program's."""
    said = asked.api("show channels as json")
    try:
        legs = [str(row["uuid"]) for row in json.loads(said).get("rows", [])]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise BadConfiguration("the list of channels cannot be read", said[:80]) from None
    looked = [leg for leg in legs if _UUID.fullmatch(leg)][:MOST_CHANNELS]
    bugs = [asked.api(f"uuid_buglist {leg}") for leg in looked]
    targets = [html.unescape(target) for said in bugs for target in _TARGET.findall(said)]
    foreign = sorted({str(Path(target).parent) for target in targets if not target.startswith(ours)})
    if foreign:
        count = sum(not target.startswith(ours) for target in targets)
        hint = "take record_session out of the dialplan: what others record is not governed"
        yield warning(
            "switch.recorders", f"{count} recordings run that are not fsgov's", ", ".join(foreign), hint
        )
        return
    yield ok("switch.recorders", f"nobody else records any of {len(looked)} live legs")


def heartbeat(said: str) -> Iterator[Finding]:
    """The interval as configured: the command line of the switch does not tell the one in force."""
    if "<configuration" not in said:
        yield warning("switch.heartbeat", "the switch does not tell its interval", said.strip()[:80])
        return
    found = _INTERVAL.search(said)
    seconds = int(found[1]) if found else BEAT
    hint = f"set event-heartbeat-interval to {BEAT} in switch.conf.xml, and restart FreeSWITCH"
    if seconds >= PATIENCE:
        detail = f"every {seconds} s, and after {PATIENCE} s without a word the switch counts as lost"
        raise BadConfiguration("the heartbeat comes too seldom", detail, hint)
    if seconds > BEAT:
        yield warning("switch.heartbeat", f"every {seconds} s: one late looks like a loss", hint=hint)
        return
    yield ok("switch.heartbeat", f"every {seconds} s")


def trunks(asked: Asked, named: tuple[str, ...]) -> Iterator[Finding]:
    """Which calls lead outside: by profiles that are there, or by a guess that is wrong for queues."""
    if not named:
        if asked.api("module_exists mod_callcenter").strip() != "true":
            yield ok("switch.trunks", "none named: who is no user of this switch counts as outside")
            return
        hint = 'name the profiles that lead outside: trunks = ["sofia/external"]'
        words = "mod_callcenter is loaded, and an agent who is no user of this switch counts as outside"
        yield warning("switch.trunks", words, hint=hint)
        return
    lost = [name for name in named if asked.api(f"sofia status profile {_last(name)}").startswith(NO_PROFILE)]
    detail = f"{', '.join(lost)}: calls through it count as inside, and nobody outside is asked"
    hint = "a profile as `sofia status` lists it; a gateway is told by its profile"
    if any(name.startswith("sofia/") for name in lost):
        raise BadConfiguration("the switch has no such SIP profile", detail, hint)
    if lost:
        yield warning("switch.trunks", "no SIP profile of the switch has this name", detail, hint)
        return
    yield ok("switch.trunks", f"calls through {', '.join(named)} lead outside")


def _last(trunk: str) -> str:
    return trunk.rpartition("/")[2]


def prompts(asked: Asked, settings: Settings) -> Iterator[Finding]:
    """Every prompt of policy.file, as the switch sees it: it says +OK to playing a file that is not there."""
    from fsgov import config

    try:
        policy = config.load_policy(settings.policy.file, settings.regions)
    except FsgovError:
        return  # the line of the policy says so
    files = {prompt.switch_file for prompt in policy.prompts.values()}
    unseen = sorted(file for file in files if not seen(asked, file))
    if unseen:
        hint = "copy them to where the switch can read them, and name that as switch_file"
        raise BadConfiguration("the switch does not see prompts of the policy", ", ".join(unseen), hint)
    yield ok("switch.prompts", f"the switch sees each of {len(files)} files")


def spool(asked: Asked, settings: Settings) -> Iterator[Finding]:
    """Does the switch see our audio directory, and may its login write there?

    Nothing of FreeSWITCH writes a file for us without a shell (`system`, which forks the process that mixes
    the media) or a call. So fsgov writes a file and asks whether the switch sees it; the right to write is
    read from the rights of the directory and the login of the process that listens.
    """
    audio = settings.spool.directory / "audio"
    if not audio.is_dir():
        yield warning("switch.spool", "not tried: there is no spool yet", str(audio), "govern makes it")
        return
    seen_as = f"{settings.spool.switch_directory}/audio"
    probe = f".check-{secrets.token_hex(8)}"
    try:
        (audio / probe).touch(mode=0o600, exist_ok=False)
    except OSError as fault:
        why = f"{audio}: {fault.strerror}"
        raise NotPermitted("this login cannot write into the spool, so neither can be tried", why) from None
    try:
        if not seen(asked, f"{seen_as}/{probe}"):
            hint = "spool.switch_directory is the spool as FreeSWITCH sees it, past every directory above"
            raise BadConfiguration("the switch does not see the spool", seen_as, hint)
    finally:
        (audio / probe).unlink()
    if settings.switch.host not in LOOPBACK:
        yield warning("switch.spool", "the switch sees it; that it may write there cannot be told from here")
        return
    yield switch_user.judged(settings.switch.port, audio)


def seen(asked: Asked, file: str) -> bool:
    return asked.api(f"file_exists {file}").strip() == "true"
