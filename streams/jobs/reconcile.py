"""The reconciler: compare every stored projection with its rows, and recompute those that are wrong.

Each page is compared in one statement, hence in one snapshot: a projection that changes meanwhile is no
drift. After each page the job rests, so that it never uses more than its share of the time.
"""

from __future__ import annotations

import time
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, Final

import structlog

from runtime.postgres import Connection
from schemas.identity import derive_id
from schemas.instants import format_instant, parse_instant
from sinks.due import server_time
from sinks.jobs.customers import Customer, count_customers, customers_after
from sinks.jobs.store import last_report
from sinks.reconcile import Drift, find_drifts, find_stale_labels
from streams.jobs.context import JobContext
from streams.jobs.recompute import recompute_command

_log = structlog.get_logger("jobs")
KIND: Final = "reconcile"
_PAGE: Final = 200
#: So that a request to pause or cancel is noticed soon.
_LONGEST_REST: Final = 30.0
#: Drifts that a report describes; the log has all of them.
_MOST_DESCRIBED: Final = 100
_MOST_SUSPECTS: Final = 500
#: Time after which a name that does not follow the dictionary is wrong, if nothing else changed meanwhile.
_LABELS_FOLLOW: Final = timedelta(minutes=5)
_COUNTS: Final = ("compared", "drifts", "repaired", "healedMeanwhile", "rejected", "unrepaired")
_OUTCOMES: Final = {"applied": "repaired", "no_op": "healedMeanwhile"}


def reconcile(context: JobContext) -> None:
    """Compare all customers in the order of their ids; resume behind the last complete page.

    The report counts the customers compared, the drifts, those repaired, healed before the repair, or
    rejected, and those that are still wrong. It describes the first drifts by ids, instants and counts.
    """
    connection = context.connection
    if context.total is None:
        known = last_report(connection, KIND).get("staleLabels", {})
        context.save(
            total=count_customers(connection),
            report={**dict.fromkeys(_COUNTS, 0), "described": [], "staleLabels": {}},
            cursor={"after": None, "known": known, "drifts": []},
        )
    rest = 1 / context.settings.reconcile_share - 1
    while True:
        context.proceed()
        _repair(context)
        began = time.monotonic()
        cursor = dict(context.cursor or {})
        customers = customers_after(connection, cursor["after"], _PAGE)
        if not customers:
            return
        report = dict(context.report)
        ids = [customer.id for customer in customers]
        drifts = _compare(connection, ids, cursor["known"], report)
        # Before the repair: after a crash in the middle of it, the rows would show no drift any more.
        cursor |= {"after": ids[-1], "drifts": [asdict(drift) for drift in drifts]}
        done = context.done + len(ids)
        context.save(cursor=cursor, done=done, total=max(done, context.total or 0), report=report)
        context.wait(min((time.monotonic() - began) * rest, _LONGEST_REST))


def _compare(
    connection: Connection, ids: list[str], known: dict[str, Any], report: dict[str, Any]
) -> list[Drift]:
    """Return the drifts of a page, and add its counts to the report."""
    drifts = find_drifts(connection, ids)
    wrong = {drift.entity_id for drift in drifts}
    now = server_time(connection)
    for stale in find_stale_labels(connection, [it for it in ids if it not in wrong]):
        seen = _seen_at(stale, known, now)
        if now - seen >= _LABELS_FOLLOW:
            drifts.append(stale)
        elif len(report["staleLabels"]) < _MOST_SUSPECTS:
            entry = {"version": stale.entity_version, "seenAt": format_instant(seen)}
            report["staleLabels"] = {**report["staleLabels"], stale.entity_id: entry}
    report["compared"] += len(ids)
    report["drifts"] += len(drifts)
    for drift in drifts:
        _log.warning("jobs.drift", **_described(drift))
    return drifts


def _repair(context: JobContext) -> None:
    """Recompute the customers whose drifts are noted, and note the outcomes instead."""
    cursor, report = dict(context.cursor or {}), dict(context.report)
    drifts = [Drift(**noted) for noted in cursor["drifts"]]
    if not drifts:
        return
    # The version is part of the cause: a customer that is damaged once more gets another command.
    commands = [
        recompute_command(
            derive_id(KIND, context.job.id, str(drift.entity_version)),
            Customer(drift.entity_id, drift.tenant_id, drift.organization_id),
        )
        for drift in drifts
    ]
    outcomes = context.commands.run(commands)
    for drift, command in zip(drifts, commands, strict=True):
        outcome = outcomes[command.command_id].outcome
        report[_OUTCOMES.get(outcome, "rejected")] += 1
        if len(report["described"]) < _MOST_DESCRIBED:
            report["described"] = [*report["described"], {**_described(drift), "outcome": outcome}]
    wrong = [drift.entity_id for drift in find_drifts(context.connection, [it.entity_id for it in drifts])]
    report["unrepaired"] += len(wrong)
    if wrong:
        _log.error("jobs.drift_remains", entities=wrong, count=len(wrong))
    context.save(cursor={**cursor, "drifts": []}, report=report)


def _seen_at(stale: Drift, known: dict[str, Any], now: datetime) -> datetime:
    """First time at which a customer of this version was seen with this label."""
    entry = known.get(stale.entity_id)
    if entry is None or entry["version"] != stale.entity_version:
        return now
    return parse_instant(entry["seenAt"])


def _described(drift: Drift) -> dict[str, Any]:
    """Ids, columns, and the wrong and the right values. No text: a name may be a title."""
    return {
        "entityId": drift.entity_id,
        "tenantId": drift.tenant_id,
        "organizationId": drift.organization_id,
        "columns": list(drift.columns),
        "stored": {name: values[0] for name, values in drift.values.items()},
        "right": {name: values[1] for name, values in drift.values.items()},
    }
