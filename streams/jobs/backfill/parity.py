"""Parity check: does every legacy row have its interaction, with the same content?

It compares counts, days and types, all next interactions, and a sample field by field. A tenant that passes
is validated: its flags can be turned on (``domain.flags``).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from domain.legacy_rows import convert, legacy_type
from schemas.instants import format_instant
from sinks.backfill import first_backfill, legacy_tenants, mark_changed, mark_validated, strict_codes
from sinks.due import server_time
from sinks.integrity.row_checks import CUSTOMERS, broken_rows
from sinks.jobs.customers import customers_after
from sinks.legacy_rows import KINDS, Kind, facts_of
from sinks.parity import account_for, days_and_types, sampled_rows, untouched
from streams.jobs.backfill.report import Report, count, sample
from streams.jobs.context import JobContext, JobFailedError

#: Rows compared field by field, per tenant and kind.
SAMPLE: Final = 1000
_PAGE: Final = 1000
_FIELDS: Final = {
    "interactionType": "interaction_type",
    "title": "title",
    "body": "body",
    "status": "status",
    "scheduledAt": "scheduled_at",
    "occurredAt": "occurred_at",
    "priority": "priority",
    "authorUserId": "author_user_id",
    "ownerUserId": "owner_user_id",
    "appearanceIcon": "appearance_icon",
    "appearanceColor": "appearance_color",
    "source": "source",
    "createdAt": "created_at",
    "updatedAt": "updated_at",
}

_HISTORY: Final = ("createdAt", "updatedAt")

Strict = dict[str, frozenset[str]]


def parity(context: JobContext) -> None:
    """Check the job's tenant, or all tenants with legacy rows; resume behind the last complete tenant.

    :raises JobFailedError: a tenant does not pass. The report says what differs, by ids.
    """
    connection = context.connection
    tenants = legacy_tenants(connection, context.job.tenant_id)
    checked: dict[str, Report] = context.report.setdefault("tenants", {})
    for tenant in tenants:
        if tenant in checked:
            continue
        context.proceed()
        began = server_time(connection)
        report = _check(context, tenant)
        report["passed"] = not report["differences"]
        checked[tenant] = report
        with connection.transaction():
            if report["passed"]:
                mark_validated(connection, tenant, context.job.id, began)
            else:
                mark_changed(connection, [tenant])
            context.save(done=len(checked), total=len(tenants), report=context.report)
    failed = [tenant for tenant in tenants if not checked[tenant]["passed"]]
    if failed:
        raise JobFailedError(
            f"{len(failed)} of {len(tenants)} tenants do not pass, such as {failed[0]}: "
            f"{', '.join(checked[failed[0]]['differences'])}. The report has the ids."
        )


def _check(context: JobContext, tenant: str) -> Report:
    report: Report = {"differences": {}}
    strict = strict_codes(context.connection, tenant)
    for kind in KINDS:
        context.beat()
        account = account_for(context.connection, kind, tenant)
        if not account.total:
            continue
        report[kind] = {"rows": account.total, **{k: n for k, n in account.by_reason.items() if n}}
        for row_id in account.missing:
            sample(report, kind, "missing", row_id)
        if account.missing_count:
            _differs(report, f"{kind}: rows not moved", account.missing_count)
        context.beat()
        _days(report, context, kind, tenant, strict)
        context.beat()
        _sample(report, context, kind, tenant, strict)
    _projections(report, context, tenant)
    return report


def _differs(report: Report, what: str, by: int = 1) -> None:
    count(report, "differences", what, by=by)


def _days(report: Report, context: JobContext, kind: Kind, tenant: str, strict: Strict) -> None:
    legacy: dict[tuple[Any, ...], int] = {}
    ours: dict[tuple[Any, ...], int] = {}
    for found in days_and_types(context.connection, kind, tenant):
        known = strict.get(found.organization_id)
        code = found.our_type if kind == "todo" else legacy_type(found.legacy_type, known)
        if code != found.our_type and legacy_type(found.legacy_type, None) == found.our_type:
            code = found.our_type  # the dictionary became strict after the row was moved
        for side, key in (
            (legacy, (found.organization_id, code, found.legacy_day)),
            (ours, (found.organization_id, found.our_type, found.our_day)),
        ):
            side[key] = side.get(key, 0) + found.rows
    wrong = [key for key in legacy.keys() | ours.keys() if legacy.get(key) != ours.get(key)]
    report[kind]["sums"] = len(legacy)
    if wrong:
        _differs(report, f"{kind}: sums per day and type", len(wrong))


def _sample(report: Report, context: JobContext, kind: Kind, tenant: str, strict: Strict) -> None:
    rows = sampled_rows(context.connection, kind, tenant, SAMPLE)
    stored = untouched(context.connection, kind, [row["id"] for row in rows])
    now, moved_at = server_time(context.connection), first_backfill(context.connection)
    report[kind] |= {"sampled": len(stored), "changedSince": len(rows) - len(stored)}
    for row in rows:
        found = stored.get(row["id"])
        if found is None:
            continue
        codes = strict.get(row["organization_id"], frozenset())
        expected = convert(row, facts_of({**row, "customer_known": True}, codes), now).data
        loose = convert(row, facts_of({**row, "customer_known": True, "strict": False}, codes), now).data
        wrong = _wrong(expected, found)
        if wrong and (wrong := min(wrong, _wrong(loose, found), key=len)):
            for field in wrong:
                if field in _HISTORY and row[_FIELDS[field]] > max(moved_at, found[_FIELDS[field]]):
                    continue  # a time in the future counts as the time of the move
                _differs(report, f"{kind}: {field}")
                sample(report, kind, f"{field} differs", row["id"])


def _wrong(expected: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    # A time that is not known became the time of the move.
    unknown = {name for name in (*_HISTORY, "occurredAt") if name not in expected}
    if expected["status"] != "done":
        unknown.discard("occurredAt")
    return [
        name
        for name, column in _FIELDS.items()
        if name not in unknown and expected.get(name) != _sent(found[column])
    ]


def _sent(value: Any) -> Any:
    return format_instant(value) if isinstance(value, datetime) else value


def _projections(report: Report, context: JobContext, tenant: str) -> None:
    after = None
    checked = 0
    while customers := customers_after(context.connection, after, _PAGE, tenant):
        context.beat()
        for violation in broken_rows(context.connection, CUSTOMERS, [customer.id for customer in customers]):
            _differs(report, "customers: projection")
            sample(report, "customers", "projection differs", violation.subject_id)
        checked += len(customers)
        after = customers[-1].id
    report.setdefault("customers", {})["rows"] = checked
