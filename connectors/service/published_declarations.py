"""Declarations of the installed providers as JSON, stored for processes that cannot load the providers."""

from __future__ import annotations

import json
from typing import Any

import structlog
from pydantic import BaseModel

from connectors.sdk.declaration import Declaration
from connectors.service.catalogue import usable_declarations
from connectors.store.checkpoints import write_checkpoint
from connectors.sync.policy import Policy
from runtime.postgres import Connection
from schemas.integration_providers import NO_SCOPE, PROVIDERS_JOB

_log = structlog.get_logger("connectors")


def publish_declarations(connection: Connection) -> None:
    """Store what this process can load; it replaces what another version has stored."""
    found = []
    for name, declared in usable_declarations().items():
        try:
            described = declaration_json(declared)
            json.dumps(described, allow_nan=False)
        except Exception as error:  # noqa: BLE001 - a defect in one provider must not stop the others
            _log.error("connectors.provider_not_published", provider=name, reason=type(error).__name__)
        else:
            found.append(described)
    stored = {"providers": found, "policy": fields_json(Policy)}
    write_checkpoint(connection, PROVIDERS_JOB, NO_SCOPE, NO_SCOPE, stored)
    _log.info("connectors.providers_published", count=len(found))


def declaration_json(declared: Declaration) -> dict[str, Any]:
    """Members of ``ProviderItem`` in the HTTP API."""
    return {
        "name": declared.name,
        "title": declared.title,
        "summary": declared.summary,
        "settings": fields_json(declared.settings, declared.settings.secret_fields()),
        "features": sorted(declared.features),
        "fields": [
            {
                "name": field.name,
                "remoteName": field.remote_name,
                "direction": field.direction,
                "loss": field.loss,
            }
            for field in declared.fields
        ],
        "guarantees": list(declared.guarantees),
        "limits": [{"requests": limit.requests, "seconds": limit.seconds} for limit in declared.limits],
        "mirrorsClosed": declared.mirrors_closed,
        "pollSeconds": declared.poll_seconds if "poll" in declared.features else None,
    }


def fields_json(model: type[BaseModel], secret: frozenset[str] = frozenset()) -> list[dict[str, Any]]:
    """The fields of a settings model: name, type, choices, default and help text, for a form."""
    schema = model.model_json_schema()
    required = schema.get("required", [])
    return [
        {
            "name": name,
            "type": _type_of(member),
            "format": None if name in secret else _plain(member).get("format"),
            "choices": _plain(member).get("enum"),
            "required": name in required,
            "secret": name in secret,
            "default": None if name in secret else member.get("default"),
            "help": member.get("description", ""),
        }
        for name, member in schema.get("properties", {}).items()
    ]


def _plain(member: dict[str, Any]) -> dict[str, Any]:
    """The schema of a value that is not null."""
    choices = [one for one in member.get("anyOf", ()) if one.get("type") != "null"]
    return choices[0] if len(choices) == 1 else member


def _type_of(member: dict[str, Any]) -> str:
    kind = _plain(member).get("type", "string")
    return "list" if kind == "array" else str(kind)
