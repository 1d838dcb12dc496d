"""Webhooks of a Trello board: registration, signature check and parsing."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Mapping
from hashlib import sha1
from typing import Any

from connectors.providers.trello.board import Board
from connectors.providers.trello.cards import change_of, entries_of, is_id
from connectors.sdk.remote import RemoteChange
from schemas.errors import Reject, Retry


class BoardWebhook:
    """The webhook of one board at one callback URL.

    :param callback: the callback URL; ``None`` when the deployment has no public address.
    """

    def __init__(self, board: Board, callback: str | None) -> None:
        self._board, self._callback = board, callback
        self._id: str | None = None

    def ensure(self) -> None:
        """Register the webhook, or reactivate it if Trello has disabled it."""
        if self._callback is None:
            return
        hook: Any = self._board.call("GET", f"/webhooks/{self._id}") if self._id else None
        if hook is None:
            wanted = {
                "callbackURL": self._callback,
                "idModel": self._board.id(),
                "description": "customer interactions",
            }
            registered = self._registered()
            hook = registered[0] if registered else self._board.require("POST", "/webhooks", wanted)
        if not isinstance(hook, dict) or not is_id(hook.get("id")):
            raise Retry("Trello's response is not a webhook")
        if not hook.get("active"):
            self._board.require("PUT", f"/webhooks/{hook['id']}", {"active": True})
        self._id = hook["id"]

    def delete(self) -> None:
        """Deregister the webhook."""
        for hook in self._registered():
            self._board.call("DELETE", f"/webhooks/{hook['id']}")

    def _registered(self) -> list[dict[str, Any]]:
        board = self._board.id()
        tokens = self._board.require("GET", "/members/me/tokens", {"webhooks": "true"})
        known = [entry for token in entries_of(tokens) for entry in entries_of(token.get("webhooks", []))]
        return [e for e in known if (e.get("callbackURL"), e.get("idModel")) == (self._callback, board)]


def verify_and_parse(
    secret: str, headers: Mapping[str, str], raw_body: bytes, url: str
) -> list[RemoteChange]:
    """The changes of a delivery with a valid signature.

    :param secret: the app's secret; an empty one verifies nothing.
    :raises Reject: ``bad_signature`` or ``bad_webhook``.
    """
    given = headers.get("x-trello-webhook", "").encode()
    # Trello has hashed the low byte of each UTF-16 unit; compare both forms, always.
    low = raw_body.decode(errors="replace").encode("utf-16-le")[::2]
    equal = [hmac.compare_digest(given, _signature(secret, body, url)) for body in (raw_body, low)]
    if not secret or True not in equal:
        raise Reject("bad_signature", "X-Trello-Webhook does not match the body and the URL", status=401)
    try:
        action = json.loads(raw_body)["action"]
        change = change_of({**action, "data": dict(action["data"])})
    except (ValueError, KeyError, TypeError, RecursionError):
        raise Reject("bad_webhook", "the body is not a Trello action", status=400) from None
    return [] if change is None else [change]


def _signature(secret: str, body: bytes, url: str) -> bytes:
    return base64.b64encode(hmac.new(secret.encode(), body + url.encode(), sha1).digest())
