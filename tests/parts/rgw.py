"""A real S3 server that is not MinIO: Ceph RGW from Debian packages, without root and without installing.

The packages are unpacked once into `.parts/ceph`; mon, osd and rgw run as ordinary processes on the loopback.
They end with this process (PR_SET_PDEATHSIG). Versioning, object lock and legal hold are enforced for real.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import platform
import secrets
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from tests.parts.tls import self_signed

PROGRAMS = ("ceph-mon", "ceph-osd", "radosgw", "ceph", "radosgw-admin")
PACKAGES = ("ceph-mon", "ceph-osd", "radosgw", "ceph-common")
CACHE = Path(__file__).parents[2] / ".parts" / "ceph"


class NotHere(Exception):
    """This machine cannot have a Ceph RGW; the text says why."""


def fetch(cache: Path = CACHE) -> Path | None:
    """The prefix that holds the programs, fetched where needed; None where the system has them installed."""
    root = cache / "root"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (cache / "complete").exists():
            return root
        if all(map(shutil.which, PROGRAMS)):
            return None
        if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
            raise NotHere("no apt-get and dpkg-deb: Ceph RGW is fetched from Debian or Ubuntu packages")
        try:
            _unpack(cache, root)
        except subprocess.SubprocessError as failure:
            raise NotHere(f"fetching the packages of Ceph RGW failed: {failure}") from failure
        (cache / "complete").touch()
    return root


def _unpack(cache: Path, root: Path) -> None:
    for part in ("root", "apt"):
        shutil.rmtree(cache / part, ignore_errors=True)
    apt = cache / "apt"
    for part in (root, apt / "state/lists/partial", apt / "cache/archives/partial"):
        part.mkdir(parents=True)
    options = [
        f"Dir::State={apt}/state",
        "Dir::State::status=/var/lib/dpkg/status",
        f"Dir::Cache={apt}/cache",
        f"Dir::Log={apt}",
        "Debug::NoLocking=1",
        f"APT::Sandbox::User={os.environ.get('USER') or 'root'}",
    ]
    command = ["apt-get", "-qq", "-y", *(word for option in options for word in ("-o", option))]
    _run([*command, "update"], seconds=300)
    _run([*command, "--no-install-recommends", "--download-only", "install", *PACKAGES], seconds=900)
    packages = sorted((apt / "cache/archives").glob("*.deb"))
    for package in packages:
        _run(["dpkg-deb", "-x", str(package), str(root)], seconds=300)
    shutil.rmtree(apt)


def _run(command: list[str], seconds: float) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=seconds)


class Rgw:
    """A running RGW; `endpoint` is HOST:PORT, `access` and `secret` its one user (owner of every bucket)."""

    def __init__(
        self,
        place: Path,
        root: Path | None,
        store: Literal["memstore", "bluestore"] = "memstore",
        size: int = 8 << 30,
    ) -> None:
        self.place = place.resolve()
        self.access, self.secret = secrets.token_hex(10), secrets.token_hex(20)
        self.monitor, self.port, self.tls_port = _free_port(), _free_port(), _free_port()
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self.environment = dict(os.environ)
        plugins = ""
        if root is not None:
            triple = f"{platform.machine()}-linux-gnu"
            libraries = f"{root}/usr/lib/{triple}"
            self.environment |= {
                "PATH": f"{root}/usr/bin:{os.environ['PATH']}",
                "LD_LIBRARY_PATH": f"{libraries}:{libraries}/ceph:{root}/usr/lib/ceph:{root}/lib/{triple}",
                "PYTHONPATH": f"{root}/usr/lib/python3/dist-packages",
            }
            plugins = (
                f"plugin_dir = {libraries}/ceph\nosd_class_dir = {libraries}/rados-classes\n"
                f"erasure_code_dir = {libraries}/ceph/erasure-code\n"
            )
        for part in ("mon", "osd", "run", "log"):
            (self.place / part).mkdir(parents=True, exist_ok=True)
        text = _CONF.format(
            fsid=uuid.uuid4(), monitor=self.monitor, port=self.port, place=self.place, store=store, size=size,
            plugins=plugins, tls=self._tls(),
        )  # fmt: skip
        (self.place / "ceph.conf").write_text(text)
        self.fsid = text.split("fsid = ")[1].split()[0]

    def _tls(self) -> str:
        """A certificate that only `certificate` itself vouches for."""
        self.certificate, key = self_signed(self.place, "rgw of the tests")
        return (
            f"ssl_endpoint=127.0.0.1:{self.tls_port} ssl_certificate={self.certificate} ssl_private_key={key}"
        )

    @property
    def endpoint(self) -> str:
        return f"127.0.0.1:{self.port}"

    def url(self, bucket: str) -> str:
        return f"s3+http://{self.endpoint}/{bucket}"

    def start(self) -> Rgw:
        ring = ["ceph-authtool", "--gen-key"]
        admin = ("mon", "allow *", "osd", "allow *", "mgr", "allow *")
        for name, caps, new in (
            ("mon.", ("mon", "allow *"), ["--create-keyring"]),
            ("client.admin", admin, []),
            ("osd.0", ("mon", "allow profile osd", "osd", "allow *"), []),
            ("client.rgw.a", ("mon", "allow rw", "osd", "allow rwx"), []),
        ):
            pairs = [
                word for kind, may in zip(caps[::2], caps[1::2], strict=True) for word in ("--cap", kind, may)
            ]
            self._run(*ring, *new, "keyring", "-n", name, *pairs)
        address = f"[v2:127.0.0.1:{self.monitor}]"
        self._run(
            "monmaptool", "--create", "--clobber", "--fsid", self.fsid, "--addv", "a", address, "monmap"
        )
        self._run(
            "ceph-mon", "--mkfs", "-i", "a", "--monmap", "monmap", "--keyring", "keyring", "-c", "ceph.conf"
        )
        shutil.copy(self.place / "keyring", self.place / "mon" / "keyring")
        self._spawn("mon", "ceph-mon", "-i", "a", "-c", "ceph.conf", "-f")
        self._until("the monitor", lambda: bool(self._ceph("-s")))
        osd = str(uuid.uuid4())
        self._ceph("osd", "new", osd, "0")
        self._run("ceph-osd", "-i", "0", "-c", "ceph.conf", "--mkfs", "--osd-uuid", osd)
        self._spawn("osd", "ceph-osd", "-i", "0", "-c", "ceph.conf", "-f")
        self._until("the osd", lambda: "1 up" in self._ceph("osd", "stat"))
        self._run(
            "radosgw-admin", "-c", "ceph.conf", "user", "create", "--uid=vault", "--display-name=vault",
            f"--access-key={self.access}", f"--secret={self.secret}",
        )  # fmt: skip
        self.start_gateway()
        return self

    def start_gateway(self) -> None:
        self._spawn("rgw", "radosgw", "-n", "client.rgw.a", "-c", "ceph.conf", "-f")
        self._until("the gateway", self._answers)

    def stop_gateway(self) -> None:
        """An outage: connections are refused, what was stored stays."""
        gateway = self.running.pop("rgw")
        gateway.terminate()  # killed, its successor would wait 30 s for it before it makes a bucket
        gateway.wait(30)

    def stop(self) -> None:
        for name in ("rgw", "osd", "mon"):
            if child := self.running.pop(name, None):
                child.kill()
                child.wait()

    def _answers(self) -> bool:
        with urllib.request.urlopen(f"http://{self.endpoint}", timeout=2) as answer:
            return bool(answer.status == 200)

    def _run(self, *words: str) -> str:
        done = subprocess.run(
            words, check=True, env=self.environment, cwd=self.place, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True, timeout=60,
        )  # fmt: skip
        return done.stdout

    def _ceph(self, *words: str) -> str:
        return self._run("ceph", "-c", "ceph.conf", "--connect-timeout", "5", *words)

    def _spawn(self, name: str, *words: str) -> None:
        with (self.place / "log" / f"{name}.out").open("ab") as log:
            self.running[name] = subprocess.Popen(
                words, env=self.environment, cwd=self.place, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                preexec_fn=_die_with_parent, start_new_session=True,
            )  # fmt: skip

    def _until(self, what: str, true: Callable[[], bool], seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while True:
            for name, child in self.running.items():
                if child.poll() is not None:
                    said = (self.place / "log" / f"{name}.out").read_text()[-600:]
                    raise RuntimeError(f"{name} exited with {child.returncode}: {said}")
            try:
                if true():
                    return
            except (subprocess.SubprocessError, OSError):
                pass
            if time.monotonic() > end:
                raise RuntimeError(f"{what} did not come up in {seconds:.0f} s")
            time.sleep(0.05)


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


_CONF = """[global]
fsid = {fsid}
mon_host = v2:127.0.0.1:{monitor}
mon_initial_members = a
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
ms_bind_msgr1 = false
auth_allow_insecure_global_id_reclaim = false
run_dir = {place}/run
admin_socket = {place}/run/$name.asok
log_file = {place}/log/$name.log
mon_cluster_log_file = {place}/log/cluster.log
pid_file = {place}/run/$name.pid
keyring = {place}/keyring
crash_dir = {place}/run
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 1
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
mon_allow_pool_size_one = true
mon_max_pg_per_osd = 1000
mon_data_avail_warn = 2
mon_data_avail_crit = 1
paxos_propose_interval = 0.05
mon_tick_interval = 1
osd_objectstore = {store}
memstore_device_bytes = {size}
bluestore_block_size = {size}
osd_memory_target = 939524096
osd_heartbeat_grace = 2
osd_heartbeat_interval = 1
osd_max_object_name_len = 256
rgw_frontends = beast endpoint=127.0.0.1:{port} {tls}
rgw_run_sync_thread = false
rgw_enable_usage_log = false
rgw_thread_pool_size = 32
rgw_dynamic_resharding = false
rgw_override_bucket_index_max_shards = 1
rgw_gc_obj_min_wait = 5
rgw_gc_processor_period = 10
rgw_lc_debug_interval = 10
{plugins}[mon.a]
mon_data = {place}/mon
[osd.0]
osd_data = {place}/osd
"""
