"""The import brings every row of a CSV directory in once, and accounts for each."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import Any, Final

import pytest

from bench.legacy.generate import generate
from runtime.settings import Settings
from sinks.legacy_tables import LEGACY_TABLES
from tests.harness.forked import run, start
from tests.harness.legacy import plant, rows_of
from tests.harness.legacy_files import write_table
from tests.harness.roles import environment, wait_until
from tests.harness.wire import ORGANIZATION, TENANT, new_id

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

_OTHER_TENANT: Final = "33333333-3333-4333-8333-333333333333"
_FAR: Final = "9999-12-31T23:59:59Z"


def imported(
    settings: Settings, folder: Path | str, *options: str, code: int = 0
) -> tuple[dict[str, Any], subprocess.CompletedProcess[str]]:
    """Run the import; return its report."""
    source = f"csv:{folder}" if isinstance(folder, Path) else folder
    done = run(["legacy", "import", "--from", source, "--json", *options], environment(settings))
    assert done.returncode == code, done.stdout + done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    for name, table in report["tables"].items():
        fates = table["written"] + table["unchanged"] + sum(table["skipped"].values()) + table["broken"]
        assert table["read"] == fates, name
    return report, done


def contents(settings: Settings) -> dict[str, list[Any]]:
    """All legacy rows."""
    return {
        table: rows_of(settings, f"SELECT to_jsonb(t) FROM {table} t ORDER BY to_jsonb(t)::text")
        for table in LEGACY_TABLES
    }


def row_of(settings: Settings, table: str, identity: str) -> dict[str, Any]:
    found = rows_of(settings, f"SELECT to_jsonb(t) FROM {table} t WHERE id = %s", identity)
    assert found, f"{table} has no row {identity}"
    row: dict[str, Any] = found[0][0]
    return row


def test_everything_arrives_and_a_second_import_changes_nothing(pipeline: Settings, tmp_path: Path) -> None:
    person, company, gone = write_table(
        tmp_path,
        "customer_entities",
        {"display_name": "Customer one", "primary_email": "one@example.com"},
        {"kind": "company", "display_name": "Company one"},
        {"display_name": "Customer two", "deleted_at": "2024-03-01T00:00:00Z"},
    )
    write_table(
        tmp_path,
        "customer_dictionary_entries",
        {"value": "Site Visit", "label": "Site visit", "color": "#abc", "icon": "lucide:map"},
        {"kind": "statuses", "value": "lead"},
    )
    deal, orphan = write_table(tmp_path, "customer_deals", {"title": "First"}, {"title": "Second"})
    write_table(tmp_path, "customer_deal_people", {"deal_id": deal, "person_entity_id": person})
    write_table(tmp_path, "customer_deal_companies", {"deal_id": deal, "company_entity_id": company})
    old, of_gone, removed = write_table(
        tmp_path,
        "customer_activities",
        {"entity_id": person, "subject": 'Über;\n"quoted"', "deal_id": deal, "occurred_at": "2024-02-02"},
        {"entity_id": gone},
        {"entity_id": person},
        compress=True,
    )
    todo = new_id()
    link, second = write_table(
        tmp_path,
        "customer_todo_links",
        {"entity_id": person, "todo_id": todo},
        {"entity_id": company, "todo_id": todo},
    )
    write_table(
        tmp_path,
        "todos",
        {"id": todo, "title": "Send it", "is_done": "t", "due_at": "2024-05-01T09:00:00+02:00"},
        {"title": "Of no customer"},
    )  # fmt: skip
    write_table(
        tmp_path,
        "customer_interactions",
        {"id": removed, "entity_id": person, "deleted_at": "2024-03-01T00:00:00Z"},
        {"entity_id": person, "status": "Completed", "location": "Here", "pinned": "f", "all_day": "true"},
        {"entity_id": person, "status": "in_review", "recurrence_rule": "FREQ=DAILY"},
        {"entity_id": person, "visibility": "private", "title": "Secret"},
    )
    write_table(
        tmp_path,
        "sync_external_id_mappings",
        {"internal_entity_id": todo, "internal_entity_type": "example:todo", "external_url": "https://x/1"},
        {"internal_entity_id": new_id()},
        {"internal_entity_id": person, "internal_entity_type": "customers:customer_entity"},
    )
    (tmp_path / "notes.txt").write_text("not a table")

    planned, _ = imported(pipeline, tmp_path, "--dry-run")
    assert contents(pipeline) == {table: [] for table in LEGACY_TABLES}
    assert not rows_of(pipeline, "SELECT 1 FROM tenant_migrations")
    report, done = imported(pipeline, tmp_path)

    tables = report["tables"]
    assert tables["customer_entities"]["written"] == 2
    assert tables["customer_entities"]["skipped"] == {"deleted": 1}
    assert tables["customer_dictionary_entries"]["skipped"] == {"other_dictionary": 1}
    assert tables["customer_deals"]["skipped"] == {"no_customer": 1}
    assert tables["customer_deals"]["repaired"] == {"further_customers_dropped": 1}
    assert tables["customer_activities"]["skipped"] == {"customer_deleted": 1, "interaction_deleted": 1}
    assert tables["todos"]["skipped"] == {"not_linked": 1}
    assert tables["customer_interactions"]["skipped"] == {"deleted": 1, "private": 1}
    assert tables["customer_interactions"]["statuses"] == {"completed": 1, "in_review": 1}
    assert tables["customer_interactions"]["dropped"] == {"location": 1, "all_day": 1, "recurrence_rule": 1}
    assert tables["customer_interactions"]["repaired"] == {"recurring_as_one": 1}
    assert tables["sync_external_id_mappings"]["skipped"] == {"not_imported_row": 1, "other_kind": 1}
    assert report["ignoredFiles"] == ["notes.txt"]
    for name, table in tables.items():
        assert planned["tables"][name] == table, name
    assert "Über" not in done.stdout + done.stderr

    activity = row_of(pipeline, "customer_activities", old)
    assert activity["subject"] == 'Über;\n"quoted"'
    assert activity["occurred_at"] == "2024-02-02T00:00:00+00:00"
    assert {link, second} == {row[0]["id"] for row in contents(pipeline)["customer_todo_links"]}
    record = row_of(pipeline, "legacy_todos", todo)
    assert (record["is_done"], record["due_at"]) == (True, "2024-05-01T07:00:00+00:00")
    assert rows_of(pipeline, "SELECT entity_id::text FROM customer_deals WHERE id = %s", deal) == [(company,)]
    assert rows_of(pipeline, "SELECT color FROM interaction_types WHERE code = 'site_visit'") == [
        ("#aabbcc",)
    ]
    assert not rows_of(pipeline, "SELECT 1 FROM customer_deals WHERE id = %s", orphan)
    assert not rows_of(pipeline, "SELECT 1 FROM customer_activities WHERE id = %s", of_gone)

    before = contents(pipeline)
    marked = rows_of(pipeline, "SELECT tenant_id::text, changed_at FROM tenant_migrations")
    assert [row[0] for row in marked] == [TENANT]
    repeated, _ = imported(pipeline, tmp_path)
    assert contents(pipeline) == before
    assert {name: table["written"] for name, table in repeated["tables"].items() if table["written"]} == {}
    assert rows_of(pipeline, "SELECT tenant_id::text, changed_at FROM tenant_migrations") == marked


def test_broken_values_are_repaired_and_broken_rows_listed(fresh_database: Settings, tmp_path: Path) -> None:
    customer, good = new_id(), new_id()
    header = "id,tenant_id,organization_id,entity_id,activity_type,subject,occurred_at,created_at,deal_id\n"

    def line(identity: str, rest: str) -> bytes:
        return f"{identity},{TENANT},{ORGANIZATION},{customer},{rest}\n".encode()

    (tmp_path / "customer_activities.csv").write_bytes(
        header.encode()
        + line(good, "call,SUBJECT,infinity,,broken").replace(b"SUBJECT", b"Caf\xe9 \x00\xe2\x82\xac")
        + line("", "call,No id,,,")
        + line("123", "call,Broken id,,,")
        + line(new_id(), "call,Too few")
        + line(good, "call,Repeated,,,")
        + line(new_id(), f"call,Far,{_FAR},0001-01-01T00:00:00Z,")
    )
    report, done = imported(fresh_database, tmp_path, code=1)
    table = report["tables"]["customer_activities"]
    assert (table["read"], table["written"], table["broken"]) == (6, 2, 3)
    assert table["skipped"] == {"repeated_id": 1}
    assert table["repaired"] == {
        "created_at_defaulted": 1,
        "deal_id_broken": 1,
        "encoding_repaired": 1,
        "nul_removed": 1,
        "occurred_at_unreadable": 1,
    }
    assert report["faults"] == [
        {"place": "customer_activities.csv:3", "reason": "id is missing"},
        {"place": "customer_activities.csv:4", "reason": "id is not a UUID"},
        {"place": "customer_activities.csv:5", "reason": "has 6 values for 9 columns"},
    ]
    assert row_of(fresh_database, "customer_activities", good)["subject"] == "Café €"
    assert "Caf" not in done.stdout + done.stderr


def test_what_becomes_private_or_deleted_is_removed_here(fresh_database: Settings, tmp_path: Path) -> None:
    kept, private, deleted, entity, other = (new_id() for _ in range(5))
    first = [{"id": identity, "entity_id": entity} for identity in (kept, private, deleted)]
    write_table(tmp_path, "customer_interactions", *first)
    write_table(tmp_path, "customer_activities", {"id": private, "entity_id": entity})
    write_table(
        tmp_path,
        "customer_todo_links",
        {"entity_id": entity, "todo_id": deleted},
        {"id": other, "entity_id": new_id(), "todo_id": deleted},
    )
    imported(fresh_database, tmp_path)
    write_table(
        tmp_path,
        "customer_interactions",
        {"id": kept, "entity_id": entity},
        {"id": private, "entity_id": entity, "visibility": "private"},
        {"id": deleted, "entity_id": entity, "deleted_at": "2024-03-01T00:00:00Z"},
    )
    planned, _ = imported(fresh_database, tmp_path, "--dry-run")
    assert planned["tables"]["customer_interactions"]["withdrawn"] == 0
    report, _ = imported(fresh_database, tmp_path)
    table = report["tables"]["customer_interactions"]
    assert (table["withdrawn"], table["withdrawnAfterMove"]) == (4, 0)
    assert table["skipped"] == {"deleted": 1, "private": 1}
    left = contents(fresh_database)
    assert [row[0]["id"] for row in left["legacy_interactions"]] == [kept]
    assert left["customer_activities"] == []
    assert [row[0]["id"] for row in left["customer_todo_links"]] == [other]


def test_an_id_of_another_tenant_is_left_alone(fresh_database: Settings, tmp_path: Path) -> None:
    theirs = plant(
        fresh_database, "customer_activities", entity_id=new_id(), tenant_id=_OTHER_TENANT, subject="Theirs"
    )
    before = row_of(fresh_database, "customer_activities", theirs)
    write_table(tmp_path, "customer_activities", {"id": theirs, "entity_id": new_id(), "subject": "Mine"})
    report, _ = imported(fresh_database, tmp_path, code=1)
    assert report["faults"] == [{"place": "customer_activities.csv:2", "reason": "id_of_other_tenant"}]
    assert row_of(fresh_database, "customer_activities", theirs) == before
    assert not rows_of(fresh_database, "SELECT 1 FROM tenant_migrations")


def test_rows_of_an_erased_customer_do_not_come_back(fresh_database: Settings, tmp_path: Path) -> None:
    erased, todo = new_id(), new_id()
    rows_of(
        fresh_database,
        "INSERT INTO erased_entities (entity_id, tenant_id, organization_id, entity_version, command_id,"
        " mirrors, erased_at) VALUES (%s, %s, %s, 1, 'c', 'leave', now()) RETURNING 1",
        erased, TENANT, ORGANIZATION,
    )  # fmt: skip
    write_table(tmp_path, "customer_activities", {"entity_id": erased})
    write_table(tmp_path, "customer_todo_links", {"entity_id": erased, "todo_id": todo})
    write_table(tmp_path, "todos", {"id": todo})
    write_table(tmp_path, "customer_interactions", {"entity_id": erased})
    report, _ = imported(fresh_database, tmp_path)
    assert contents(fresh_database) == {table: [] for table in LEGACY_TABLES}
    assert report["tables"]["todos"]["skipped"] == {"not_linked": 1}


def test_only_the_chosen_tenant_is_imported(fresh_database: Settings, tmp_path: Path) -> None:
    mine, _ = write_table(
        tmp_path,
        "customer_activities",
        {"entity_id": new_id()},
        {"entity_id": new_id(), "tenant_id": _OTHER_TENANT},
    )
    report, _ = imported(fresh_database, tmp_path, "--tenant", TENANT)
    assert report["tables"]["customer_activities"]["skipped"] == {"other_tenant": 1}
    assert [row[0]["id"] for row in contents(fresh_database)["customer_activities"]] == [mine]


def test_a_repeated_id_counts_once_across_chunks(fresh_database: Settings, tmp_path: Path) -> None:
    identity = new_id()
    rows = [{"id": identity, "entity_id": new_id(), "subject": f"s{number}"} for number in range(3)]
    write_table(tmp_path, "customer_activities", *rows)
    for written in (1, 0):
        report, _ = imported(fresh_database, tmp_path, "--chunk-rows", "1")
        table = report["tables"]["customer_activities"]
        assert (table["written"], table["skipped"]) == (written, {"repeated_id": 2})
    assert row_of(fresh_database, "customer_activities", identity)["subject"] == "s0"


def test_the_report_of_a_generated_installation_is_the_truth(pipeline: Settings, tmp_path: Path) -> None:
    generate(tmp_path, activities=3_000, todos=1_000, seed=11)
    expected = json.loads((tmp_path / "expected.json").read_text())["files"]
    (tmp_path / "expected.json").unlink()
    report, _ = imported(pipeline, tmp_path, code=1)
    for name, truth in expected.items():
        table = report["tables"][name]
        known: Counter[str] = Counter(truth)
        assert table["read"] == known["rows"], name
        assert table["broken"] == known["no_id"] + known["broken_id"] + known["broken_entity_id"], name
        assert table["repaired"].get("encoding_repaired", 0) == known["cp1252"], name
        assert table["repaired"].get("nul_removed", 0) == known["nul"], name
        assert table["skipped"].get("customer_deleted", 0) == known["deleted_customer"], name
    activities, truth = report["tables"]["customer_activities"], Counter(expected["customer_activities"])
    assert activities["skipped"].get("repeated_id", 0) == truth["repeated_row"]
    assert (
        activities["repaired"]["created_at_defaulted"]
        == truth["created_at_null"] + truth["created_at_invalid"]
    )
    assert report["tables"]["customer_entities"]["skipped"] == {
        "deleted": expected["customer_entities"]["deleted"]
    }
    assert report["failure"] is None


def test_an_import_that_is_killed_is_completed_by_the_next(fresh_database: Settings, tmp_path: Path) -> None:
    customers = [new_id() for _ in range(50)]
    write_table(
        tmp_path,
        "customer_activities",
        *({"entity_id": customers[number % 50], "subject": f"s{number}"} for number in range(6_000)),
    )
    command = ["legacy", "import", "--from", f"csv:{tmp_path}", "--chunk-rows", "50"]
    process = start(command, environment(fresh_database), output=tmp_path.parent / "killed.log")

    def stored() -> int:
        count: int = rows_of(fresh_database, "SELECT count(*) FROM customer_activities")[0][0]
        return count

    wait_until(lambda: stored() > 0, 60.0)
    process.kill()
    assert process.wait(30) != 0
    part = stored()
    assert 0 < part < 6_000
    assert part % 50 == 0

    def free() -> bool:
        return not rows_of(
            fresh_database,
            "SELECT 1 FROM pg_locks l JOIN pg_database d ON d.oid = l.database"
            " WHERE l.locktype = 'advisory' AND d.datname = current_database()",
        )

    wait_until(free, 30.0)
    report, _ = imported(fresh_database, tmp_path)
    table = report["tables"]["customer_activities"]
    assert (table["written"], table["unchanged"]) == (6_000 - part, part)
    assert rows_of(fresh_database, "SELECT count(DISTINCT subject) FROM customer_activities") == [(6_000,)]


def test_an_interrupted_import_reports_what_it_did(fresh_database: Settings, tmp_path: Path) -> None:
    def stored() -> int:
        count: int = rows_of(fresh_database, "SELECT count(*) FROM customer_activities")[0][0]
        return count

    for moment in range(8):  # within a statement, between statements, after the commit
        write_table(tmp_path, "customer_activities", *({"entity_id": new_id()} for _ in range(6_000)))
        command = ["legacy", "import", "--from", f"csv:{tmp_path}", "--chunk-rows", "50", "--json"]
        output = tmp_path.parent / f"interrupted-{moment}.log"
        before = stored()
        process = start(command, environment(fresh_database), output=output)
        wait_until(lambda: stored() > before, 60.0)  # noqa: B023 - called in this round only
        time.sleep(0.005 * moment)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130, output.read_text()
        report = json.loads(output.read_text().splitlines()[-1])
        assert report["interrupted"]
        written = report["tables"]["customer_activities"]["written"]
        assert written == stored() - before < 6_000


def test_encrypted_files_are_refused_before_anything_is_written(
    fresh_database: Settings, tmp_path: Path
) -> None:
    ciphertext = "A" * 16 + ":c2VjcmV0:" + "B" * 22 + "==:v1"
    write_table(tmp_path, "customer_activities", {"entity_id": new_id(), "subject": "plain"})
    _, encrypted = write_table(
        tmp_path,
        "customer_interactions",
        {"entity_id": new_id(), "body": f"quotes {ciphertext} in a text"},
        {"entity_id": new_id(), "body": ciphertext},
    )
    arguments = ["legacy", "import", "--from", f"csv:{tmp_path}"]
    done = run(arguments, environment(fresh_database))
    assert done.returncode == 2
    assert "customer_interactions.body (customer_interactions.csv:3) is encrypted" in done.stderr
    assert "decrypt-database" in done.stderr
    assert ciphertext not in done.stderr
    assert encrypted not in done.stderr
    assert contents(fresh_database) == {table: [] for table in LEGACY_TABLES}


def test_a_missing_column_is_named(fresh_database: Settings, tmp_path: Path) -> None:
    (tmp_path / "customer_todo_links.csv").write_text("id,tenant_id,organization_id,entity_id\n")
    done = run(["legacy", "import", "--from", f"csv:{tmp_path}"], environment(fresh_database))
    assert done.returncode == 2
    assert "customer_todo_links has no column todo_id" in done.stderr
