"""The erasure of a customer on real servers: rows, states, journal, legacy rows, and a killed job."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from runtime.postgres import Connection, connect
from runtime.settings import Settings
from schemas.identity import derive_id
from schemas.topics import (
    COMMANDS,
    DEAL_STATE,
    DRAFT_STATE,
    ENTITY_STATE,
    EVENTS,
    INTERACTION_STATE,
    NEXT_INTERACTION_STATE,
    SIGNAL_STATE,
)
from sinks.erasure.job import erasure_job_id
from sinks.jobs.store import find_job, request_job
from sinks.legacy_tables import lift_freeze
from tests.harness.audit import assert_clean, run_audit
from tests.harness.forked import run
from tests.harness.load import Load
from tests.harness.roles import environment, running, wait_until
from tests.harness.signal_story import Story
from tests.harness.topic_reader import read_topic
from tests.harness.wire import ORGANIZATION, TENANT, decoder, event, new_id, outcomes, publish
from tests.stack_fixtures import own_world

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]
#: In every text of the customer.
MARK = "Zaubernuss"
STATES = (INTERACTION_STATE, NEXT_INTERACTION_STATE, ENTITY_STATE, DEAL_STATE, SIGNAL_STATE, DRAFT_STATE)


@pytest.fixture(scope="module")
def world(embedded_stack: Settings, template_database: str) -> Iterator[Settings]:
    """Applier and relay; a test runs the jobs role itself."""
    with (
        own_world(embedded_stack, template_database) as settings,
        running(settings, "applier"),
        running(settings, "relay"),
    ):
        yield settings


@pytest.fixture
def database(world: Settings) -> Iterator[Connection]:
    with connect(world, application_name="test", autocommit=True) as connection:
        yield connection


class Customer(Story):
    """A customer with rows of every kind, all of whose texts have the mark."""

    def __init__(self) -> None:
        super().__init__()
        self.deal = new_id()
        self.add("entity.upsert", {"id": self.ada, "kind": "person", "displayName": f"Ada {MARK}"})
        self.messages.append(event("deal.upsert", self.ada, {"id": self.deal, "title": f"Roof {MARK}"}))
        update = {"title": f"Call {MARK}", "body": f"First\n{MARK}", "scheduledAt": "2031-01-05T09:00:00Z"}
        self.add("interaction.update", {"id": self.call, **update, "dealId": self.deal}, "update")
        self.add("interaction.update", {"id": self.call, "interactionType": f"inspection {MARK}"})
        visit = {"id": new_id(), "interactionType": "visit", "title": MARK}
        self.add("interaction.create", visit, "visit")
        self.add("interaction.delete", {"id": visit["id"]}, "deleted")
        self.visit = visit["id"]
        self.add("signal.update", {"id": self.signals[0], "title": f"Promise {MARK}"})
        self.add("signal.resolve", {"id": self.signals[0], "channel": "email", "instruction": MARK})
        body = {"id": self.signals[0], "resolution": self.version, "body": MARK, "writer": "template"}
        self.add("signal.attach_draft", body)

    def erase(self, **data: Any) -> dict[str, Any]:
        return event("entity.erase", self.ada, {"id": self.ada, **data}, command_id=f"{self.seed}-erase")

    @property
    def job(self) -> str:
        return erasure_job_id(TENANT, ORGANIZATION, f"{self.seed}-erase")


def applied(settings: Settings, messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found = outcomes(settings, messages)
    assert {result["outcome"] for result in found} == {"applied"}, [r["problem"] for r in found]
    return found


def wait_for_job(connection: Connection, job_id: str) -> None:
    def ended() -> bool:
        job = find_job(connection, job_id)
        return job is not None and job.state in ("completed", "failed")

    wait_until(ended, 60, lambda: str(find_job(connection, job_id)))
    job = find_job(connection, job_id)
    assert job is not None
    assert job.state == "completed", job.reason


def completed(connection: Connection, customer: Customer) -> None:
    wait_for_job(connection, customer.job)


def holding(connection: Connection, text: str) -> dict[str, int]:
    """Tables with rows that contain a text → number of rows."""
    tables = connection.execute(
        "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition"
    ).fetchall()
    found = {}
    for (table,) in tables:
        rows = connection.execute(f"SELECT count(*) FROM {table} t WHERE t::text ILIKE %s", (f"%{text}%",))
        row = rows.fetchone()
        assert row is not None
        if row[0]:
            found[table] = row[0]
    return found


def rows_of(connection: Connection, customer: Story) -> int:
    row = connection.execute(
        "SELECT (SELECT count(*) FROM customer_entities WHERE id = %(id)s)"
        " + (SELECT count(*) FROM customer_interactions WHERE entity_id = %(id)s)"
        " + (SELECT count(*) FROM customer_deals WHERE entity_id = %(id)s)"
        " + (SELECT count(*) FROM signals WHERE entity_id = %(id)s)"
        " + (SELECT count(*) FROM generated_drafts WHERE entity_id = %(id)s)"
        " + (SELECT count(*) FROM signal_outcomes WHERE entity_id = %(id)s)",
        {"id": customer.ada},
    ).fetchone()
    assert row is not None
    return int(row[0])


def test_nothing_of_the_customer_remains(world: Settings, database: Connection) -> None:
    customer, other = Customer(), Story()
    applied(world, [*other.messages, *customer.messages])
    assert rows_of(database, customer) > 6
    draft = derive_id("draft", TENANT, ORGANIZATION, customer.signals[0], str(customer.version - 1))
    (result,) = applied(world, [customer.erase()])
    assert rows_of(database, customer) == 0
    assert rows_of(database, other) > 0
    assert result["entityVersion"] == customer.version + 1
    with running(world, "jobs"):
        completed(database, customer)
    # A type of interaction belongs to the organization.
    assert holding(database, MARK).keys() <= {"interaction_types"}
    assert_clean(world)
    gone = {
        INTERACTION_STATE: {customer.call, customer.visit},
        SIGNAL_STATE: set(customer.signals),
        DRAFT_STATE: {draft},
        DEAL_STATE: {customer.deal},
        ENTITY_STATE: {customer.ada},
        NEXT_INTERACTION_STATE: {customer.ada},
    }
    for topic, keys in gone.items():
        last = {(record.key or b"").decode(): record.value for record in read_topic(world, topic)}
        assert {key: last[key] for key in keys} == dict.fromkeys(keys)
    events = [record for record in read_topic(world, EVENTS) if record.key == customer.ada.encode()]
    kind, value = decoder(world).decode(events[-1].value or b"")
    assert kind == "customers.entity.erased"
    assert (value["interactions"], value["deals"], value["signals"], value["drafts"]) == (1, 1, 3, 1)


def test_later_and_repeated_commands(world: Settings, database: Connection) -> None:
    customer = Customer()
    applied(world, customer.messages)
    first = customer.messages[-1]
    late = event("entity.upsert", customer.ada, {"id": customer.ada, "kind": "person", "displayName": "x"})
    batch = [
        event("interaction.create", customer.ada, {"interactionType": "call", "title": MARK}),
        customer.erase(),
        event("interaction.update", customer.ada, {"id": customer.call, "title": "x"}),
        late,
    ]
    found = outcomes(world, batch)
    assert [result["outcome"] for result in found] == ["applied", "applied", "rejected", "rejected"]
    assert {result["problem"]["code"] for result in found[2:]} == {"entity_erased"}
    with running(world, "jobs"):
        completed(database, customer)
    undo = event("interaction.undo", customer.ada, {"commandId": f"{customer.seed}-update"})
    duplicate, refused, repeated = outcomes(world, [first, undo, customer.erase()])
    assert (duplicate["outcome"], duplicate["first"]["outcome"]) == ("duplicate", "applied")
    assert (duplicate["first"]["nextInteraction"], duplicate["first"]["undoToken"]) == (None, None)
    assert duplicate["entityVersion"] == duplicate["first"]["entityVersion"] is not None
    assert refused["problem"]["code"] == "entity_erased"
    assert repeated["outcome"] == "duplicate"
    assert rows_of(database, customer) == 0
    assert_clean(world)


def test_an_id_that_each_customer_used_is_erased_each_time(world: Settings, database: Connection) -> None:
    reused, deleted = new_id(), new_id()
    customers = [new_id(), new_id()]
    for customer in customers:
        person = {"id": customer, "kind": "person", "displayName": MARK}
        story = [
            event("entity.upsert", customer, person),
            event("interaction.create", customer, {"id": reused, "interactionType": "call"}),
            event("interaction.create", customer, {"id": deleted, "interactionType": "call"}),
            event("interaction.delete", customer, {"id": deleted}),
            event("entity.erase", customer, {"id": customer}, command_id=f"{customer}-erase"),
        ]
        applied(world, story)
        with running(world, "jobs"):
            job = erasure_job_id(TENANT, ORGANIZATION, f"{customer}-erase")
            wait_for_job(database, job)
    rows = database.execute(
        "SELECT interaction_id::text, entity_id::text FROM erased_interactions"
        " WHERE interaction_id = ANY(%s::uuid[])",
        ([reused, deleted],),
    )
    assert dict(rows) == {reused: customers[-1], deleted: customers[-1]}
    assert_clean(world)


def test_a_killed_job_resumes(world: Settings, database: Connection) -> None:
    customer = Customer()
    updates = [
        event("interaction.update", customer.ada, {"id": customer.call, "title": f"{MARK} {number}"})
        for number in range(600)
    ]
    applied(world, [*customer.messages, *updates, customer.erase()])
    crash = {"INTERACTIONS_TEST_BUILD": "1", "INTERACTIONS_CRASH_POINT": "erase-after-page"}
    with running(world, "jobs", **crash) as victim:
        assert victim.wait_for_exit() != 0
        assert "crash point erase-after-page reached" in victim.log
    assert "journal" in holding(database, MARK)
    job = find_job(database, customer.job)
    assert job is not None
    assert job.state == "running"
    _, report = run_audit(world, wait=10)
    assert not [check["violations"] for check in report["checks"] if check["violations"]]
    assert report["lagBy"] == {"erasures": 1}
    with running(world, "jobs"):
        completed(database, customer)
    assert "journal" not in holding(database, MARK)
    job = find_job(database, customer.job)
    assert job is not None
    assert job.report["journalEntries"] >= 600
    assert_clean(world)


def test_legacy_rows_and_their_todos_go(world: Settings, database: Connection) -> None:
    customer, other = Customer(), new_id()
    own, shared = new_id(), new_id()
    scope = {"tenant": TENANT, "organization": ORGANIZATION}
    with database.transaction():
        lift_freeze(database)
        for entity, todo in ((customer.ada, own), (customer.ada, shared), (other, shared)):
            database.execute(
                "INSERT INTO customer_todo_links (id, tenant_id, organization_id, entity_id, todo_id,"
                " todo_source, created_at) VALUES (%s, %s, %s, %s, %s, 'example', now())",
                (new_id(), TENANT, ORGANIZATION, entity, todo),
            )
        for todo, title in ((own, f"Todo {MARK}"), (shared, "Shared")):
            database.execute(
                "INSERT INTO legacy_todos (tenant_id, organization_id, todo_source, id, title)"
                " VALUES (%(tenant)s, %(organization)s, 'example', %(id)s, %(title)s)",
                {**scope, "id": todo, "title": title},
            )
            database.execute(
                "INSERT INTO legacy_external_links (tenant_id, organization_id, integration_id, legacy_id,"
                " external_id) VALUES (%(tenant)s, %(organization)s, 'i', %(id)s, 'card')",
                {**scope, "id": todo},
            )
        database.execute(
            "INSERT INTO customer_activities (id, tenant_id, organization_id, entity_id, activity_type,"
            " subject, created_at, updated_at) VALUES (%s, %s, %s, %s, 'call', %s, now(), now())",
            (new_id(), TENANT, ORGANIZATION, customer.ada, MARK),
        )
        database.execute(
            "INSERT INTO legacy_interactions (id, tenant_id, organization_id, entity_id, interaction_type,"
            " title, status, created_at, updated_at)"
            " VALUES (%s, %s, %s, %s, 'call', %s, 'planned', now(), now())",
            (new_id(), TENANT, ORGANIZATION, customer.ada, MARK),
        )
    applied(world, [*customer.messages, customer.erase()])
    with running(world, "jobs"):
        completed(database, customer)
    assert holding(database, MARK).keys() <= {"interaction_types"}
    left = "SELECT (SELECT array_agg(id::text) FROM legacy_todos WHERE id = ANY(%s)),"
    left += " (SELECT array_agg(legacy_id::text) FROM legacy_external_links WHERE legacy_id = ANY(%s)),"
    left += " (SELECT count(*) FROM customer_todo_links WHERE entity_id = %s)"
    ids = [own, shared]
    assert database.execute(left, (ids, ids, other)).fetchone() == ([shared], [shared], 1)


def test_the_journal_is_kept_until_it_is_published(embedded_stack: Settings, template_database: str) -> None:
    customer = Customer()
    with (
        own_world(embedded_stack, template_database) as settings,
        running(settings, "applier"),
        connect(settings, application_name="test", autocommit=True) as connection,
    ):
        applied(settings, [*customer.messages, customer.erase()])
        with running(settings, "jobs") as jobs:
            jobs.wait_for_log("jobs.running")
            job = find_job(connection, customer.job)
            assert job is not None
            wait_until(lambda: (find_job(connection, customer.job) or job).cursor is not None, 30)
            assert "journal" in holding(connection, MARK), "no relay has published it yet"
            assert request_job(connection, customer.job, "pause")
            assert request_job(connection, customer.job, "resume")
            with running(settings, "relay"):
                completed(connection, customer)
        assert "journal" not in holding(connection, MARK)
        assert_clean(settings)


def test_an_erasure_in_the_middle_of_a_stream(embedded_stack: Settings, template_database: str) -> None:
    with (
        own_world(embedded_stack, template_database) as settings,
        running(settings, "applier"),
        running(settings, "relay"),
        running(settings, "jobs"),
        connect(settings, application_name="test", autocommit=True) as connection,
    ):
        with Load(settings, seed=11, pace=600, total=3000, entities=20) as load:
            customers = "SELECT count(*) FROM customer_entities"
            wait_until(lambda: (connection.execute(customers).fetchone() or (0,))[0] >= 5, 60)
            entities = connection.execute("SELECT id::text, tenant_id::text, organization_id::text FROM"
                                          " customer_entities LIMIT 5").fetchall()  # fmt: skip
            erasures = [
                event("entity.erase", entity, {"id": entity}, tenant=tenant, organization=organization)
                for entity, tenant, organization in entities
            ]
            publish(settings, erasures)
            assert load.done.wait(120)
        assert len(entities) == 5
        wait_until(lambda: erased(connection) == (5, 5), 90, lambda: str(erased(connection)))
        assert_clean(settings)


def test_the_command_line_shows_what_remains_until_when(world: Settings, database: Connection) -> None:
    customer = Customer()
    applied(world, customer.messages)
    scope = ["--entity", customer.ada, "--tenant", TENANT, "--organization", ORGANIZATION]
    with running(world, "jobs"):
        done = run(["erase", *scope, "--yes", "--json"], environment(world), timeout=120)
    report = json.loads(done.stdout)
    assert done.returncode == 0, done.stdout[-3000:]
    assert MARK not in done.stdout + done.stderr
    assert report["ok"]
    assert report["job"]["state"] == "completed"
    places = {place["name"]: place for place in report["search"]["places"]}
    assert not [place for place in places.values() if place["kind"] != "topic" and place["remaining"]]
    for topic in (COMMANDS, EVENTS):
        assert places[topic]["remaining"] > 3
        assert places[topic]["until"] > "2026"
    for topic in (INTERACTION_STATE, ENTITY_STATE):
        assert places[topic]["superseded"]
        assert "min.cleanable.dirty.ratio" in places[topic]["settings"]
    repeated = run(["erase", *scope, "--yes"], environment(world), timeout=120)
    assert repeated.returncode == 0, repeated.stdout
    assert "had been erased before" in repeated.stdout


def test_a_canceled_job_is_continued_by_another_call(world: Settings, database: Connection) -> None:
    customer = Customer()
    applied(world, [*customer.messages, customer.erase()])
    assert request_job(database, customer.job, "cancel")
    scope = ["--entity", customer.ada, "--tenant", TENANT, "--organization", ORGANIZATION]
    arguments = ["erase", *scope, "--yes", "--json", "--timeout", "1"]
    stopped = run(arguments, environment(world), timeout=120)
    assert (stopped.returncode, json.loads(stopped.stdout)["job"]["state"]) == (1, "waiting")
    assert "No jobs role is running" in stopped.stderr
    with running(world, "jobs"):
        completed(database, customer)
    assert run(arguments, environment(world), timeout=120).returncode == 0
    left = "SELECT count(*) FROM journal WHERE entity_id = %s AND facts::text LIKE %s"
    assert database.execute(left, (customer.ada, f"%{MARK}%")).fetchone() == (0,)


def test_an_unknown_customer_is_rejected(world: Settings) -> None:
    scope = ["--entity", new_id(), "--tenant", TENANT, "--organization", ORGANIZATION]
    done = run(["erase", *scope, "--yes"], environment(world), timeout=120)
    assert done.returncode == 1
    assert "entity_not_found" in done.stderr


def erased(connection: Connection) -> Any:
    return connection.execute("SELECT count(*), count(cleaned_at) FROM erased_entities").fetchone()


def test_the_command_line_finds_what_remains(world: Settings, database: Connection) -> None:
    customer = Customer()
    applied(world, customer.messages)
    other = Story()
    applied(world, other.messages)
    # A bug: another customer's row that copied this one's text and names it.
    text = f"Forwarded for {customer.ada}: Call {MARK}"
    applied(world, [event("interaction.update", other.ada, {"id": other.call, "body": text})])
    scope = ["--entity", customer.ada, "--tenant", TENANT, "--organization", ORGANIZATION]
    with running(world, "jobs"):
        done = run(["erase", *scope, "--yes"], environment(world), timeout=120)
    assert done.returncode == 1, done.stdout
    assert "customer_interactions: 1 rows still have a text of the customer" in done.stdout
    assert MARK not in done.stdout + done.stderr
