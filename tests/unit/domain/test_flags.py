"""Feature flags: set by command, stored per tenant; an unknown flag is rejected with a pointer."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from domain.decide import fold
from domain.decision import Decision
from domain.events import events_of
from domain.results import result_of
from domain.unit_of_work import UnitOfWork
from schemas.command import Command, Refused
from schemas.decode import decode_record
from schemas.incoming_record import IncomingRecord

TENANT = "10000000-0000-4000-8000-000000000001"
OTHER = "10000000-0000-4000-8000-000000000002"
ORGANIZATION = "20000000-0000-4000-8000-000000000001"
SYNC = "customers.interactions.external-sync"


def command(number: int, data: dict[str, Any], *, tenant: str = TENANT, key: str | None = None) -> Any:
    event = {
        "id": f"c-{number}",
        "type": "customers.feature_flag.set",
        "source": "/tests",
        "tenantid": tenant,
        "organizationid": ORGANIZATION,
        "entityid": key or tenant,
        "data": data,
    }
    record = IncomingRecord(
        "commands", 0, number, 1_900_000_000_000, (key or tenant).encode(), orjson.dumps(event), ()
    )

    def no_avro(value: bytes) -> tuple[str, dict[str, Any]]:
        raise AssertionError("the commands are JSON")

    return decode_record(record, no_avro)


def run(work: UnitOfWork, *commands: Command | Refused) -> list[Decision]:
    return fold(work, commands)


def test_setting_a_flag_is_applied_once_and_then_changes_nothing() -> None:
    work = UnitOfWork()
    decisions = run(work, *(command(n, {"flag": SYNC, "enabled": on}) for n, on in enumerate((True, True))))
    assert [decision.outcome for decision in decisions] == ["applied", "no_op"]
    assert result_of(decisions[0])["invalidates"] == [f"customers:feature-flags:{TENANT}"]
    assert events_of(decisions[0].entry) == ()
    (row,) = work.flags.changes().inserted
    assert (row.tenant_id, row.organization_id, row.flag, row.enabled) == (TENANT, ORGANIZATION, SYNC, True)


def test_a_flag_that_was_never_set_is_set_even_to_its_default() -> None:
    (decision,) = run(UnitOfWork(), command(1, {"flag": SYNC, "enabled": False}))
    assert decision.outcome == "applied"


def test_underscores_name_the_same_flag() -> None:
    work = UnitOfWork()
    run(work, command(1, {"flag": SYNC.replace("-", "_"), "enabled": True}))
    assert [(key, value.enabled) for key, value in work.flags.items()] == [((TENANT, SYNC), True)]


def test_each_tenant_has_its_own() -> None:
    work = UnitOfWork()
    run(work, command(1, {"flag": SYNC, "enabled": True}))
    (decision,) = run(work, command(2, {"flag": SYNC, "enabled": True}, tenant=OTHER))
    assert decision.outcome == "applied"


@pytest.mark.parametrize("flag", [SYNC, "customers.interactions.unified"])
def test_legacy_rows_must_be_validated_first(flag: str) -> None:
    work = UnitOfWork()
    work.unvalidated.add(TENANT)
    refused, off, other = run(
        work,
        command(1, {"flag": flag, "enabled": True}),
        command(2, {"flag": flag, "enabled": False}),
        command(3, {"flag": flag, "enabled": True}, tenant=OTHER),
    )
    problem = result_of(refused)["problem"]
    assert problem is not None
    assert (problem["code"], problem["errors"][0]["pointer"]) == ("legacy_rows_not_validated", "/enabled")
    assert (off.outcome, other.outcome) == ("applied", "applied")


def test_only_validating_sets_nothing() -> None:
    work = UnitOfWork()
    (decision,) = run(work, command(1, {"flag": SYNC, "enabled": True, "validateOnly": True}))
    assert (decision.outcome, decision.logged, list(work.flags)) == ("applied", False, [])


@pytest.mark.parametrize(
    ("data", "pointer"),
    [
        ({"flag": "customers.interactions.nope", "enabled": True}, "/flag"),
        ({"flag": SYNC}, "/enabled"),
        ({"flag": SYNC, "enabled": 1}, "/enabled"),
        ({"flag": SYNC, "enabled": True, "reason": "x"}, "/reason"),
    ],
)
def test_what_is_wrong_is_pointed_at(data: dict[str, Any], pointer: str) -> None:
    refused = command(1, data)
    assert isinstance(refused, Refused)
    assert [error.pointer for error in refused.rejection.errors] == [pointer]


def test_the_key_must_be_the_tenant() -> None:
    refused = command(1, {"flag": SYNC, "enabled": True}, key=ORGANIZATION)
    assert isinstance(refused, Refused)
    assert refused.rejection.code == "entity_mismatch"


def test_a_flag_has_no_version_to_expect() -> None:
    (decision,) = run(UnitOfWork(), command(1, {"flag": SYNC, "enabled": True, "expectedVersion": 1}))
    assert result_of(decision)["problem"]["code"] == "expected_version_not_supported"
