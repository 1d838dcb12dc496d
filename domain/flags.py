"""Feature flags, set by command so that each change is logged, gets a result and is audited."""

from __future__ import annotations

from domain.decision import Decision
from domain.journal import make_entry
from domain.model import FlagValue
from domain.outcome import no_op
from domain.unit_of_work import UnitOfWork
from schemas.command import Command
from schemas.errors import Reject
from schemas.flags import NEED_VALIDATION
from schemas.payloads import FeatureFlagSet


def set_flag(work: UnitOfWork, command: Command, payload: FeatureFlagSet) -> Decision:
    """Switch a flag of the command's tenant on or off.

    Setting a flag for the first time is a change, even to its default value.

    :raises Reject: ``expected_version_not_supported``, ``legacy_rows_not_validated``.
    """
    if command.expected_version is not None:
        raise Reject(
            "expected_version_not_supported", "a feature flag has no version", pointer="/expectedVersion"
        )
    envelope = command.envelope
    if payload.enabled and payload.flag in NEED_VALIDATION and envelope.tenant_id in work.unvalidated:
        raise Reject(
            "legacy_rows_not_validated",
            "this tenant has legacy rows, and no parity check has passed since they changed; run"
            " `interactions backfill all`, and look at its parity check",
            pointer="/enabled",
            status=409,
        )
    stored = work.flags.get((envelope.tenant_id, payload.flag))
    if stored is not None and stored.enabled == payload.enabled:
        return no_op(command, None, None)
    value = FlagValue(
        envelope.tenant_id, envelope.organization_id, payload.flag, payload.enabled, command.appended_at
    )
    return Decision(command=command, entry=make_entry(command, "applied"), writes=(value,))
