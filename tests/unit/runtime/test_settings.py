"""Sources of settings, and the errors for invalid ones."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from runtime.process_identity import process_start_id
from runtime.running_stack import Addresses, RunningStack, write_stack_file
from runtime.settings import ENV_PREFIX, load_settings
from schemas.errors import Stop

ADDRESSES = Addresses(
    database_url="postgresql://u:secret@127.0.0.1:1/d",
    kafka_bootstrap_servers="127.0.0.1:2",
    schema_registry_url="http://127.0.0.1:3",
)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in list(os.environ):
        if name.startswith(ENV_PREFIX):
            monkeypatch.delenv(name)
    monkeypatch.setenv("INTERACTIONS_HOME", str(tmp_path))
    return tmp_path


def write_state(home: Path, mark: str | None) -> None:
    state = RunningStack(
        pid=os.getpid(),
        mark=mark or "",
        ready=True,
        step="running",
        embedded=[],
        addresses=ADDRESSES,
        processes=[],
    )
    write_stack_file(home, state)


def test_without_a_stack_the_message_says_what_to_do() -> None:
    with pytest.raises(Stop, match="interactions up") as stopped:
        load_settings()
    assert "INTERACTIONS_DATABASE_URL" in str(stopped.value)


def test_the_running_stack_gives_what_the_environment_does_not(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_state(home, process_start_id(os.getpid()))
    monkeypatch.setenv("INTERACTIONS_KAFKA_BOOTSTRAP_SERVERS", "own:9092")

    settings = load_settings()

    assert settings.kafka_bootstrap_servers == "own:9092"
    assert settings.schema_registry_url == ADDRESSES.schema_registry_url
    assert settings.database_url is not None
    assert settings.database_url.get_secret_value() == ADDRESSES.database_url
    assert "secret" not in repr(settings)


def test_a_stack_whose_supervisor_has_ended_gives_nothing(home: Path) -> None:
    write_state(home, "another boot:1")

    with pytest.raises(Stop):
        load_settings()


def test_the_state_file_is_for_its_owner_only(home: Path) -> None:
    write_state(home, None)

    assert (home / "run" / "stack.json").stat().st_mode & 0o777 == 0o600


def test_a_value_that_cannot_be_used_is_named_and_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTERACTIONS_TOPIC_PARTITIONS", "many")

    with pytest.raises(Stop, match="INTERACTIONS_TOPIC_PARTITIONS") as stopped:
        load_settings()
    assert "many" not in str(stopped.value)
