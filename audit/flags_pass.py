"""Compare the feature flags with the fold (A2)."""

from __future__ import annotations

from audit.findings import Report
from audit.fold import Fold
from audit.history import History


def check_flags(history: History, fold: Fold, report: Report) -> None:
    """Check that each flag has its last value and the organization that set it."""
    a2, said = report.checks["A2"], fold.model.flags
    found = {
        (row["tenant_id"], row["flag"]): (row["enabled"], row["organization_id"])
        for row in history.rows("feature_flags")
    }
    for key in found.keys() | said.keys():
        a2.checked += 1
        if found.get(key) != said.get(key) and not fold.inputs.commands_truncated:
            a2.fail("differs from the fold", table="feature_flags", tenantId=key[0], flag=key[1])
