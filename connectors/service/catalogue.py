"""Catalogue of installed providers: the modules in ``connectors.providers``."""

from __future__ import annotations

import importlib
import pkgutil
from contextlib import suppress
from functools import cache

from connectors import providers
from connectors.sdk.declaration import Declaration
from connectors.service.guarded_provider import contained
from schemas.errors import Stop


def declarations() -> dict[str, Declaration]:
    """Declaration of every provider by name.

    :raises Stop: a module cannot be loaded, has no declaration, or declares a name other than its own.
    """
    return {name: _load(name) for name in _installed()}


def declaration(name: str) -> Declaration:
    """Declaration of one provider; modules added while the process runs are found too.

    :raises Stop: there is no such provider, or its module is unusable.
    """
    installed = _installed()
    if name not in installed:
        raise Stop(f"there is no provider {name!r}; there are {', '.join(installed) or 'none'}")
    return _load(name)


def usable_declarations() -> dict[str, Declaration]:
    """Declaration of every provider whose module can be loaded; a defective one is left out."""
    found = {}
    for name in _installed():
        with suppress(Stop):
            found[name] = _load(name)
    return found


def _installed() -> list[str]:
    importlib.invalidate_caches()
    return sorted(module.name for module in pkgutil.iter_modules(providers.__path__))


@cache
def _load(name: str) -> Declaration:
    # Load one module only: a defective one must not keep other providers from being opened.
    module = f"{providers.__name__}.{name}"
    try:
        with contained():
            declared = getattr(importlib.import_module(module), "DECLARATION", None)
    except Exception as error:
        raise Stop(f"{module} cannot be loaded: {type(error).__name__}: {error}") from error
    if not isinstance(declared, Declaration) or declared.name != name:
        raise Stop(f"{module} must define DECLARATION named {name!r}")
    return declared
