"""Every example in a help text is a valid command line."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
from typer.testing import CliRunner

from cli.main import make_app
from stack.roles import ROLES

_APP: Any = typer.main.get_command(make_app())
_ID = "0b7f5a0e-53e4-4b0c-9d1e-1f0a6f7d0001"
_FILES = {"week.jsonl": "", "key.txt": "the key", "token.txt": "the token"}


def _commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    yield " ".join(path), command
    for name, each in getattr(command, "commands", {}).items():
        yield from _commands(each, (*path, name))


def _lines() -> list[str]:
    """Example lines of all help texts, without duplicates."""
    found: dict[str, None] = {}
    for _, command in _commands(_APP):
        for line in f"{command.help or ''}\n{command.epilog or ''}".splitlines():
            if re.match(r"  (?!\[bold\])\S", line) and "interactions " in f"{line} ":
                found[line.strip()] = None
    return list(found)


def _arguments(line: str) -> list[list[str]]:
    """Arguments of each ``interactions`` call in a line, without the rest of the shell syntax."""
    text = re.split(r" {2,}", line)[0].replace("…", _ID)
    text = text.replace("$TENANT", _ID).replace("$ORGANIZATION", _ID)
    calls = re.findall(r"(?:^|[\s(])interactions(?= |$|\))([^|;&)]*)", text)
    return [shlex.split(call.split(" #")[0]) for call in calls]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, content in _FILES.items():
        (tmp_path / name).write_text(content)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_examples_are_found() -> None:
    shown = {tuple(call)[:1] for line in _lines() for call in _arguments(line)}
    assert {("up",), ("publish",), ("connectors",), ("env",), ("token",)} <= shown
    assert len(_lines()) > 40


@pytest.mark.parametrize("line", _lines())
def test_an_example_is_accepted(line: str) -> None:
    """Names, options and values of an example are valid for its command; nothing is executed."""
    calls = _arguments(line)
    assert calls, "no command in it"
    for arguments in calls:
        command, name, rest = _APP, "interactions", list(arguments)
        while hasattr(command, "commands"):
            name = rest.pop(0)
            command = command.commands[name]
        made = command.make_context(name, rest)
        if "roles" in made.params or "role" in made.params:
            named = re.findall(r"[a-z]+", made.params.get("roles") or made.params.get("role") or "none")
            assert set(named) <= {*ROLES, "none"}


@pytest.mark.parametrize("line", [line for line in _lines() if "connectors add" in line])
def test_settings_of_an_example_fit_the_provider(line: str) -> None:
    from cli.connectors.options import pairs, settings_of
    from connectors.service.catalogue import declaration

    [arguments] = _arguments(line)

    def values(option: str) -> dict[str, str]:
        return pairs([arguments[at + 1] for at, each in enumerate(arguments) if each == option], option)

    settings_of(declaration(arguments[2]), values("--set"), values("--secret"))


@pytest.mark.parametrize("command", ["up", "run"])
def test_help_names_every_role(command: str) -> None:
    help_text = CliRunner().invoke(make_app(), [command, "--help"], env={"COLUMNS": "200"}).output
    assert set(ROLES) <= set(re.findall(r"[a-z]+", help_text))
