"""Registry of writers: the modules of this package that have a ``DECLARATION``."""

from __future__ import annotations

import contextlib
import importlib
import pkgutil
from functools import cache

from schemas.errors import Stop
from streams.drafts import writers
from streams.drafts.writers.interface import Writer, WriterDeclaration
from streams.drafts.writers.settings import WriterSettings


def make_writer(settings: WriterSettings) -> Writer:
    """Create the writer that ``INTERACTIONS_DRAFTS_WRITER`` names.

    :raises Stop: there is no such writer, its module is unusable, or one of its settings is invalid.
    """
    declared = _load(settings.writer) if settings.writer in _modules() else None
    if declared is None:
        raise Stop(
            f"There is no writer {settings.writer!r}; there are {', '.join(declarations()) or 'none'}."
        )
    return declared.make()


def declarations() -> dict[str, WriterDeclaration]:
    """Declaration of every writer by name, without those whose module is unusable."""
    found = {}
    for name in _modules():
        with contextlib.suppress(Stop):
            if declared := _load(name):
                found[name] = declared
    return found


def _modules() -> list[str]:
    importlib.invalidate_caches()
    return sorted(module.name for module in pkgutil.iter_modules(writers.__path__))


@cache
def _load(name: str) -> WriterDeclaration | None:
    # Load one module only: a defective one must not keep other writers from being used.
    module = f"{writers.__name__}.{name}"
    try:
        declared = getattr(importlib.import_module(module), "DECLARATION", None)
    except Exception as error:
        raise Stop(f"{module} cannot be loaded: {type(error).__name__}: {error}") from error
    if declared is None:
        return None
    if not isinstance(declared, WriterDeclaration) or declared.name != name:
        raise Stop(f"{module} must define DECLARATION named {name!r}")
    return declared
