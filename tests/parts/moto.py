"""moto's S3 server as a process: checks no signatures, so what passes here proves less than on RGW."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
import urllib.request
from ctypes import CDLL


class Moto:
    """A running moto server; any login works."""

    access, secret = "moto", "moto"

    def __init__(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self._child = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=lambda: CDLL(None).prctl(1, signal.SIGKILL),
            start_new_session=True,
        )
        end = time.monotonic() + 60
        while True:
            try:
                with urllib.request.urlopen(f"http://{self.endpoint}/moto-api/", timeout=2):
                    return
            except OSError:
                if time.monotonic() > end or self._child.poll() is not None:
                    self.stop()
                    raise
                time.sleep(0.05)

    @property
    def endpoint(self) -> str:
        return f"127.0.0.1:{self.port}"

    def url(self, bucket: str) -> str:
        return f"s3+http://{self.endpoint}/{bucket}"

    def stop(self) -> None:
        self._child.kill()
        self._child.wait()
