"""Settings and secrets of integrations that change while the connectors run."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from typing import Any
from unittest import mock

import pytest
from pydantic import SecretStr
from typer.testing import CliRunner

from cli.main import make_app
from connectors.link_book import LinkBook
from connectors.secrets import Sealed, read_box
from runtime.connector_settings import ConnectorSettings
from runtime.postgres import Connection, connect
from runtime.settings import Settings
from sinks.sync_integrations import Integration, read_integration, set_health, set_secrets, set_state
from tests.harness.roles import environment
from tests.harness.wire import ORGANIZATION, TENANT

pytestmark = pytest.mark.integration


def _key(name: str) -> str:
    return f"{name}:{base64.b64encode(os.urandom(32)).decode()}"


_OLD, _NEW = _key("old"), _key("new")


@pytest.fixture
def connection(fresh_settings: Settings) -> Iterator[Connection]:
    with connect(fresh_settings, application_name="tests", autocommit=True) as opened:
        yield opened


@pytest.fixture
def run(fresh_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run a subcommand of ``interactions connectors``; its exit status and what it prints or raises."""

    def call(*arguments: str, **variables: str) -> tuple[int, str]:
        own = {"INTERACTIONS_SECRETS_KEY": _OLD, **variables}
        with mock.patch.dict(os.environ, environment(fresh_settings, **own)):
            done = CliRunner().invoke(make_app(), ["connectors", *arguments])
        return done.exit_code, f"{done.output} {done.exception} {getattr(done.exception, 'errors', '')}"

    scope = ["--tenant", TENANT, "--organization", ORGANIZATION, "--id", "calendar-1"]
    chosen = [
        "--set",
        "url=https://dav.example.org/",
        "--set",
        "username=ada",
        "--secret",
        "password=env:FIRST",
    ]
    status, said = call("add", "caldav", *scope, *chosen, FIRST="one")
    assert status == 0, said
    return call


def _stored(connection: Connection, key: str = _OLD) -> tuple[Integration, dict[str, str]]:
    found = read_integration(connection, "calendar-1")
    assert found is not None
    return found, read_box(key).open(found.id, Sealed(found.secrets_key_id, found.secrets))


def test_an_expired_password_is_replaced_and_the_rest_stays(connection: Connection, run: Any) -> None:
    status, said = run(
        "set", "calendar-1", "--secret", "password=env:NEXT", "--set", "calendar=Work", NEXT="two"
    )

    assert status == 0, said
    found, secrets = _stored(connection)
    assert secrets == {"password": "two"}
    assert found.settings == {"url": "https://dav.example.org/", "username": "ada", "calendar": "Work"}
    assert "two" not in said


def test_an_empty_value_goes_back_to_the_default(connection: Connection, run: Any) -> None:
    run("set", "calendar-1", "--set", "calendar=Work")
    assert run("set", "calendar-1", "--set", "calendar=")[0] == 0
    assert "calendar" not in _stored(connection)[0].settings


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["calendar-1", "--set", "url=ftp://dav.example.org/"], "https"),
        (["calendar-1", "--set", "calender=Work"], "calender"),
        (["calendar-1", "--set", "password=three"], "--secret"),
        (["calendar-1"], "at least one"),
        (["calendar-2", "--set", "calendar=Work"], "calendar-2"),
    ],
)
def test_what_the_provider_does_not_accept_changes_nothing(
    connection: Connection, run: Any, arguments: list[str], reason: str
) -> None:
    before = _stored(connection)
    status, said = run("set", *arguments)
    assert status != 0
    assert reason in said
    assert _stored(connection) == before


def test_the_state_is_followed_while_a_new_key_waits_for_the_restart(
    fresh_settings: Settings, connection: Connection, run: Any
) -> None:
    book = LinkBook(fresh_settings, ConnectorSettings.model_validate({"INTERACTIONS_SECRETS_KEY": _OLD}))
    set_state(connection, "calendar-1", "active", None)
    try:
        book.refresh(connection)
        sealed = read_box(f"{_NEW},{_OLD}").seal("calendar-1", {"password": "one"})
        set_secrets(connection, "calendar-1", sealed.content, sealed.key_id)
        for state in ("paused", "active", "paused"):
            set_state(connection, "calendar-1", state, None)
            book.refresh(connection)
            held = book.get("calendar-1")
            assert held is not None
            assert held.integration.state == state
    finally:
        book.close()


def test_a_link_that_cannot_be_opened_says_why(
    fresh_settings: Settings, connection: Connection, run: Any
) -> None:
    set_health(connection, "calendar-1", True, "fine", read_now(connection))
    book = LinkBook(fresh_settings, ConnectorSettings(secrets_key=SecretStr(_NEW)))
    try:
        book.refresh(connection)
    finally:
        book.close()
    found, _ = _stored(connection)
    assert found.healthy is False
    assert "key" in str(found.health_detail)


def read_now(connection: Connection) -> Any:
    row = connection.execute("SELECT now()").fetchone()
    assert row is not None
    return row[0]
