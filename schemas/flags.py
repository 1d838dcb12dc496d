"""The feature flags of a tenant (spec "Configuration"): their names, and what holds until one is set."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import AfterValidator, StringConstraints

#: Reads show interactions alone. Not set: on for a tenant without legacy rows, else off.
UNIFIED: Final = "customers.interactions.unified"
#: The deprecated routes answer; off: 410.
LEGACY_ADAPTERS: Final = "customers.interactions.legacy-adapters"
#: Changes go to external providers.
EXTERNAL_SYNC: Final = "customers.interactions.external-sync"

#: Flag → its value until somebody sets it; ``None``: it depends on the tenant's legacy rows.
DEFAULTS: Final[dict[str, bool | None]] = {UNIFIED: None, LEGACY_ADAPTERS: True, EXTERNAL_SYNC: False}


def canonical_flag(name: str) -> str:
    """The name of a flag; underscores are read as dashes.

    :raises ValueError: there is no such flag.
    """
    canonical = name.replace("_", "-")
    if canonical not in DEFAULTS:
        raise ValueError(f"is no flag; the flags are {', '.join(DEFAULTS)}")
    return canonical


FlagName = Annotated[str, StringConstraints(max_length=100), AfterValidator(canonical_flag)]
