"""Compare the dictionary of interaction types with the fold (A2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from audit.findings import Report
from audit.fold import Fold
from audit.history import History
from audit.tables_pass import Entry, Tables

_FIELDS: Final = ("label", "icon", "color", "actionable")


def check_dictionary(history: History, tables: Tables, fold: Fold, report: Report) -> None:
    """Check each entry: the values of its upserts, otherwise the same default in every scope."""
    a2, model = report.checks["A2"], fold.model
    truncated = fold.inputs.commands_truncated
    defaults: dict[str, set[Entry]] = {}
    for key, entry in tables.dictionary.items():
        a2.checked += 1
        said = model.types.get(key, {})
        where = {"table": "interaction_types", "tenantId": key[0], "organizationId": key[1], "code": key[2]}
        held = dict(zip(_FIELDS, entry, strict=True))
        wrong = [name for name, value in said.items() if held.get(name) != value]
        if wrong and not truncated:
            a2.fail(f"differs from the fold in {', '.join(wrong)}", **where)
        if not said:
            defaults.setdefault(key[2], set()).add(entry)
    for code, entries in defaults.items():
        if len(entries) > 1 and not truncated:
            a2.fail(
                "an entry that no command set differs between scopes",
                table="interaction_types",
                code=code,
            )
    for key in model.used - tables.dictionary.keys():
        a2.fail(
            "a type is used or was set and is not in the dictionary",
            table="interaction_types",
            tenantId=key[0],
            organizationId=key[1],
            code=key[2],
        )
    _strict(history, model.strict, truncated, report)


def _strict(history: History, said: Mapping[tuple[str, str], bool], truncated: bool, report: Report) -> None:
    found = {
        (row["tenant_id"], row["organization_id"]): row["strict"]
        for row in history.rows("interaction_dictionaries")
    }
    for scope in found.keys() | said.keys():
        report.checks["A2"].checked += 1
        if found.get(scope, False) != said.get(scope, False) and not truncated:
            report.checks["A2"].fail(
                "strict differs from the fold",
                table="interaction_dictionaries",
                tenantId=scope[0],
                organizationId=scope[1],
            )
