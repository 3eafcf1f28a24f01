"""Ship into real object stores: the same end on moto and Ceph RGW, an outage that drains."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

from fsgov.catalog import migrate
from fsgov.envelope import Identity
from tests.live.shipping import Site, talk
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


def test_with_wrong_credentials_audio_waits_with_an_alarm_until_they_are_right(
    rgw: Rgw, database: str, tmp_path: Path
) -> None:
    site = site_on(rgw, database, tmp_path, "ship-credentials")
    wrong = Site(**{**vars(site), "password": "not the secret"})
    segment = site.capture(audio=talk(1000))
    with wrong.shipper() as shipper:
        shipper.run_once()
        assert set(shipper.alarms) == {"vault.eu"}
        assert "permit" in str(shipper.alarms["vault.eu"])
    assert [path.stem for path in (site.spool_directory / "audio").iterdir()] == [segment]
    assert site.objects() == []
    with site.shipper() as shipper:
        shipper.run_once()
        assert shipper.alarms == {}
    assert site.audio(segment) == talk(1000)


def test_a_slow_vault_holds_up_its_uploads_and_no_line(
    moto_s3: Moto, database: str, tmp_path: Path, proxy: Callable[[int], Proxy]
) -> None:
    site = site_on(moto_s3, database, tmp_path, "ship-slow")
    endpoint = site.url.partition("://")[2].partition("/")[0]
    line = proxy(int(endpoint.rpartition(":")[2]))
    through = Site(**{**vars(site), "url": site.url.replace(endpoint, line.endpoint)})
    through.keys = site.keys.replace(endpoint, line.endpoint)
    segments = [site.capture(n, audio=talk(3000)) for n in (1, 2, 3)]
    site.remember(revision=4, ended=1_795_279_045_000_000, outcome="refused")
    line.up.delay = 5.0
    stop = threading.Event()
    with through.shipper() as shipper:
        running = threading.Thread(target=shipper.run, args=(stop,))
        running.start()
        until(lambda: site.ask("SELECT outcome FROM fsgov.calls") == [("refused",)])
        assert site.ask("SELECT count(*) FROM fsgov.segments") == [(0,)]
        line.up.delay = 0.2
        until(lambda: not list((site.spool_directory / "audio").iterdir()))
        stop.set()
        running.join(20)
    assert len(site.objects()) == 3
    assert all(site.audio(segment) == talk(3000) for segment in segments)
