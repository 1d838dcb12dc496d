"""The state file of an embedded stack: what runs in a home, and where its servers listen."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from runtime.process_identity import is_alive

ProcessState = Literal["starting", "running", "restarting", "stopping", "stopped", "failed"]


class Addresses(BaseModel):
    """Where the three servers are reached; ``database_url`` holds a password."""

    model_config = ConfigDict(frozen=True)

    database_url: str
    kafka_bootstrap_servers: str
    schema_registry_url: str


class ProcessRecord(BaseModel):
    """One process of the stack.

    :param name: unique in the stack; equal to the role unless it has several processes.
    :param url: where it answers ``/readyz``; ``None`` while it does not run, or when it never does.
    :param mark: start mark that tells this process from a later one with the same pid.
    """

    role: str
    name: str
    pid: int | None
    mark: str | None
    state: ProcessState
    restarts: int = 0
    url: str | None = None


class RunningStack(BaseModel):
    """Content of ``<home>/run/stack.json`` (mode 0600).

    :param ready: whether all that was asked for runs.
    :param step: what the supervisor does now, in a few words.
    :param embedded: names of the addresses whose servers this stack runs itself.
    :param api_url: of the HTTP gateway; ``None`` when it is not asked for.
    :param api_key_file: the key that signs local tokens; ``None`` when the gateway trusts somebody else's.
    """

    version: Literal[1] = 1
    pid: int
    mark: str
    ready: bool
    step: str
    embedded: list[str]
    addresses: Addresses
    processes: list[ProcessRecord]
    api_url: str | None = None
    api_key_file: str | None = None

    @property
    def alive(self) -> bool:
        """Whether the supervisor that wrote the file still runs."""
        return is_alive(self.pid, self.mark)


def stack_file(home: Path) -> Path:
    """Path of the state file of a home."""
    return home / "run" / "stack.json"


def read_stack_file(home: Path) -> RunningStack | None:
    """The last state written in this home, whether or not anything still runs, if there is one."""
    try:
        return RunningStack.model_validate_json(stack_file(home).read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValidationError):
        return None


def read_running_stack(home: Path) -> RunningStack | None:
    """The stack that runs in this home; ``None`` when none does."""
    found = read_stack_file(home)
    return found if found is not None and found.alive else None


def write_stack_file(home: Path, state: RunningStack) -> None:
    """Replace the state file at one stroke, readable by its owner only."""
    path = stack_file(home)
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(f".{os.getpid()}.new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(state.model_dump_json(indent=2))
    fresh.replace(path)
