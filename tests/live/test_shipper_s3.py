"""Ship into real object stores: the same end on moto and Ceph RGW, an outage that drains, two gigabytes."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from fsgov.catalog import migrate
from fsgov.envelope import Identity
from tests.live.shipping import Site, head, mask, talk
from tests.live.test_shipper import until
from tests.parts.moto import Moto
from tests.parts.proxy import Proxy
from tests.parts.rgw import Rgw

VM_HWM = 150 * 1024
"""KiB that ship may ever have used."""


def site_on(server: Moto | Rgw, database: str, tmp_path: Path, name: str) -> Site:
    migrate.init(database, tmp_path / "logins")
    url, keys = server.url(f"{name}-audio"), server.url(f"{name}-keys")
    site = Site(
        root=str(tmp_path),
        dsn=database,
        secret=str(Identity.generate(os.urandom)),
        url=url,
        keys=keys,
        access=server.access,
        password=server.secret,
    )
    site.vault().audio.create()
    site.vault().keys.create()
    return site


def test_the_whole_way_on_moto(moto_s3: Moto, database: str, tmp_path: Path) -> None:
    whole_way(site_on(moto_s3, database, tmp_path, "ship-moto"))


def test_the_whole_way_on_rgw(rgw: Rgw, database: str, tmp_path: Path) -> None:
    whole_way(site_on(rgw, database, tmp_path, "ship-rgw"))


def whole_way(site: Site) -> None:
    audio = talk(9000)
    segment = site.capture(audio=audio)
    assert site.ship_in_child("ship.stored.after") == -9  # uploaded, and not noted
    site.ship()
    assert site.audio(segment) == audio
    assert len(site.objects()) == 1
    assert not list((site.spool_directory / "audio").iterdir())


def test_an_outage_of_the_vault_drains_and_cut_uploads_leave_one_object(
    rgw: Rgw, database: str, tmp_path: Path, proxy: Callable[[int], Proxy]
) -> None:
    site = site_on(rgw, database, tmp_path, "ship-outage")
    line = proxy(int(rgw.endpoint.rpartition(":")[2]))
    through = Site(**{**vars(site), "url": site.url.replace(rgw.endpoint, line.endpoint)})
    through.keys = site.keys.replace(rgw.endpoint, line.endpoint)
    segments = [site.capture(n, audio=talk(9000)) for n in (1, 2, 3)]
    line.up.cut_after = 100_000
    stop = threading.Event()
    with through.shipper() as shipper:
        running = threading.Thread(target=shipper.run, args=(stop,))
        running.start()
        until(lambda: line.accepted >= 3)
        assert len(list((site.spool_directory / "audio").iterdir())) == 3
        line.heal()
        until(lambda: not list((site.spool_directory / "audio").iterdir()))
        stop.set()
        running.join(20)
    assert len(site.objects()) == 3
    assert all(site.audio(segment) == talk(9000) for segment in segments)


@pytest.mark.skipif(
    psutil.virtual_memory().total < 8 << 30, reason="not tested: 2 GB into RGW wants 8 GB of memory"
)
@pytest.mark.timeout(300)
def test_two_gigabytes_go_through_in_constant_memory(rgw_on_disk: Rgw, database: str, tmp_path: Path) -> None:
    site = site_on(rgw_on_disk, database, tmp_path, "ship-big")
    size = 2_000_000_000
    segment = site.capture(audio=head(size), masks=[mask(1_000_000, 60_000_000)])
    path = site.spool_directory / "audio" / f"{segment}.wav"
    os.truncate(path, 44 + size)  # zeros: sparse, and every mask holds
    assert site.ship_in_child() == 0
    assert int((tmp_path / "peak").read_text()) < VM_HWM
    assert site.ask("SELECT mask_proof, audio_size FROM fsgov.segments") == [("proven", 44 + size)]
    assert not path.exists()
