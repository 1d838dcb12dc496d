"""Add, change and remove integrations as requested over HTTP."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, Final

import structlog
from pydantic import ValidationError

from connectors.service.catalogue import declaration
from connectors.service.integration_settings import (
    refuse_taken_remote,
    replaced_values,
    stored_settings,
    validated,
)
from connectors.service.removal import Removal
from connectors.store.integrations import (
    Integration,
    insert_integration,
    lock_integration,
    read_integration,
    set_settings,
)
from connectors.sync.policy import Policy
from runtime.connector_settings import ConnectorSettings
from runtime.postgres import Connection
from runtime.secret_box import Sealed, SecretBox, load_secret_box
from runtime.settings import Settings
from schemas.errors import FieldError, Reject, Stop
from schemas.integration_decisions import IntegrationAddition, IntegrationChange, IntegrationValues

_log = structlog.get_logger("connectors")
#: Reason for the state of an integration that was added over HTTP.
_NEW: Final = "the first sync needs confirmation: preview its plan, then start it"


class IntegrationChanges:
    """Add, change and remove integrations; outcomes are members of ``IntegrationChanged``."""

    def __init__(self, settings: Settings, connectors: ConnectorSettings) -> None:
        self._settings = settings
        self._connectors = connectors

    def change(
        self, connection: Connection, integration: Integration, wanted: IntegrationChange
    ) -> dict[str, Any]:
        """Replace the values that a change names; nothing changes if the provider does not accept one."""
        try:
            box = load_secret_box(self._connectors)
            values = _values(box, wanted)
            with connection.transaction():
                lock_integration(connection, integration.id)
                current = read_integration(connection, integration.id) or integration
                set_settings(connection, _changed(connection, box, current, values))
        except (Reject, Stop) as error:
            return _refusal(error)
        return {"outcome": "changed", "state": current.state}

    def add(
        self, connection: Connection, scope: tuple[str, str], wanted: IntegrationAddition
    ) -> tuple[Integration, dict[str, Any]]:
        """Add an integration that waits for confirmation of its first sync.

        :return: the integration, or what it would have been, and the outcome.
        """
        new = Integration(
            id=wanted.integration_id,
            tenant_id=scope[0],
            organization_id=scope[1],
            provider=wanted.provider,
            settings={},
            policy={},
            secrets=b"",
            secrets_key_id="",
            state="needs_confirmation",
            state_reason=_NEW,
        )
        try:
            box = load_secret_box(self._connectors)
            values = _values(box, wanted)
            sealed = box.seal(new.id, {})
            empty = replace(new, secrets=sealed.content, secrets_key_id=sealed.key_id)
            with connection.transaction():
                if not insert_integration(connection, empty):
                    return new, _taken(read_integration(connection, new.id), new)
                set_settings(connection, _changed(connection, box, empty, values, new=True))
        except (Reject, Stop) as error:
            return new, _refusal(error)
        return new, {"outcome": "added", "state": new.state}

    def remove(
        self, connection: Connection, integration: Integration, publish: Callable[[dict[str, Any]], None]
    ) -> None:
        """Remove an integration; ``publish`` the outcome before the provider is contacted."""
        box = partial(load_secret_box, self._connectors)
        removal = Removal(self._settings, integration, box, self._connectors.public_url)
        try:
            publish({"outcome": "removed", "mirrorsLeft": removal.remove(connection) or 0})
        finally:
            webhook = removal.delete_webhook()
        _log.info(
            "connectors.integration_removed",
            integration=integration.id,
            tenant=integration.tenant_id,
            organization=integration.organization_id,
            webhook=webhook,
        )


def _refusal(error: Reject | Stop) -> dict[str, Any]:
    """Outcome of a change that was not made."""
    if isinstance(error, Stop):
        return {"outcome": "refused", "code": "not_opened", "detail": str(error)}
    errors = [problem.to_json() for problem in error.errors]
    return {"outcome": "refused", "code": error.code, "detail": str(error), "errors": errors}


def _taken(found: Integration | None, new: Integration) -> dict[str, Any]:
    """Outcome of an addition whose id exists: it was added before, unless it belongs to others."""
    if found is not None and (found.tenant_id, found.organization_id, found.provider) == (
        new.tenant_id,
        new.organization_id,
        new.provider,
    ):
        return {"outcome": "added", "state": found.state}
    return {"outcome": "refused", "code": "id_taken", "detail": "The id is taken. Nothing was added; retry."}


def _values(box: SecretBox, wanted: IntegrationChange | IntegrationAddition) -> IntegrationValues:
    """Decrypt the values of a change.

    :raises Stop: the key is unknown here, or the values were not sealed for this integration.
    """
    try:
        sealed = Sealed(wanted.key_id, base64.b64decode(wanted.content, validate=True))
        opened = box.open(wanted.integration_id, sealed)
        return IntegrationValues.model_validate_json(opened["change"])
    except (binascii.Error, KeyError, ValidationError):
        raise Stop(
            f"the change of {wanted.integration_id} cannot be decrypted; nothing was changed"
        ) from None


def _changed(
    connection: Connection,
    box: SecretBox,
    current: Integration,
    values: IntegrationValues,
    *,
    new: bool = False,
) -> Integration:
    """Merge the new values into the current row, and validate the result.

    :param new: the integration is being added.
    :raises Reject: the provider does not accept a value, or another integration has the same remote.
    """
    declared = declaration(current.provider)
    hidden = declared.settings.secret_fields()
    errors = [
        FieldError("secret_in_the_open", "this is a secret; send it in `secrets`", f"/settings/{name}")
        for name in sorted(hidden & values.settings.keys())
    ] + [
        FieldError(
            "not_a_secret", "the provider has no such secret; send it in `settings`", f"/secrets/{name}"
        )
        for name in sorted(values.secrets.keys() - hidden)
    ]
    if errors:
        raise Reject("invalid_settings", "the settings are invalid", errors=tuple(errors))
    known = box.open(current.id, Sealed(current.secrets_key_id, current.secrets))
    secrets = {**known, **values.secrets}
    plain = replaced_values(current.settings, values.settings)
    try:
        settings = stored_settings(declared, plain, secrets)
    except Reject as refusal:
        raise _pointing(refusal, lambda name: "/secrets" if name in hidden else "/settings") from None
    try:
        policy = validated(Policy, replaced_values(current.policy, values.policy))
    except Reject as refusal:
        raise _pointing(refusal, lambda _: "/policy") from None
    sealed = box.seal(current.id, secrets)
    changed = replace(
        current,
        settings=settings,
        policy=policy.model_dump(mode="json", exclude_unset=True),
        secrets=sealed.content,
        secrets_key_id=sealed.key_id,
    )
    if values.settings or new:
        refuse_taken_remote(connection, declared, changed)
    return changed


def _pointing(refusal: Reject, part: Callable[[str], str]) -> Reject:
    """Copy a refusal with pointers into the request body."""
    errors = tuple(
        replace(error, pointer=(part(name) + (error.pointer or "")).removesuffix("/"))
        for error in refusal.errors
        for name in [(error.pointer or "/").split("/")[1]]
    )
    return Reject(refusal.code, str(refusal), errors=errors)
