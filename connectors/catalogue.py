"""All providers that are installed, found by looking into ``connectors.providers``."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from connectors import providers
from connectors.declaration import Declaration
from schemas.errors import Stop


@cache
def declarations() -> dict[str, Declaration]:
    """Every provider by its name.

    :raises Stop: a module declares nothing, or under another name than its own.
    """
    found: dict[str, Declaration] = {}
    for module in sorted(pkgutil.iter_modules(providers.__path__), key=lambda module: module.name):
        declared = getattr(
            importlib.import_module(f"{providers.__name__}.{module.name}"), "DECLARATION", None
        )
        if not isinstance(declared, Declaration) or declared.name != module.name:
            raise Stop(f"connectors/providers/{module.name}.py must hold DECLARATION named {module.name!r}")
        found[declared.name] = declared
    return found


def declaration(name: str) -> Declaration:
    """The provider of this name.

    :raises Stop: there is none.
    """
    known = declarations()
    if name not in known:
        raise Stop(f"there is no provider {name!r}; there are {', '.join(known) or 'none'}")
    return known[name]
