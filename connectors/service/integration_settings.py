"""Validate an integration's settings, and split them into plain and sealed values for storage."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from connectors.sdk.declaration import Declaration
from connectors.store.integrations import Integration, list_integrations, lock_remotes
from runtime.postgres import Connection
from schemas.errors import FieldError, Reject


def validated(model: type[BaseModel], values: Mapping[str, Any]) -> BaseModel:
    """Validate values against a model.

    :raises Reject: values are invalid; it names every field and shows no value.
    """
    # Hazard: Postgres cannot store NUL, and a header or a URL cannot contain it.
    errors = tuple(
        FieldError("invalid", "must not contain NUL", f"/{name}")
        for name, value in values.items()
        if any("\x00" in text for text in _texts(name, value))
    )
    if errors:
        raise Reject("invalid_settings", "the settings are invalid", errors=errors)
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        errors = tuple(
            FieldError("invalid", problem["msg"], "/" + "/".join(map(str, problem["loc"])))
            for problem in error.errors(include_input=False, include_url=False)
        )
        raise Reject("invalid_settings", "the settings are invalid", errors=errors) from None


def replaced_values(stored: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Replace stored values with the given ones; ``None`` restores the default."""
    return {name: value for name, value in {**stored, **given}.items() if value is not None}


def stored_settings(
    declared: Declaration, plain: Mapping[str, Any], secrets: Mapping[str, str]
) -> dict[str, Any]:
    """Validate settings and secrets as a whole, and return the settings that are stored in plain text.

    :raises Reject: values are invalid; it names every field.
    """
    checked = validated(declared.settings, {**plain, **secrets})
    hidden = declared.settings.secret_fields()
    dumped = checked.model_dump(mode="json", exclude_unset=True)
    return {name: value for name, value in dumped.items() if name not in hidden}


def refuse_taken_remote(connection: Connection, declared: Declaration, wanted: Integration) -> None:
    """Refuse a second integration of one organization with the same board or calendar: they would conflict.

    Call it in the transaction that stores the integration: it serializes those of one organization.

    :raises Reject: another integration has it (409); the message names it.
    """
    remote = declared.remote(wanted.settings)
    if remote is None:
        return
    lock_remotes(connection, wanted.tenant_id, wanted.organization_id)
    for other in list_integrations(connection, wanted.tenant_id, wanted.organization_id):
        if other.id == wanted.id or other.provider != declared.name:
            continue
        if _remote_of(declared, other) == remote:
            raise Reject(
                "remote_taken",
                f"{other.id} already mirrors to the same {declared.title} object: change it with"
                f" `interactions connectors set {other.id}`, or remove it first with"
                f" `interactions connectors remove {other.id}`",
                status=409,
            )


def _remote_of(declared: Declaration, integration: Integration) -> tuple[str, ...] | None:
    """Remote of a stored integration; ``None`` if its settings, of another version, do not tell it."""
    try:
        return declared.remote(integration.settings)
    except Exception:  # noqa: BLE001 - settings of one integration must not keep others from being changed
        return None


def _texts(*values: Any) -> Iterator[str]:
    for value in values:
        if isinstance(value, str):
            yield value
        elif isinstance(value, list):
            yield from _texts(*value)
