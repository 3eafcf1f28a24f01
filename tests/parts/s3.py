"""The S3 servers as fixtures: started once for the run of the tests, on the loopback."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.parts import rgw as ceph
from tests.parts.moto import Moto
from tests.parts.proxy import Proxy

NOT_TESTED = "not tested: signatures, digests, versions, object lock and legal hold of a real S3 server"


@pytest.fixture(scope="session")
def rgw(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ceph.Rgw]:
    """A real Ceph RGW on memory: gone after the run."""
    yield from _running(tmp_path_factory, "memstore")


@pytest.fixture(scope="session")
def rgw_on_disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ceph.Rgw]:
    """A real Ceph RGW on bluestore (8 GiB, sparse), for objects that are too big for memory."""
    yield from _running(tmp_path_factory, "bluestore")


def _running(tmp_path_factory: pytest.TempPathFactory, store) -> Iterator[ceph.Rgw]:  # type: ignore[no-untyped-def]
    try:
        root = ceph.fetch()
    except ceph.NotHere as why:
        pytest.skip(f"{why}; {NOT_TESTED}")
    server = ceph.Rgw(tmp_path_factory.mktemp("rgw"), root, store)
    try:
        yield server.start()
    finally:
        server.stop()


@pytest.fixture(scope="session")
def moto_s3() -> Iterator[Moto]:
    server = Moto()
    yield server
    server.stop()


@pytest.fixture
def proxy() -> Iterator[Callable[[int], Proxy]]:
    """Makes TCP proxies in front of a port of the loopback; faults are set on `.up` and `.down`."""
    made: list[Proxy] = []

    def make(port: int) -> Proxy:
        made.append(Proxy(("127.0.0.1", port)))
        return made[-1]

    yield make
    for each in made:
        each.close()
