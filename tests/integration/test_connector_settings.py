"""Changes to integrations' settings and secrets while the connectors run."""

from __future__ import annotations

import base64
import os
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import orjson
import pytest
from typer.testing import CliRunner

from cli.main import make_app
from connectors import providers
from connectors.service import catalogue, maintenance
from connectors.service.catalogue import declaration
from connectors.service.event_handler import EventHandler
from connectors.service.integration_events import IntegrationEvents
from connectors.service.integration_settings import refuse_taken_remote
from connectors.service.maintenance import run_maintenance
from connectors.service.published_declarations import publish_declarations
from connectors.service.registry import Entry, IntegrationRegistry
from connectors.store.integrations import (
    Integration,
    insert_integration,
    read_integration,
    set_health,
    set_secrets,
    set_settings,
    set_state,
)
from connectors.store.interactions import interaction_types
from connectors.store.ledger_marks import LocalMark, mark_local
from connectors.store.mappings import Mapping, upsert_mapping
from connectors.store.removal import remove_integration
from connectors.store.stalls import note_poll
from connectors.store.warnings import raise_warning
from runtime.acknowledged_sender import AcknowledgedSender
from runtime.connector_settings import ConnectorSettings
from runtime.postgres import Connection, connect
from runtime.secret_box import Sealed, make_secret_box
from runtime.settings import Settings
from schemas.errors import Reject, Retry, Stop
from schemas.flags import EXTERNAL_SYNC
from tests.harness.integrations import a_warning
from tests.harness.memory_registry import MemoryRegistry
from tests.harness.roles import environment, wait_until
from tests.harness.wire import ORGANIZATION, TENANT, new_id

pytestmark = pytest.mark.integration


def _key(name: str) -> str:
    return f"{name}:{base64.b64encode(os.urandom(32)).decode()}"


_OLD, _NEW = _key("old"), _key("new")
#: Module of a provider that fails when it is opened.
_ODD = """
from dataclasses import replace
from connectors.providers.caldav import DECLARATION as DECLARED

def make(*_):
    {}

DECLARATION = replace(DECLARED, name="odd", make=make)
"""


def _registry(settings: Settings, key: str, **more: Any) -> IntegrationRegistry:
    sender = AcknowledgedSender(settings)
    events = IntegrationEvents(sender.send, MemoryRegistry.encoder().encode)
    connectors = ConnectorSettings.model_validate({"INTERACTIONS_SECRETS_KEY": key})
    return IntegrationRegistry(settings, connectors, sender, events, **more)


@pytest.fixture
def connection(fresh_database: Settings) -> Iterator[Connection]:
    with connect(fresh_database, application_name="tests", autocommit=True) as opened:
        yield opened


@pytest.fixture
def run(fresh_database: Settings, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run a subcommand of ``interactions connectors``; return exit status and output or exception."""

    def call(*arguments: str, **variables: str) -> tuple[int, str]:
        own = {"INTERACTIONS_SECRETS_KEY": _OLD, **variables}
        with mock.patch.dict(os.environ, environment(fresh_database, **own)):
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
    return found, make_secret_box(key).open(found.id, Sealed(found.secrets_key_id, found.secrets))


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
    fresh_database: Settings, connection: Connection, run: Any
) -> None:
    registry = _registry(fresh_database, _OLD)
    set_state(connection, "calendar-1", "active", None)
    try:
        registry.refresh(connection)
        sealed = make_secret_box(f"{_NEW},{_OLD}").seal("calendar-1", {"password": "one"})
        set_secrets(connection, "calendar-1", sealed.content, sealed.key_id)
        for state in ("paused", "active", "paused"):
            set_state(connection, "calendar-1", state, None)
            registry.refresh(connection)
            entry = registry.get("calendar-1")
            assert entry is not None
            assert entry.integration.state == state
    finally:
        registry.close()


def test_a_link_that_cannot_be_opened_says_why(
    fresh_database: Settings, connection: Connection, run: Any
) -> None:
    set_health(connection, "calendar-1", True, "fine", read_now(connection))
    registry = _registry(fresh_database, _NEW)
    try:
        registry.refresh(connection)
    finally:
        registry.close()
    found, _ = _stored(connection)
    assert found.healthy is False
    assert "key" in str(found.health_detail)


def test_content_that_cannot_be_opened_is_reported_and_tried_again(
    fresh_database: Settings, connection: Connection, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    registry = _registry(fresh_database, _OLD, clock=lambda: now)
    set_state(connection, "calendar-1", "active", None)
    connection.execute(
        "INSERT INTO feature_flags (tenant_id, organization_id, flag, enabled, updated_at)"
        " VALUES (%s, %s, %s, TRUE, now())",
        (TENANT, ORGANIZATION, EXTERNAL_SYNC),
    )
    both = f"{_NEW},{_OLD}"
    try:
        registry.refresh(connection)
        opened = _entries(registry).opened
        sealed = make_secret_box(both).seal("calendar-1", {"password": "two"})
        row = read_integration(connection, "calendar-1")
        assert row is not None
        changed = {"url": "https://dav.example.org/", "username": "grace"}
        set_settings(
            connection, replace(row, settings=changed, secrets=sealed.content, secrets_key_id=sealed.key_id)
        )
        for _ in range(3):
            registry.refresh(connection)
            assert _entries(registry).opened is opened, "the old settings stay in use"
        found, _ = _stored(connection, both)
        assert found.healthy is False
        assert "key" in str(found.health_detail)

        set_health(connection, "calendar-1", True, "fine", read_now(connection))
        monkeypatch.setattr(maintenance, "_tasks", lambda *_: [("health", 1.0, maintenance.check_health)])
        run_maintenance(_entries(registry), connection, 1.0, lambda: None)
        assert _stored(connection, both)[0].health_detail == "fine", "no health check with the old settings"

        monkeypatch.setattr(registry, "_box", make_secret_box(both))
        registry.refresh(connection)
        assert _entries(registry).opened is opened, "not before the pause has ended"
        now = 60.0
        registry.refresh(connection)
        assert _entries(registry).opened.session.integration.settings["username"] == "grace"
        assert _entries(registry).unusable is None
        assert _entries(registry).leads
    finally:
        registry.close()


def test_a_provider_that_is_added_later_is_found_without_a_restart(
    fresh_database: Settings,
    connection: Connection,
    run: Any,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    now = 0.0
    monkeypatch.setattr(providers, "__path__", [*providers.__path__, str(tmp_path)])
    connection.execute("UPDATE integrations SET provider = 'later', state = 'active'")
    registry = _registry(fresh_database, _OLD, clock=lambda: now)
    try:
        registry.refresh(connection)
        assert registry.get("calendar-1") is None
        status, said = run("list")
        assert status == 0
        assert "there is no provider 'later'" in " ".join(said.replace("\u2502", " ").split())

        (tmp_path / "later.py").write_text(
            "from dataclasses import replace\n"
            "from connectors.providers import caldav\n"
            "DECLARATION = replace(caldav.DECLARATION, name='later')\n"
        )
        now = 60.0
        registry.refresh(connection)
        assert _entries(registry).opened.session.declaration.name == "later"
    finally:
        registry.close()


def test_a_defective_provider_file_keeps_no_other_from_being_opened(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(providers, "__path__", [*providers.__path__, str(tmp_path)])
    (tmp_path / "defective.py").write_text("import a_module_that_is_not_there\n")
    assert declaration("caldav").name == "caldav"
    with pytest.raises(Stop, match=r"providers\.defective cannot be loaded"):
        declaration("defective")


@pytest.mark.parametrize(
    "text",
    [
        "raise SystemExit('a library is missing')",
        _ODD.format("raise KeyError('token')"),
        _ODD.format("raise SystemExit"),
    ],
)
def test_a_provider_that_fails_when_it_is_opened_stops_no_other(
    fresh_database: Settings,
    connection: Connection,
    run: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    text: str,
) -> None:
    (tmp_path / "odd.py").write_text(text)
    monkeypatch.setattr(providers, "__path__", [*providers.__path__, str(tmp_path)])
    found, _ = _stored(connection)
    assert insert_integration(connection, replace(found, id="a-first", provider="odd", secrets=b""))
    sealed = make_secret_box(_OLD).seal("b-second", {"password": "p"})
    second = replace(found, id="b-second", provider="odd", secrets=sealed.content)
    assert insert_integration(connection, second)
    registry = _registry(fresh_database, _OLD)
    try:
        publish_declarations(connection)
        registry.refresh(connection)
        assert [entry.integration.id for entry in registry.all()] == ["calendar-1"]
        for identity in ("a-first", "b-second"):
            unusable = read_integration(connection, identity)
            assert unusable is not None
            assert unusable.healthy is False
    finally:
        sys.modules.pop("connectors.providers.odd", None)
        catalogue._load.cache_clear()
        registry.close()


def test_a_foreign_record_among_the_events_is_skipped(
    fresh_database: Settings, connection: Connection, run: Any
) -> None:
    handler = EventHandler(fresh_database, threading.Event(), threading.Event())
    event: dict[str, Any] = {
        "id": new_id(),
        "tenantId": TENANT,
        "organizationId": ORGANIZATION,
        "entityId": new_id(),
    }
    event |= {"version": 1, "syncOrigin": None}
    records = {
        b"not ours": Reject("not_avro", "no schema"),
        b"no member": ("customers.interaction.updated", {}),
        b"no id": ("customers.interaction.updated", {**event, "id": "a\x00"}),
        b"ours": ("customers.interaction.updated", event),
    }

    def decode(value: bytes) -> Any:
        found = records[value]
        if isinstance(found, Reject):
            raise found
        return found

    with mock.patch.object(handler, "_decode", decode):
        handler([*records])
    handler.close()
    row = connection.execute("SELECT array_agg(interaction_id::text) FROM sync_ledger").fetchone()
    assert row == ([event["id"]],)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["set", "calendar-1", "--set", "calendar=A", "--set", "calendar=B"], "names 'calendar' twice"),
        (["set", "calendar-1", "--secret", "password=env:A", "--secret", "password=env:B"], "twice"),
        (["set", "calendar-1", "--secret", "username=env:A"], "has no such secret"),
        (["set", "calendar-1", "--secret", "password=@{file}"], "not a text in UTF-8"),
        (["warnings", "--integration", "calendar-9"], "There is no integration calendar-9"),
        (["retry", "--all", "--integration", "calendar-9"], "There is no integration calendar-9"),
    ],
)
def test_arguments_that_would_be_passed_over_are_refused(
    connection: Connection, run: Any, tmp_path: Path, arguments: list[str], reason: str
) -> None:
    file = tmp_path / "password"
    file.write_bytes(b"\xff\xfe")
    before = _stored(connection)
    status, said = run(*[each.format(file=file) for each in arguments], A="a", B="b")
    assert status != 0
    assert reason in said
    assert _stored(connection) == before


def test_an_old_warning_is_found_by_its_id(connection: Connection, run: Any) -> None:
    identity, _ = raise_warning(
        connection, a_warning("calendar-1", TENANT, ORGANIZATION, new_id(), kind="failed", field=None)
    )
    connection.execute("UPDATE integration_warnings SET created_at = created_at - interval '1 year'")
    connection.execute(
        "INSERT INTO integration_warnings (id, integration_id, tenant_id, organization_id, interaction_id,"
        " kind, detail) SELECT gen_random_uuid(), integration_id, tenant_id, organization_id,"
        " gen_random_uuid(), 'brake', 'x' FROM integration_warnings, generate_series(1, 10000)"
    )
    status, said = run("retry", "not-an-id", identity)
    assert status == 0, said
    assert "1 of 1 warnings" in said


def test_a_warning_shows_enough_to_decide_it(connection: Connection, run: Any) -> None:
    interaction, customer = new_id(), new_id()
    theirs = "x" * 500
    raise_warning(
        connection,
        a_warning(
            "calendar-1",
            TENANT,
            ORGANIZATION,
            interaction,
            entity_id=customer,
            local_value="Call Ada",
            remote_value=theirs,
        ),
    )
    status, said = run("warnings")
    assert status == 0
    assert {interaction, customer, '"Call', "conflict", "title"} <= set(said.split())
    assert "our value (local)" in said
    assert "provider's value (remote)" in said
    assert said.count("x") < 200, "truncated in the table"
    status, said = run("warnings", "--json")
    shown = orjson.loads(said[: said.index("\n")])
    assert (shown["interactionId"], shown["entityId"]) == (interaction, customer)
    assert (shown["local"], shown["remote"]) == ("Call Ada", theirs)
    assert shown["interactionType"] is None, "the interaction does not exist"


def test_types_of_interactions_are_found(connection: Connection) -> None:
    here, missing, customer = new_id(), new_id(), new_id()
    connection.execute(
        "INSERT INTO customer_entities (id, tenant_id, organization_id, kind, display_name, entity_version,"
        " open_count, overdue_count, done_count, created_at, updated_at)"
        " VALUES (%s, %s, %s, 'person', 'Ada', 1, 0, 0, 0, now(), now())",
        (customer, TENANT, ORGANIZATION),
    )
    connection.execute(
        "INSERT INTO customer_interactions (id, organization_id, tenant_id, entity_id, interaction_type,"
        " status, version, schedule_version, due_phase, status_as_of, scheduled_as_of, occurred_as_of,"
        " created_at, updated_at)"
        " VALUES (%s, %s, %s, %s, 'call', 'planned', 1, 1, 0, now(), now(), now(), now(), now())",
        (here, ORGANIZATION, TENANT, customer),
    )
    assert interaction_types(connection, [here, missing]) == {here: "call"}


def _entries(registry: IntegrationRegistry) -> Entry:
    entry = registry.get("calendar-1")
    assert entry is not None
    return entry


def read_now(connection: Connection) -> Any:
    row = connection.execute("SELECT now()").fetchone()
    assert row is not None
    return row[0]


def test_remove_takes_everything_of_the_integration_and_says_how_many_mirrors_stay(
    fresh_database: Settings, connection: Connection, run: Any
) -> None:
    interaction = new_id()
    mapping = Mapping(
        integration_id="calendar-1",
        local_id=interaction,
        tenant_id=TENANT,
        organization_id=ORGANIZATION,
        external_id="/a.ics",
        base={},
    )
    upsert_mapping(connection, mapping)
    mark_local(connection, [_mark(interaction)], read_now(connection))
    raise_warning(connection, a_warning("calendar-1", TENANT, ORGANIZATION, interaction))
    found, _ = _stored(connection)
    note_poll(connection, found, read_now(connection))

    assert run("remove", "calendar-1")[0] != 0, "without a terminal it needs --yes"
    assert read_integration(connection, "calendar-1") is not None
    status, said = run("remove", "calendar-1", "--yes", "--json")

    assert status == 0, said
    assert '"mirrorsLeft": 1' in said
    assert read_integration(connection, "calendar-1") is None
    assert _rows(connection) == 0
    assert "calendar-1" in run("remove", "calendar-1", "--yes")[1]


def test_work_under_way_writes_nothing_of_a_removed_integration(
    fresh_database: Settings, connection: Connection, run: Any
) -> None:
    found, _ = _stored(connection)
    marker = EventHandler(fresh_database, threading.Event(), threading.Event())
    marks = [_mark(new_id())]
    assert remove_integration(connection, found) == 0

    note_poll(connection, found, read_now(connection))
    with (
        mock.patch("connectors.service.event_handler.list_integrations", return_value=[found]),
        mock.patch("connectors.service.event_handler.marks_for_event", return_value=marks),
        mock.patch.object(marker, "_decode", return_value=("kind", {})),
        pytest.raises(Retry, match="removed"),
    ):
        marker._mark(connection, [b"event"])

    assert _rows(connection) == 0
    assert remove_integration(connection, found) is None


def test_an_id_is_free_again_after_an_add_that_failed_and_after_a_removal(
    connection: Connection, run: Any
) -> None:
    scope = ["--tenant", TENANT, "--organization", ORGANIZATION, "--id", "calendar-2"]
    secret = ["--set", "username=ada", "--secret", "password=env:FIRST"]
    wrong = [*scope, *secret, "--set", "url=ftp://dav.example.org/"]
    right = [*scope, *secret, "--set", "url=https://dav.example.org/other/"]
    assert run("add", "caldav", *wrong, FIRST="one")[0] != 0
    assert run("add", "caldav", *right, FIRST="one")[0] == 0
    status, said = run("add", "caldav", *right, FIRST="one")
    assert status != 0
    assert "connectors set calendar-2" in said
    assert "connectors remove calendar-2" in said
    assert run("remove", "calendar-2", "--yes")[0] == 0
    assert run("add", "caldav", *right, FIRST="one")[0] == 0


def test_one_organization_has_one_integration_per_calendar(connection: Connection, run: Any) -> None:
    def add(identity: str, organization: str, url: str, *more: str) -> tuple[int, str]:
        scope = ["--tenant", TENANT, "--organization", organization, "--id", identity]
        chosen = ["--set", "username=ada", "--secret", "password=env:FIRST", "--set", f"url={url}", *more]
        return run("add", "caldav", *scope, *chosen, FIRST="one")  # type: ignore[no-any-return]

    status, said = add("calendar-2", ORGANIZATION, "https://DAV.example.org")
    assert status != 0
    assert "calendar-1" in said
    assert read_integration(connection, "calendar-2") is None
    assert add("calendar-3", new_id(), "https://dav.example.org/")[0] == 0, "another organization may"
    assert add("calendar-4", ORGANIZATION, "https://dav.example.org/", "--set", "calendar=Work")[0] == 0
    status, said = run("set", "calendar-4", "--set", "calendar=")
    assert status != 0
    assert "calendar-1" in said
    assert run("set", "calendar-4", "--set", "calendar=Home")[0] == 0
    assert run("remove", "calendar-1", "--yes")[0] == 0
    assert run("set", "calendar-4", "--set", "calendar=")[0] == 0


def test_additions_of_one_calendar_are_serialized(
    fresh_database: Settings, connection: Connection, run: Any
) -> None:
    found, _ = _stored(connection)
    settings = {"url": "https://dav.example.org/other/", "username": "ada"}
    refused: list[Reject] = []

    def add_second() -> None:
        second = replace(found, id="calendar-3", settings=settings)
        with connect(fresh_database, application_name="second-add", autocommit=True) as other:
            try:
                with other.transaction():
                    refuse_taken_remote(other, declaration("caldav"), second)
                    insert_integration(other, second)
            except Reject as error:
                refused.append(error)

    thread = threading.Thread(target=add_second)
    with connection.transaction():
        first = replace(found, id="calendar-2", settings=settings)
        refuse_taken_remote(connection, declaration("caldav"), first)
        assert insert_integration(connection, first)
        thread.start()
        # Another session: within a transaction the server shows the activity of its beginning.
        with connect(fresh_database, application_name="watcher", autocommit=True) as watcher:
            wait_until(lambda: _waits_for_lock(watcher, "second-add"), 30)
    thread.join(30)
    assert [error.code for error in refused] == ["remote_taken"]
    assert read_integration(connection, "calendar-3") is None


def _waits_for_lock(connection: Connection, application: str) -> bool:
    row = connection.execute(
        "SELECT 1 FROM pg_stat_get_activity(NULL) AS a WHERE a.application_name = %s"
        " AND a.wait_event_type = 'Lock'",
        (application,),
    ).fetchone()
    return row is not None


def _mark(interaction: str) -> LocalMark:
    return LocalMark(
        integration_id="calendar-1",
        interaction_id=interaction,
        tenant_id=TENANT,
        organization_id=ORGANIZATION,
        entity_id=new_id(),
        version=1,
    )


def _rows(connection: Connection) -> int:
    """Number of rows that belong to integrations, without the record of their removal."""
    row = connection.execute(
        "SELECT (SELECT count(*) FROM sync_ledger) + (SELECT count(*) FROM sync_external_id_mappings)"
        " + (SELECT count(*) FROM integration_warnings) + (SELECT count(*) FROM job_checkpoints"
        " WHERE job LIKE '%:calendar-1' AND job NOT LIKE 'connectors.removed:%')"
    ).fetchone()
    assert row is not None
    return int(row[0])
