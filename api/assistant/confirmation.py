"""Confirmation of destructive and bulk changes: a digest of the call and of the row that was shown.

Nothing is stored between the two calls, so they may reach different gateways.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Final

import orjson

from api.assistant.gateway_client import Answer, GatewayClient
from api.assistant.tools.arguments import WriteArguments
from api.assistant.tools.interaction_tools import FixArguments, UndoArguments
from api.assistant.tools.tool import PATHS, WriteTool, row_of_command
from api.problems import command_url
from api.routes import signals
from domain.undo_image import command_id_of

_MAX_SIGNALS: Final = "100"


@dataclass(frozen=True, slots=True)
class Seen:
    """The rows that a change would affect, as they are now.

    :param rows: for the preview.
    :param version: that of the interaction, for ``If-Match``; ``None`` if the route has no such condition.
    :param versions: of all rows, for the digest.
    """

    rows: dict[str, Any]
    version: int | None
    versions: list[Any]


def digest(tool: str, arguments: dict[str, Any], versions: list[Any]) -> str:
    """The confirmation of a call: it fits these arguments and these versions of the rows only.

    :param arguments: as JSON, without the confirmation.
    """
    content = orjson.dumps([tool, arguments, versions], option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(content).hexdigest()[:32]


async def look(gateway: GatewayClient, tool: WriteTool, arguments: WriteArguments) -> Seen | Answer:
    """Read what a change would affect; the failed answer if that is not possible."""
    if isinstance(arguments, UndoArguments):
        return await _undone(gateway, arguments.undo_token)
    data = arguments.data()
    answer = await gateway.request("GET", f"{PATHS[tool.row]}/{data['id']}")
    if answer.status != 200:
        return answer
    row = answer.body
    if not isinstance(arguments, FixArguments):
        return Seen({"interaction": row}, row["version"], [row["version"]])
    params = {"interactionId": data["id"], "limit": _MAX_SIGNALS}
    listed = await gateway.request("GET", signals.PATH, params=params)
    if listed.status != 200:
        return listed
    named = {change.id for change in arguments.signals}
    found = [item for item in listed.body["items"] if item["id"] in named]
    versions = [row["version"], sorted([item["id"], item["version"]] for item in found)]
    return Seen({"interaction": row, "signals": found}, row["version"], versions)


async def _undone(gateway: GatewayClient, token: str) -> Seen | Answer:
    """The command to undo, and its row if there is one.

    The applier refuses to undo a command whose rows have changed, in its transaction: that is the condition.
    """
    command_id = command_id_of(token)
    if command_id is None or "\x00" in command_id:
        return _not_available()
    answer = await gateway.request("GET", command_url(command_id))
    if answer.status == 404:
        return _not_available()
    if answer.status != 200:
        return answer
    entry = answer.body
    shown: dict[str, Any] = {"undoes": entry["commandType"], "recordedAt": entry["recordedAt"]}
    versions: list[Any] = [entry["commandId"]]
    named = row_of_command(entry)
    if named is not None:
        path, identity = named
        row = await gateway.request("GET", f"{path}/{identity}")
        if row.status == 200:
            shown["row"] = row.body
            versions.append(row.body["version"])
        elif row.status != 404:
            return row
    return Seen(shown, None, versions)


def _not_available() -> Answer:
    detail = "There is no change with this undo token."
    problem = {
        "type": "urn:customer-interactions:problem:undo_not_available",
        "status": 400,
        "code": "undo_not_available",
        "detail": detail,
    }
    return Answer(400, problem)
