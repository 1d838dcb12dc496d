"""All providers that are installed, found by looking into ``connectors.providers``."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from connectors import providers
from connectors.sdk.declaration import Declaration
from schemas.errors import Stop


def declarations() -> dict[str, Declaration]:
    """Every provider by its name.

    :raises Stop: a module cannot be loaded, declares nothing, or declares another name than its own.
    """
    return {name: _load(name) for name in _installed()}


def declaration(name: str) -> Declaration:
    """The provider of this name; a module that was added while the process runs is found, too.

    :raises Stop: there is none, or its module cannot be used.
    """
    installed = _installed()
    if name not in installed:
        raise Stop(f"there is no provider {name!r}; there are {', '.join(installed) or 'none'}")
    return _load(name)


def _installed() -> list[str]:
    importlib.invalidate_caches()
    return sorted(module.name for module in pkgutil.iter_modules(providers.__path__))


@cache
def _load(name: str) -> Declaration:
    # One module alone: a defective one must not keep the other providers from being opened.
    module = f"{providers.__name__}.{name}"
    try:
        declared = getattr(importlib.import_module(module), "DECLARATION", None)
    except Exception as error:
        raise Stop(f"{module} cannot be loaded: {type(error).__name__}: {error}") from error
    if not isinstance(declared, Declaration) or declared.name != name:
        raise Stop(f"{module} must define DECLARATION named {name!r}")
    return declared
