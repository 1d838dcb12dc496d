"""The feature flags as this process knows them: read anew after a second and a half."""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import Final

from api.principal import Principal
from api.services import Services
from schemas.flags import LEGACY_ADAPTERS, UNIFIED
from sinks.flags import Flag, flags_of_async

#: A change is seen within this time, plus one read.
FRESH_SECONDS: Final = 1.5
_MOST_TENANTS: Final = 10_000
_KEPT: Final = "feature-flags"

_Kept = OrderedDict[str, tuple[float, dict[str, Flag]]]


async def flags(services: Services, principal: Principal) -> dict[str, Flag]:
    """Every flag of the caller's tenant by its name; at most one statement.

    :raises Retry: the database cannot be reached.
    """
    kept: _Kept = services.cache.setdefault(_KEPT, OrderedDict())
    tenant = principal.tenant_id
    known = kept.get(tenant)
    if known is not None and time.monotonic() < known[0]:
        return known[1]
    asked_at = time.monotonic()
    async with services.reads.connection() as connection:
        found = await flags_of_async(connection, tenant)
    kept[tenant] = asked_at + FRESH_SECONDS, found
    kept.move_to_end(tenant)
    if len(kept) > _MOST_TENANTS:
        kept.popitem(last=False)
    return found


def forget(services: Services, principal: Principal) -> None:
    """Read the caller's flags anew at the next question: this process has just changed one."""
    kept: _Kept = services.cache.setdefault(_KEPT, OrderedDict())
    kept.pop(principal.tenant_id, None)


async def legacy_shows(services: Services, principal: Principal) -> bool:
    """Whether reads must show the legacy rows beside the interactions."""
    return not (await flags(services, principal))[UNIFIED].enabled


async def adapters_on(services: Services, principal: Principal) -> bool:
    """Whether the deprecated routes answer."""
    return (await flags(services, principal))[LEGACY_ADAPTERS].enabled
