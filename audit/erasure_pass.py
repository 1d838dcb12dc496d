"""Erased customers: the table names them as the fold does, and nothing of them remains (A16)."""

from __future__ import annotations

from typing import Any, Final

from audit.findings import Check, Report
from audit.fold import Fold
from audit.history import History, Row

#: Table → column with the customer's id.
_OWNED: Final = {
    "customer_entities": "id",
    "customer_deals": "entity_id",
    "customer_interactions": "entity_id",
    "signals": "entity_id",
    "generated_drafts": "entity_id",
    "signal_outcomes": "entity_id",
}


def check_erasures(history: History, fold: Fold, report: Report) -> set[str]:
    """Check what is stored of erased customers; returns their ids.

    The journal and the tables of integrations and legacy rows are cleaned by a job. Until it has ended, what
    is left there is lag.
    """
    a16 = report.checks["A16"]
    stored = {row["entity_id"]: row for row in history.rows("erased_entities")}
    _compare_with_fold(stored, fold, a16)
    erased = stored.keys() | fold.model.erased.keys()
    if not erased:
        return erased
    for table, column in _OWNED.items():
        for row in history.rows(table):
            if row[column] in erased:
                a16.fail("a row of an erased customer", table=table, id=row["id"], entityId=row[column])
    cleaned = {entity for entity, row in stored.items() if row["cleaned_at"] is not None}
    for row in history.rows("publications"):
        if row["entity_id"] in erased and row["has_payload"]:
            where = {"table": "journal", "commandId": row["command_id"], "entityId": row["entity_id"]}
            _left("the payload of an erased customer", a16, where, due=row["entity_id"] in cleaned)
    for row in history.rows("erasure_leftovers"):
        where = {"table": row["place"], "entityId": row["entity_id"], "rows": row["rows"]}
        _left("rows of an erased customer", a16, where, due=row["due"])
    waiting = len(stored) - len(cleaned)
    if waiting:
        report.behind("erasures", waiting)
        report.note(f"the jobs of {waiting} erasures have not ended: what they remove is not checked yet")
    return erased


def _compare_with_fold(stored: dict[str, Row], fold: Fold, a16: Check) -> None:
    for entity, (scope, version) in fold.model.erased.items():
        a16.checked += 1
        row = stored.get(entity)
        if row is None:
            a16.fail("an erased customer is not noted as erased", entityId=entity)
        elif ((row["tenant_id"], row["organization_id"]), row["entity_version"]) != (scope, version):
            a16.fail("an erasure is noted with another scope or version", table="erased_entities",
                     entityId=entity)  # fmt: skip
    for entity in stored.keys() - fold.model.erased.keys():
        a16.checked += 1
        if not fold.inputs.commands_truncated:
            a16.fail("an erasure that no applied command made", table="erased_entities", entityId=entity)


def _left(what: str, a16: Check, where: dict[str, Any], *, due: bool) -> None:
    if due:
        a16.fail(what, **where)
    else:
        a16.lag += 1
