"""Feature flags: set by command, so that every change is logged, answered and audited like any other."""

from __future__ import annotations

from domain.decision import Decision
from domain.outcome import no_op, result
from domain.unit_of_work import UnitOfWork
from schemas import cache_tags
from schemas.command import Command
from schemas.errors import Reject
from schemas.payloads import FeatureFlagSet


def set_flag(work: UnitOfWork, command: Command, payload: FeatureFlagSet) -> Decision:
    """Switch a flag of the command's tenant on or off.

    A flag that was never set has no value to be the same as: setting it to its default is a change.

    :raises Reject: ``expected_version_not_supported``.
    """
    if command.expected_version is not None:
        raise Reject("expected_version_not_supported", "a flag has no version", pointer="/expectedVersion")
    tenant = command.envelope.tenant_id
    if work.flags.get((tenant, payload.flag)) == payload.enabled:
        return no_op(command, None, None)
    return Decision(
        command=command,
        outcome="applied",
        result=result(command, "applied", invalidates=(cache_tags.feature_flags(tenant),)),
        flag=(payload.flag, payload.enabled),
    )
