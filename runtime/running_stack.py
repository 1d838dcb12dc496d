"""State file of an embedded stack: the processes of a home and the addresses of its servers."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from runtime.process_identity import is_alive

ProcessState = Literal["starting", "running", "restarting", "stopping", "stopped", "failed"]


class Addresses(BaseModel):
    """Addresses of the three servers; ``database_url`` contains a password."""

    model_config = ConfigDict(frozen=True)

    database_url: str
    kafka_bootstrap_servers: str
    schema_registry_url: str


class ProcessRecord(BaseModel):
    """One process of the stack.

    :param name: unique in the stack; equals the role for the first process of a role.
    :param mark: start id, which distinguishes the process from a later one with the same pid.
    :param url: base URL of ``/readyz``; ``None`` while the process is not running, or if it has none.
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

    :param pid: of the supervisor.
    :param mark: start id of the supervisor.
    :param ready: true once everything is running.
    :param step: what the supervisor is doing, in a few words.
    :param embedded: address names of the servers that this stack embeds.
    :param api_url: base URL of the HTTP gateway; ``None`` if there is none.
    :param api_key_file: key that signs local tokens; ``None`` when the gateway trusts another key.
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
        """True while the supervisor that wrote the file is running."""
        return is_alive(self.pid, self.mark)


def stack_file(home: Path) -> Path:
    """Path of the state file of a home."""
    return home / "run" / "stack.json"


def read_stack_file(home: Path) -> RunningStack | None:
    """The last state written in this home, whether or not its stack still runs; ``None`` if there is none."""
    try:
        return RunningStack.model_validate_json(stack_file(home).read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValidationError):
        return None


def read_running_stack(home: Path) -> RunningStack | None:
    """The stack that is running in this home, if any."""
    found = read_stack_file(home)
    return found if found is not None and found.alive else None


def write_stack_file(home: Path, state: RunningStack) -> None:
    """Replace the state file atomically, readable by its owner only."""
    path = stack_file(home)
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(f".{os.getpid()}.new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(state.model_dump_json(indent=2))
    fresh.replace(path)
