"""The answer to a committed write: its body, and the undo metadata that old clients read."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import quote

import orjson
from fastapi import Response

from api.command_gateway import superseded_fields

#: What JavaScript's encodeURIComponent leaves as it is, besides letters and digits.
_UNESCAPED: Final = "-_.!~*'()"
_LABELS: Final = {
    "interaction.create": "Create interaction",
    "interaction.update": "Update interaction",
    "interaction.complete": "Complete interaction",
    "interaction.cancel": "Cancel interaction",
    "interaction.reopen": "Reopen interaction",
    "interaction.delete": "Delete interaction",
    "interaction.undo": "Undo",
}


def write_response(result: dict[str, Any], body: dict[str, Any], status: int = 200) -> Response:
    """A success: only ever call it with a result of ``CommandGateway.carry_out``.

    Fields that were left because what is stored is newer are named in the body as ``partial``, and
    explained, like every warning of the result, as ``warnings``.
    """
    warnings = result.get("warnings")
    if warnings:
        body = {**body, "warnings": warnings}
    lost = superseded_fields(result)
    if lost:
        body = {**body, "partial": lost}
    headers = {}
    if result.get("version") is not None:
        headers["ETag"] = etag(result["version"])
    if result.get("undoToken") is not None:
        headers["x-om-operation"] = operation_header(result)
    return Response(orjson.dumps(body), status_code=status, media_type="application/json", headers=headers)


def etag(version: int) -> str:
    """The strong validator of a version (RFC 9110, section 8.8.3)."""
    return f'"{version}"'


def operation_header(result: dict[str, Any]) -> str:
    """``omop:`` and the percent-encoded JSON that names the operation and its undo token."""
    kind = str(result["commandType"]).removeprefix("customers.")
    operation = {
        "id": result["commandId"],
        "undoToken": result["undoToken"],
        "commandId": result["commandType"],
        "actionLabel": _LABELS.get(kind),
        "resourceKind": "customers.interaction",
        "resourceId": result["interactionId"],
        "executedAt": result["recordedAt"],
    }
    return "omop:" + quote(orjson.dumps(operation).decode(), safe=_UNESCAPED)
