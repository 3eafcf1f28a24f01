"""/metrics, /healthz and /readyz of one part: for Prometheus, for a load balancer, for `fsgov status`.

GET /healthz   200 while the part's loop turns, else 503
GET /readyz    200 while everything is there that its work needs, else 503; the body says what is not
GET /metrics   what Prometheus reads
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import falcon

from fsgov.health.metrics import Exposition
from fsgov.health.vitals import Vitals

Told = dict[str, Any]


def health(vitals: Vitals) -> tuple[bool, Told]:
    """Whether the part's loop turns, and the body that says so."""
    age = vitals.turned()
    alive = age <= vitals.limit()
    return alive, {"part": vitals.part, "alive": alive, "loop_age_seconds": round(age, 1)}


def readiness(vitals: Vitals) -> tuple[bool, Told]:
    """Whether the part can do its work: each thing it needs with its reason, and the alarms that are up."""
    checks = dict(vitals.checks())
    alive, _ = health(vitals)
    if not alive:
        checks["loop"] = "it does not turn"
    ready = not any(checks.values())
    told = {check: {"ok": not why, **({"reason": why} if why else {})} for check, why in checks.items()}
    return ready, {"part": vitals.part, "ready": ready, "checks": told, "alarms": dict(vitals.alarms.up)}


class _State:
    def __init__(self, vitals: Vitals, tell: Callable[[Vitals], tuple[bool, Told]]) -> None:
        self._vitals = vitals
        self._tell = tell

    def on_get(self, _request: falcon.Request, response: falcon.Response) -> None:
        well, told = self._tell(self._vitals)
        response.status = 200 if well else 503
        response.media = told


class _Metrics:
    def __init__(self, vitals: Vitals) -> None:
        self._exposition = Exposition(vitals)

    def on_get(self, request: falcon.Request, response: falcon.Response) -> None:
        response.data, response.content_type = self._exposition.page(request.accept)


def add_pages(app: falcon.App[Any, Any], vitals: Vitals) -> None:
    """Add the three pages to an application."""
    app.add_route("/metrics", _Metrics(vitals))
    app.add_route("/healthz", _State(vitals, health))
    app.add_route("/readyz", _State(vitals, readiness))


def application(vitals: Vitals) -> falcon.App[Any, Any]:
    """The three pages and nothing else: what a TCP address serves. It knows no login and takes no act."""
    app = falcon.App()
    add_pages(app, vitals)
    return app
