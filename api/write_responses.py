"""Responses to committed writes: body, ETag, and the undo metadata that old clients read."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import quote

import orjson
from fastapi import Response

from api.command_gateway import superseded_fields

#: Characters that JavaScript's encodeURIComponent does not escape, besides letters and digits.
_UNESCAPED: Final = "-_.!~*'()"
_LABELS: Final = {
    "interaction.create": "Create interaction",
    "interaction.update": "Update interaction",
    "interaction.complete": "Complete interaction",
    "interaction.cancel": "Cancel interaction",
    "interaction.reopen": "Reopen interaction",
    "interaction.delete": "Delete interaction",
    "interaction.fix": "Fix interaction",
    "interaction.undo": "Undo",
    "signal.record": "Record signal",
    "signal.update": "Update signal",
    "signal.resolve": "Resolve signal",
    "signal.attach_draft": "Resolve signal",
    "signal.skip": "Skip signal",
    "signal.reopen": "Reopen signal",
    "draft.update": "Update draft",
    "draft.mark_sent": "Mark draft as sent",
    "draft.delete": "Delete draft",
    "draft.restore": "Restore draft",
}
#: Start of an ``x-om-operation`` header; percent-encoded JSON follows.
OPERATION_PREFIX: Final = "omop:"
#: Resources of operations besides interactions, by their names in command types.
_RESOURCES: Final = ("signal", "draft")


def write_response(result: dict[str, Any], body: dict[str, Any], status: int = 200) -> Response:
    """The response to a success. Call it with a result of ``CommandGateway.execute``, or with committed rows.

    ``partial`` names the fields that were not written because the stored value is newer. ``warnings``
    explains them, like every other warning of the result.
    """
    warnings = result.get("warnings")
    if warnings:
        body = {**body, "warnings": warnings}
    superseded = superseded_fields(result)
    if superseded:
        body = {**body, "partial": superseded}
    headers = {}
    if result.get("version") is not None:
        headers["ETag"] = etag(result["version"])
    if result.get("undoToken") is not None:
        headers["x-om-operation"] = operation_header(result)
    return Response(orjson.dumps(body), status_code=status, media_type="application/json", headers=headers)


def etag(version: int) -> str:
    """The strong ETag of a version (RFC 9110, section 8.8.3)."""
    return f'"{version}"'


def operation_header(result: dict[str, Any]) -> str:
    """``omop:`` followed by percent-encoded JSON of the operation and its undo token."""
    kind = str(result["commandType"]).removeprefix("customers.")
    named = kind.partition(".")[0]
    resource = named if named in _RESOURCES else "interaction"
    operation = {
        "id": result["commandId"],
        "undoToken": result["undoToken"],
        "commandId": result["commandType"],
        "actionLabel": _LABELS.get(kind),
        "resourceKind": f"customers.{resource}",
        "resourceId": result[f"{resource}Id"],
        "executedAt": result["recordedAt"],
    }
    return OPERATION_PREFIX + quote(orjson.dumps(operation).decode(), safe=_UNESCAPED)
