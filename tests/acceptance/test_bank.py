"""A real workload end to end: a bank's work items through Kafka, checked against independent totals."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from runtime.postgres import connect
from runtime.settings import Settings
from tests.acceptance.bank import Bank, bank_file
from tests.harness.audit import assert_clean
from tests.harness.forked import run
from tests.harness.roles import environment, running

pytestmark = [
    pytest.mark.integration,
    pytest.mark.long,
    pytest.mark.skipif(bank_file() is None, reason="the bank's work items are not on this machine"),
    pytest.mark.timeout(1500),
]


def _publish(settings: Settings, path: Path) -> dict[str, Any]:
    done = run(["publish", str(path), "--json", "--timeout", "120"], environment(settings), timeout=1200)
    assert done.returncode == 0, done.stderr[-2000:] + done.stdout[-2000:]
    summary: dict[str, Any] = json.loads(done.stdout)
    return summary


def _instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text).astimezone(UTC) if text else None


def test_bank_work_items(fresh_settings: Settings, tmp_path: Path) -> None:
    found = bank_file()
    assert found is not None
    bank = Bank(found)
    path, tail = tmp_path / "bank.jsonl", tmp_path / "tail.jsonl"
    lines = [json.dumps(command) + "\n" for command in bank.commands()]
    repeated = lines[-len(lines) // 5 :]
    path.write_text("".join(lines))
    tail.write_text("".join(repeated))
    with running(fresh_settings, "applier"), running(fresh_settings, "relay"):
        summary = _publish(fresh_settings, path)
        counts = Counter(summary["outcomes"])
        assert counts.total() == bank.sent
        assert set(counts) - {"applied", "no_op"} == set() or not any(
            counts[name] for name in set(counts) - {"applied", "no_op"}
        )
        _assert_rows(fresh_settings, bank)
        again = Counter(_publish(fresh_settings, tail)["outcomes"])
        assert again["duplicate"] == len(repeated) == again.total()
        _assert_rows(fresh_settings, bank)
        assert_clean(fresh_settings)


def _assert_rows(settings: Settings, bank: Bank) -> None:
    """Rows and next interactions equal those computed here from the file, without the project's rules."""
    with connect(settings, application_name="test") as connection:
        stored = {
            str(row[0]): row[1:]
            for row in connection.execute(
                "SELECT id, interaction_type, status, scheduled_at, occurred_at, owner_user_id::text,"
                " version, created_at FROM customer_interactions"
            )
        }
        following: dict[str, str | None] = dict(
            connection.execute(
                "SELECT id::text, next_interaction_ref_id::text FROM customer_entities"
            ).fetchall()
        )
    expected = {
        item.id: (
            item.kind,
            item.status,
            _instant(item.scheduled),
            _instant(item.occurred),
            item.owner,
            item.version,
        )
        for case in bank.cases
        for item in case.items
    }
    assert {identity: row[:6] for identity, row in stored.items()} == expected
    wanted = {}
    for case in bank.cases:
        planned = [item for item in case.items if item.status == "planned"]
        planned.sort(key=lambda item: (_instant(item.scheduled), stored[item.id][6], item.id))
        wanted[case.id] = planned[0].id if planned else None
    assert following == wanted
