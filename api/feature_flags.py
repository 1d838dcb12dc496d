"""Feature flags, cached per tenant for 1.5 seconds."""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import Final

from api.principal import Principal
from api.services import Services
from schemas.flags import LEGACY_ADAPTERS, UNIFIED
from sinks.flags import Flag, flags_of_async

#: A change becomes visible within this time plus one read.
CACHE_SECONDS: Final = 1.5
_MAX_TENANTS: Final = 10_000
_CACHE_KEY: Final = "feature-flags"

_Cache = OrderedDict[str, tuple[float, dict[str, Flag]]]


async def flags(services: Services, principal: Principal) -> dict[str, Flag]:
    """The flags of the caller's tenant by name. At most one statement.

    :raises Retry: the database is unavailable.
    """
    cached: _Cache = services.cache.setdefault(_CACHE_KEY, OrderedDict())
    tenant = principal.tenant_id
    known = cached.get(tenant)
    if known is not None and time.monotonic() < known[0]:
        return known[1]
    read_at = time.monotonic()
    async with services.reads.connection() as connection:
        found = await flags_of_async(connection, tenant)
    cached[tenant] = read_at + CACHE_SECONDS, found
    cached.move_to_end(tenant)
    if len(cached) > _MAX_TENANTS:
        cached.popitem(last=False)
    return found


def forget(services: Services, principal: Principal) -> None:
    """Drop the tenant's cached flags; this process has just changed one."""
    cached: _Cache = services.cache.setdefault(_CACHE_KEY, OrderedDict())
    cached.pop(principal.tenant_id, None)


async def legacy_shows(services: Services, principal: Principal) -> bool:
    """Report whether reads include the legacy rows that are not migrated yet."""
    return not (await flags(services, principal))[UNIFIED].enabled


async def adapters_on(services: Services, principal: Principal) -> bool:
    """Report whether the deprecated routes are enabled."""
    return (await flags(services, principal))[LEGACY_ADAPTERS].enabled
