"""Feature flags of a tenant (spec "Configuration"): names and defaults."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import AfterValidator, StringConstraints

#: Reads return interactions only. If not set: on for a tenant without legacy rows, otherwise off.
UNIFIED: Final = "customers.interactions.unified"
#: Deprecated routes are served; when off, they answer 410.
LEGACY_ADAPTERS: Final = "customers.interactions.legacy-adapters"
#: Changes are synchronised to external providers.
EXTERNAL_SYNC: Final = "customers.interactions.external-sync"

#: Flags that a tenant with legacy rows can turn on only after their move is validated.
NEED_VALIDATION: Final = frozenset({UNIFIED, EXTERNAL_SYNC})

#: Flag → its default; ``None``: the default depends on the tenant's legacy rows.
DEFAULTS: Final[dict[str, bool | None]] = {UNIFIED: None, LEGACY_ADAPTERS: True, EXTERNAL_SYNC: False}


def canonical_flag(name: str) -> str:
    """Canonical name of a flag; underscores are read as dashes.

    :raises ValueError: the flag is unknown.
    """
    canonical = name.replace("_", "-")
    if canonical not in DEFAULTS:
        raise ValueError(f"is not a feature flag; must be one of {', '.join(DEFAULTS)}")
    return canonical


FlagName = Annotated[str, StringConstraints(max_length=100), AfterValidator(canonical_flag)]
