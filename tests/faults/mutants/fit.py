"""``python -m tests.faults.mutants.fit``: find mutants that patch names which the code no longer has.

Runs in a separate process, because not every effect of a patch can be undone.
"""

from __future__ import annotations

import builtins
import inspect
import json
import pkgutil
import sys
from importlib import import_module
from types import ModuleType
from typing import Any, Final

from tests.faults.mutants.catalogue import load

_PACKAGES: Final = ("schemas", "domain", "runtime", "sinks", "streams", "connectors", "api", "audit", "cli")
_SKIPPED: Final = ("sinks.migrations",)


def main() -> None:
    """Apply every mutant; print the names it adds instead of replacing, by mutant, as JSON."""
    scopes = _scopes(_modules())
    added = {}
    for name, mutant in load().items():
        before = [dict(vars(scope)) for scope in scopes]
        mutant.patch()
        added[name] = [
            f"{scope.__name__}.{attribute}"
            for scope, names in zip(scopes, before, strict=True)
            for attribute in vars(scope).keys() - names.keys()
            if not _shadows_a_builtin(scope, attribute)
        ]
        _restore(scopes, before)
    json.dump(added, sys.stdout)


def _modules() -> list[ModuleType]:
    names = [
        found.name
        for package in _PACKAGES
        for found in pkgutil.walk_packages([package], f"{package}.")
        if not found.name.startswith(_SKIPPED)
    ]
    return [import_module(name) for name in names]


def _scopes(modules: list[ModuleType]) -> list[Any]:
    """Modules and their classes: the scopes in which a patch can replace a name."""
    classes = [
        value
        for module in modules
        for value in vars(module).values()
        if inspect.isclass(value) and value.__module__ == module.__name__
    ]
    return [*modules, *classes]


def _restore(scopes: list[Any], before: list[dict[str, Any]]) -> None:
    for scope, names in zip(scopes, before, strict=True):
        for name, value in list(vars(scope).items()):
            if name not in names:
                delattr(scope, name)
            elif value is not names[name]:
                setattr(scope, name, names[name])


def _shadows_a_builtin(scope: Any, name: str) -> bool:
    is_module = isinstance(scope, ModuleType)
    return is_module and hasattr(builtins, name) and f"{name}(" in inspect.getsource(scope)


if __name__ == "__main__":
    main()
