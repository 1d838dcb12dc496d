"""Forms of an integration: operations, retry of ledger rows, decisions on warnings."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final

from fastapi import Request, Response
from pydantic import ValidationError

from api.authorization import require_features
from api.principal import Principal
from api.problems import DecisionPending
from api.queries.integration_list import integration_rows, stored_plan
from api.routes.integration_ledger import RetryBody, retry_ledger
from api.routes.integration_operations import execute
from api.routes.integration_views import MANAGE, IntegrationId
from api.routes.integration_warnings import DecisionBody, decide
from schemas.errors import InteractionsError, Reject
from schemas.instants import parse_instant
from schemas.integration_decisions import IntegrationOperation, Operation
from web.page_route import page_router
from web.receipt import make_receipt
from web.routes.integrations import PATH
from web.submission import Submission, submission_of

router = page_router()
#: Action → operation, and the text that confirms it.
_OPERATIONS: Final[dict[str, tuple[Operation, str]]] = {
    "pause": ("pause", "paused"),
    "resume": ("resume", "resumed"),
    "plan": ("plan", "planned"),
    "start": ("start", "started"),
    "confirm": ("start", "started"),
    "test": ("test", "tested"),
}
_UNKNOWN: Final = Reject("invalid", "This action does not exist. Reload the page.")


@router.post(PATH + "/{integration}")
async def operate(
    integration: IntegrationId, request: Request, principal: Principal = require_features(MANAGE)
) -> Response:
    """Pause, resume, preview, start, confirm deletions, test: the pressed button names it."""
    form = await submission_of(request, principal)
    action = form.text("do") or ""
    if action not in _OPERATIONS:
        raise _UNKNOWN
    operation, said = _OPERATIONS[action]
    if action == "confirm" and form.text("intended") != "yes":
        raise Reject("deletions_not_confirmed", "Confirm first that the deletions are intended.")
    wanted = IntegrationOperation(
        integrationId=integration, operation=operation, acceptMassChange=action == "confirm"
    )
    try:
        done = await execute(form.services, principal, wanted)
    except (Reject, DecisionPending) as error:
        if isinstance(error, Reject) and error.code == "mass_change":
            # The page shows the new plan, with the deletions and the form that confirms them.
            await _preview(form, integration)
            return form.back()
        if await _is_shown(form, integration, operation):
            return form.back()
        raise
    if action == "confirm":
        await _preview(form, integration)  # the one that showed the deletions is no longer true
    return form.back(make_receipt(form.viewer, said, done.rows or 0))


@router.post(PATH + "/{integration}/ledger")
async def retry(
    integration: IntegrationId,
    request: Request,
    principal: Principal = require_features("customers.edit", MANAGE),
) -> Response:
    """Make ledger rows due now: one, those that are ticked, or all that match the filter."""
    form = await submission_of(request, principal)
    action, _, one = form.action().partition(":")
    given: dict[str, Any]
    if action == "all":
        given = {"all": True, "state": form.text("state")}
    elif action == "one":
        given = {"interactions": [one]}
    elif action == "chosen":
        given = {"interactions": _chosen(form, "interactionId")}
    else:
        raise _UNKNOWN
    try:
        body = RetryBody.model_validate(given)
    except ValidationError:
        raise _UNKNOWN from None
    found = await retry_ledger(integration, body, form.services, principal)
    return form.back(make_receipt(form.viewer, "retried", found["rows"]))


@router.post(PATH + "/{integration}/warnings")
async def decide_warnings(
    integration: IntegrationId, request: Request, principal: Principal = require_features("customers.edit")
) -> Response:
    """Decide one warning, or those that are ticked, by the values that the page showed.

    A warning is named as ``id@updatedAt``. One that has changed since is left as it is.
    """
    form = await submission_of(request, principal)
    resolution, _, one = form.action().partition(":")
    references = [one] if one else _chosen(form, "warningId")
    seen = [dict(zip(("id", "updatedAt"), it.partition("@")[::2], strict=True)) for it in references]
    try:
        body = DecisionBody.model_validate({"resolution": resolution, "warnings": seen})
    except ValidationError:
        raise _UNKNOWN from None
    found = await decide(integration, body, form.services, principal)
    if not found["taken"]:
        raise Reject("warnings_changed", "The warnings were changed or closed in the meantime.", status=409)
    if found["left"]:
        return form.back(make_receipt(form.viewer, "decided_some", len(found["left"])))
    return form.back(make_receipt(form.viewer, "decided", len(found["taken"])))


def _chosen(form: Submission, name: str) -> list[str]:
    found = form.lists.get(name, [])
    if not found:
        raise Reject("nothing_chosen", "Tick at least one row.")
    return found


async def _preview(form: Submission, integration: str) -> None:
    """Make a new plan. The page shows its outcome, also a failure."""
    wanted = IntegrationOperation(integrationId=integration, operation="plan")
    with suppress(InteractionsError):
        await execute(form.services, form.viewer.principal, wanted)


async def _is_shown(form: Submission, integration: str, operation: Operation) -> bool:
    """Report whether the page shows the state of a plan or test that was requested by this form."""
    scope, since = form.viewer.principal.scope, form.viewer.days.now
    async with form.services.reads.connection() as connection:
        if operation == "plan":
            plan = await stored_plan(connection, scope, integration)
            return plan is not None and (plan["state"] == "running" or parse_instant(plan["at"]) >= since)
        if operation == "test":
            rows = await integration_rows(connection, scope, integration)
            return bool(rows) and rows[0]["health_at"] is not None and rows[0]["health_at"] >= since
    return False
