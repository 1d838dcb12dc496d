"""Every command is loaded from its module alone."""

from __future__ import annotations

from typing import Any

import pytest
import typer.main

from cli.main import MODULES, make_app


def _commands(app: typer.Typer) -> set[str]:
    group: Any = typer.main.get_command(app)
    return set(group.commands)


def test_every_command_has_a_module() -> None:
    assert _commands(make_app()) == set(MODULES)


@pytest.mark.parametrize("command", MODULES)
def test_a_command_comes_from_its_module(command: str) -> None:
    siblings = {name for name, module in MODULES.items() if module == MODULES[command]}
    assert _commands(make_app(command)) == siblings


def test_an_unknown_command_is_looked_for_among_all() -> None:
    assert _commands(make_app("no-such-command")) == set(MODULES)
