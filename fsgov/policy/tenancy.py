"""Which tenant a call belongs to: by its domain, else by the number that was dialled."""

from __future__ import annotations

from collections.abc import Iterable

from fsgov.policy.document import Tenant
from fsgov.policy.numbers import e164, pattern

DEFAULT = "default"


def tenant_of(tenants: Iterable[Tenant], domain: str, dialled: str) -> Tenant:
    """The first tenant with this domain, else the first with this number, else `default`.

    dialled: as the switch gives it; read with each tenant's own region.
    """
    known = tuple(tenants)
    for tenant in known:
        if domain and domain.lower() in tenant.domains:
            return tenant
    for tenant in known:
        international = e164(dialled, tenant.region)
        for text in tenant.dialled:
            read = pattern(text)
            if read is not None and read.fits(dialled, international):
                return tenant
    return next((tenant for tenant in known if tenant.name == DEFAULT), Tenant(name=DEFAULT))
