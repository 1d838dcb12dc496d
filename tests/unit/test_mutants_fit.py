"""Every deliberate bug replaces something that the code has: a patch of a name that moved changes nothing."""

from __future__ import annotations

import builtins
import inspect
import pkgutil
from collections.abc import Iterator
from importlib import import_module
from types import ModuleType
from typing import Any

import pytest

from tests.faults.mutants.catalogue import MUTANTS, load

_PACKAGES = ("schemas", "domain", "runtime", "sinks", "streams", "connectors", "api", "audit", "cli")
_SKIPPED = ("sinks.migrations",)


def _modules() -> list[ModuleType]:
    names = [
        found.name
        for package in _PACKAGES
        for found in pkgutil.walk_packages([package], f"{package}.")
        if not found.name.startswith(_SKIPPED)
    ]
    return [import_module(name) for name in names]


def _scopes(modules: list[ModuleType]) -> list[Any]:
    """The modules and their classes: where a patch can replace a name."""
    classes = [
        value
        for module in modules
        for value in vars(module).values()
        if inspect.isclass(value) and value.__module__ == module.__name__
    ]
    return [*modules, *classes]


@pytest.fixture(scope="module")
def scopes() -> list[Any]:
    return _scopes(_modules())


@pytest.fixture
def names_before(scopes: list[Any]) -> Iterator[list[dict[str, Any]]]:
    """What each scope holds before the patch, and holds again after the test."""
    before = [dict(vars(scope)) for scope in scopes]
    yield before
    for scope, names in zip(scopes, before, strict=True):
        for name, value in list(vars(scope).items()):
            if name not in names:
                delattr(scope, name)
            elif value is not names[name]:
                setattr(scope, name, names[name])


@pytest.mark.parametrize("name", sorted(load()))
def test_a_mutant_replaces_what_is_there(
    scopes: list[Any], names_before: list[dict[str, Any]], name: str
) -> None:
    MUTANTS[name].patch()
    added = [
        f"{scope.__name__}.{attribute}"
        for scope, names in zip(scopes, names_before, strict=True)
        for attribute in vars(scope).keys() - names.keys()
        if not (isinstance(scope, ModuleType) and _shadows_a_builtin(scope, attribute))
    ]
    assert not added, "the code has no such name"


def _shadows_a_builtin(module: ModuleType, name: str) -> bool:
    return hasattr(builtins, name) and f"{name}(" in inspect.getsource(module)
