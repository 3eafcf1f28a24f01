"""docs/installation.md as root, and docs/metrics.md: logins, units, one spool, in namespaces. A minute."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from fsgov import embedded
from fsgov.envelope import Identity
from fsgov.vault import Credentials, open_bucket
from tests.live.cli import environment_of
from tests.live.test_installation import commands, free_port
from tests.live.test_packaging import Made, made
from tests.parts.rgw import Rgw

__all__ = ["made"]
pytestmark = [
    pytest.mark.timeout(600), pytest.mark.root, pytest.mark.installed("systemd-sysusers"),
]  # fmt: skip

METRICS = Path(__file__).parents[2] / "docs" / "metrics.md"
BUCKETS = ("service-audio", "service-keys")
OWN = ("etc", "usr/local/bin", "opt", "var/lib", "var/log", "run")
COPIED = ("etc", "usr/local/bin")
NAMESPACES = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]

POLICY = """version = "first"
timezone = "Europe/Berlin"
[purpose.evidence]
basis = "contract"
retain_max = "5 years"
[[rule]]
name = "order line"
when.dialled = ["+47220001*"]
record = "always"
consent = "none"
purposes = ["evidence"]
[[rule]]
name = "everything else"
record = "never"
"""
CONFIG = """host = "fs1"
[switch]
port = {switch}
password = "cred:switch.password"
[database]
dsn = "{dsn}"
credentials = "/etc/fsgov/logins"
[vault.main]
url = "{audio}"
keys = "{keys}"
recipients = ["{recipient}"]
credentials = {{ access = "cred:vault-access", secret = "cred:vault-secret" }}
[log]
file = "/var/log/fsgov"
[health]
ship = "127.0.0.1:{health}"
"""
PRELUDE = """
mount --make-rprivate /
for place in OWN; do mount --bind "$ROOT/$place" "/$place"; done
echo "freeswitch:x:61001:61001::/:/bin/false" >> /etc/passwd
echo "freeswitch:x:61001:" >> /etc/group
echo "alice:x:61002:61002::/:/bin/false" >> /etc/passwd
umask 022
soon() {
    for _ in $(seq 60); do if bash -c "$1"; then return; fi; sleep 0.5; done
    echo "not soon: $1"; exit 9
}
"""
CONFIGURED = """
cp "$ROOT/fsgov.toml" "$ROOT/policy.toml" /etc/fsgov/
for name in vault-access vault-secret keep-vault-access keep-vault-secret; do
    printf "$(cat "$ROOT/${name##*-}")" > /etc/fsgov/credentials/$name
done
printf secret > /etc/fsgov/credentials/switch.password
"""
SWITCH = """
mkfifo /run/phones && chown freeswitch /run/phones
exec 3<> /run/phones
(umask 007; exec setpriv --reuid freeswitch --regid freeswitch --clear-groups /opt/fsgov/bin/python \\
    -m fsgov.simulator --port $SWITCH_PORT --password secret --recordings /var/lib/fsgov/spool/audio \\
    --heartbeat 2 --stdin < /run/phones > /var/log/switch.log) &
soon 'grep -q listening /var/log/switch.log'
"""
CALL = """
soon 'grep -q event=switch.connected /run/stand-in/govern.log'
echo '{"do": "call", "as": "NAME", "caller": "+4722999001", "dialled": "+4722000100"}' >&3
echo '{"do": "bridge", "call": "NAME", "agent": "1000"}' >&3
sleep 2
"""
OVER = """
echo '{"do": "hang_up", "call": "NAME", "by": "a"}' >&3
"""
SHIPPED = """
soon 'fsgov recordings list --json | grep -o "order line" | wc -l | grep -qx COUNT'
soon 'fsgov calls list --json | grep -oE "outcome.: ?.recorded" | wc -l | grep -qx COUNT'
"""
FACTS = """
for part in govern ship keep; do
    echo "FACT $part $(stat -c '%U %G' /proc/$(cat /run/stand-in/$part.pid))"
done
echo "FACT socket $(stat -c '%a %U %G' /run/fsgov/control.sock)"
echo "FACT sink $(find /var/log/fsgov -type f -printf '%u\\n' | sort -u)"
echo "FACT live $(grep ^fsgov-live: /etc/group | cut -d: -f4)"
"""
REFUSED = """
echo 'version = 3' > /etc/fsgov/policy.toml
! systemctl reload fsgov-govern
"""


def test_the_service_of_the_page_records_ships_and_is_upgraded_under_a_call(
    made: Made, rgw: Rgw, tmp_path: Path
) -> None:
    root = tmp_path / "root"
    for place in OWN:
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        if place in COPIED:
            shutil.copytree(f"/{place}", root / place, symlinks=True)
        else:
            (root / place).mkdir()
    home, programs = root / "home", root / "bin"
    home.mkdir()
    programs.mkdir()
    shutil.copy(made.wheel, home)
    stand_in = programs / "systemctl"
    stand_in.write_text(f'#!/bin/sh\nexec {sys.executable} {Path(__file__).with_name("systemctl.py")} "$@"\n')
    stand_in.chmod(0o755)
    (root / "policy.toml").write_text(POLICY)
    install, secrets, *live, start = commands("As a service, with systemd")
    (upgrade,) = commands("Upgrade and restart with calls up")
    switch, health = free_port(), free_port()
    pages = "\n".join(commands("", METRICS)).replace("9465", str(health))
    script = [
        "set -eu", PRELUDE.replace("OWN", " ".join(OWN)), install, CONFIGURED, secrets, *live, SWITCH, start,
        CALL.replace("NAME", "one"), OVER.replace("NAME", "one"), SHIPPED.replace("COUNT", "1"), FACTS,
        pages.replace("python -c", "/opt/fsgov/bin/python -c"),
        CALL.replace("NAME", "two"), upgrade, "sleep 1", OVER.replace("NAME", "two"),
        SHIPPED.replace("COUNT", "2"), "fsgov calls list --json > \"$ROOT/calls.json\"", REFUSED,
    ]  # fmt: skip
    (root / "access").write_text(rgw.access)
    (root / "secret").write_text(rgw.secret)
    with embedded.joined(tmp_path / "pg") as server:
        login = re.match(r"postgresql://(\w+):([^@]+)@(.+)", server.dsn())
        assert login
        for bucket in BUCKETS:
            with closing(open_bucket(rgw.url(bucket), Credentials(rgw.access, rgw.secret))) as opened:
                opened.create()
        audio, keys = map(rgw.url, BUCKETS)
        recipient = Identity.generate(os.urandom).recipient
        text = CONFIG.format(
            switch=switch,
            health=health,
            dsn=f"postgresql://{login[3]}",
            audio=audio,
            keys=keys,
            recipient=recipient,
        )
        (root / "fsgov.toml").write_text(text)
        environment = environment_of(
            HOME=str(home), ROOT=str(root), SWITCH_PORT=str(switch), PGUSER=login[1], PGPASSWORD=login[2],
            PATH=f"{programs}:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", PIP_NO_COMPILE="1",
            PIP_ROOT_USER_ACTION="ignore", LANG="C.UTF-8",
        )  # fmt: skip
        for name in ("PYTHONPATH", "VIRTUAL_ENV"):
            environment.pop(name, None)
        done = subprocess.run(
            [*NAMESPACES, "bash", "-c", "\n".join(script)], cwd=home, env=environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300, check=False,
        )  # fmt: skip
    logs = "\n".join(path.read_text()[-1500:] for path in (root / "run" / "stand-in").glob("*.log"))
    assert done.returncode == 0, done.stdout[-4000:] + logs
    facts = dict(re.findall(r"^FACT (\w+) (.*)$", done.stdout, re.MULTILINE))
    assert facts == {
        "govern": "fsgov-govern fsgov",
        "ship": "fsgov-ship fsgov",
        "keep": "fsgov-keep fsgov-keep",
        "socket": "660 fsgov-govern fsgov-live",
        "sink": "fsgov-keep",
        "live": "alice",
    }
    assert '"ready": true' in done.stdout  # docs/metrics.md
    assert "\nfsgov_spool_waiting_segments" in done.stdout
    assert "/health/alerts.yml" in done.stdout
    calls = json.loads((root / "calls.json").read_text())
    assert [call["outcome"] for call in calls] == ["recorded", "recorded"]
    assert not list((root / "var/lib/fsgov/spool/audio").glob("*.wav"))
    shutil.rmtree(root / "opt")
