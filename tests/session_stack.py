"""Plugin: the embedded servers of a test run, shared by all its workers.

The first worker that needs the servers starts them; they stop with the run, also when it is killed. Each
test has a world of its own on them, so that tests of different workers do not meet.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from pydantic import SecretStr

from runtime.running_stack import read_running_stack
from runtime.settings import ENV_PREFIX, Settings
from stack.down import stop_stack
from stack.file_lock import locked
from stack.launch import launch_stack

_INPUT: Final = "session_stack"


class SessionStack:
    """Servers that start when they are first asked for.

    :param home: folder of the stack; it need not exist.
    :param owner: pid of the process that the servers stop with.
    """

    def __init__(self, home: Path, owner: int) -> None:
        self.home = home
        self.owner = owner

    @contextlib.contextmanager
    def settings(self) -> Iterator[Settings]:
        """Start the servers unless they run; the environment of tests for the length of the block."""
        with environment_of_tests():
            self.home.mkdir(mode=0o700, exist_ok=True)
            # Of several workers, one starts the servers and the others wait.
            with locked(self.home / "start.lock"):
                if read_running_stack(self.home) is None:
                    launch_stack(self.home, "none", stop_with=self.owner)
            yield settings_of(self.home)

    def stop(self) -> None:
        """Stop the servers, if they run, and delete their folder."""
        if self.home.exists():
            stop_stack(self.home)
            shutil.rmtree(self.home)


STACK: Final = pytest.StashKey[SessionStack]()


def pytest_configure(config: pytest.Config) -> None:
    """Name the stack of this run; a worker gets the name from the process that started it."""
    given: dict[str, Any] = getattr(config, "workerinput", {})
    if _INPUT in given:
        home, owner = given[_INPUT]
        config.stash[STACK] = SessionStack(Path(home), owner)
        return
    name = f"interactions-tests-{os.getpid()}-{uuid.uuid4().hex[:8]}"
    config.stash[STACK] = SessionStack(Path(tempfile.gettempdir()) / name, os.getpid())


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker of pytest-xdist which stack is the run's."""
    stack = node.config.stash[STACK]
    node.workerinput[_INPUT] = (str(stack.home), stack.owner)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the servers at the end of the run, which is in the process that owns them."""
    stack = config.stash.get(STACK, None)
    if stack is not None and stack.owner == os.getpid():
        stack.stop()


@contextlib.contextmanager
def environment_of_tests(session_timeout_ms: int = 3000, heartbeat_ms: int = 500) -> Iterator[None]:
    """Ignore the caller's ``INTERACTIONS_…`` variables.

    Tests kill workers often; short sessions of the consumer groups spare each of them the wait for the dead
    member.
    """
    own = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith(ENV_PREFIX)}
    os.environ.update(
        INTERACTIONS_KAFKA_SESSION_TIMEOUT_MS=str(session_timeout_ms),
        INTERACTIONS_KAFKA_HEARTBEAT_MS=str(heartbeat_ms),
    )
    try:
        yield
    finally:
        for name in ("INTERACTIONS_KAFKA_SESSION_TIMEOUT_MS", "INTERACTIONS_KAFKA_HEARTBEAT_MS"):
            os.environ.pop(name, None)
        os.environ.update(own)


def settings_of(home: Path) -> Settings:
    """Settings that lead to the servers of a running stack."""
    running = read_running_stack(home)
    assert running is not None, "the stack's supervisor has exited"
    return Settings(
        home=home,
        database_url=SecretStr(running.addresses.database_url),
        kafka_bootstrap_servers=running.addresses.kafka_bootstrap_servers,
        schema_registry_url=running.addresses.schema_registry_url,
    )
