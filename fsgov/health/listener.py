"""Serves a part's pages on a TCP address: from govern's hub, or from a thread beside ship and keep."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from socketserver import TCPServer, ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import structlog

from fsgov.config.settings import Address
from fsgov.errors import BadConfiguration

log = structlog.get_logger()

SECONDS = 10.0
"""How long one request may take to arrive; nobody holds a thread longer."""


class _Handler(WSGIRequestHandler):
    timeout = SECONDS

    def log_message(self, format: str, *_: Any) -> None:  # noqa: A002 - the library's name
        """A scrape is no event."""


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    block_on_close = False

    def server_bind(self) -> None:
        """Without the look-up of this host's name, which may take long and which nobody reads."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]  # type: ignore[assignment]
        self.setup_environ()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Who hangs up half-way is no event either."""


class _Server6(_Server):
    address_family = socket.AF_INET6


def refused(address: Address, part: str, fault: OSError) -> BadConfiguration:
    """This address cannot be listened on."""
    return BadConfiguration(
        "The address of the metrics cannot be used",
        f"health.{part} = {address}: {fault.strerror}",
        "another process has it, or this host does not",
    )


@contextmanager
def serving(app: Callable[..., Any], address: Address | None, part: str) -> Iterator[None]:
    """Serve `app` from a thread for the length of the block; nothing where no address is set.

    Raises BadConfiguration where the address cannot be had.
    """
    if address is None:
        yield
        return
    try:
        server = make_server(
            address.host, address.port, app, _Server6 if ":" in address.host else _Server, _Handler
        )
    except OSError as fault:
        raise refused(address, part, fault) from None
    thread = threading.Thread(target=server.serve_forever, args=(0.2,), name="health", daemon=True)
    thread.start()
    log.info("health.listening", port=server.server_port)
    try:
        yield
    finally:
        with suppress(OSError):
            server.shutdown()
            server.server_close()
        thread.join()
