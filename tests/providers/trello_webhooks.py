"""Simulated Trello webhooks: HEAD check, signed deliveries, three retries, disabling, removal by 410."""

from __future__ import annotations

import base64
import heapq
import hmac
import itertools
import json
import threading
import time
from dataclasses import dataclass
from hashlib import sha1
from typing import Any

import httpx2

from tests.providers.trello_board import Refused


@dataclass(slots=True)
class Delivery:
    """One delivery attempt that is due."""

    webhook: str
    action: dict[str, Any]
    client: str | None
    attempt: int


class TrelloWebhooks:
    """Webhooks of one token, and the delivery thread.

    :param secret: the application's secret, which signs deliveries.
    :param retries: pauses before the retries, seconds; the vendor's are 30, 60 and 120.
    :param disable_after: consecutive failures after which a webhook is disabled.
    """

    def __init__(
        self, secret: str, retries: tuple[float, ...] = (0.03, 0.06, 0.12), disable_after: int = 30
    ) -> None:
        self._secret = secret
        self._retries = retries
        self._disable_after = disable_after
        self._order = itertools.count()
        self._due: list[tuple[float, int, Delivery]] = []
        self._changed = threading.Condition()
        self._stopped = False
        self._busy = False
        self._http = httpx2.Client(timeout=5)
        self._thread = threading.Thread(target=self._run, name="trello-webhooks", daemon=True)
        self.known: dict[str, dict[str, Any]] = {}
        #: Every answered attempt: status, action id.
        self.answers: list[tuple[int, str]] = []
        #: Deliver each action this many times.
        self.copies = 1
        #: Hold deliveries until released; then the newest goes first.
        self.entry = False

    def start(self) -> None:
        """Start the delivery thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread; pending deliveries are lost."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        self._thread.join(20)
        self._http.close()

    def create(self, identity: str, callback: str, model: str, description: str) -> dict[str, Any]:
        """Create a webhook if its URL answers HEAD with 200 and none like it exists."""
        if any(hook["callbackURL"] == callback and hook["idModel"] == model for hook in self.known.values()):
            raise Refused(400, "A webhook with that callback, model, and token already exists")
        try:
            status = self._http.head(callback).status_code
        except httpx2.TransportError:
            status = 0
        if status != 200:
            raise Refused(400, f"URL ({callback}) did not return 200 status code, got {status}")
        hook = {
            "id": identity,
            "description": description,
            "idModel": model,
            "callbackURL": callback,
            "active": True,
            "consecutiveFailures": 0,
            "firstConsecutiveFailDate": None,
        }
        self.known[identity] = hook
        return hook

    def tell(self, action: dict[str, Any], client: str | None) -> None:
        """Queue an action for every active webhook."""
        with self._changed:
            for hook in self.known.values():
                if hook["active"] and hook["idModel"] == action["data"]["board"]["id"]:
                    for _ in range(self.copies):
                        self._put(time.monotonic(), Delivery(hook["id"], action, client, 0))

    def release(self) -> None:
        """Release held deliveries, newest first."""
        with self._changed:
            waiting = [delivery for _, _, delivery in sorted(self._due, reverse=True)]
            self._due.clear()
            self.entry = False
            for delivery in waiting:
                self._put(time.monotonic(), delivery)

    def settle(self, seconds: float = 10) -> None:
        """Wait until every delivery has succeeded or was given up."""
        with self._changed:
            assert self._changed.wait_for(lambda: not self._due and not self._busy, seconds), "not delivered"

    def signed(self, callback: str, action: dict[str, Any]) -> tuple[bytes, dict[str, str]]:
        """Body and headers of a delivery."""
        body = json.dumps({"action": action, "model": {"id": action["data"]["board"]["id"]}}).encode()
        digest = hmac.new(self._secret.encode(), body + callback.encode(), sha1).digest()
        return body, {
            "x-trello-webhook": base64.b64encode(digest).decode(),
            "content-type": "application/json",
        }

    def _put(self, due: float, delivery: Delivery) -> None:
        heapq.heappush(self._due, (due, next(self._order), delivery))
        self._changed.notify_all()

    def _run(self) -> None:
        while (delivery := self._next()) is not None:
            try:
                self._deliver(delivery)
            finally:
                with self._changed:
                    self._busy = False
                    self._changed.notify_all()

    def _next(self) -> Delivery | None:
        with self._changed:
            while not self._stopped:
                if self._due and not self.entry and self._due[0][0] <= time.monotonic():
                    self._busy = True
                    return heapq.heappop(self._due)[2]
                pause = self._due[0][0] - time.monotonic() if self._due and not self.entry else None
                self._changed.wait(pause)
            return None

    def _deliver(self, delivery: Delivery) -> None:
        hook = self.known.get(delivery.webhook)
        if hook is None or not hook["active"]:
            return
        body, headers = self.signed(hook["callbackURL"], delivery.action)
        if delivery.client is not None:
            headers["x-trello-client-identifier"] = delivery.client
        try:
            status = self._http.post(hook["callbackURL"], content=body, headers=headers).status_code
        except httpx2.TransportError:
            status = 0
        with self._changed:
            self.answers.append((status, delivery.action["id"]))
            if status == 410:
                del self.known[delivery.webhook]
            elif 200 <= status < 300:
                hook.update(consecutiveFailures=0, firstConsecutiveFailDate=None)
            else:
                self._failed(hook, delivery)

    def _failed(self, hook: dict[str, Any], delivery: Delivery) -> None:
        hook["consecutiveFailures"] += 1
        hook["firstConsecutiveFailDate"] = hook["firstConsecutiveFailDate"] or delivery.action["date"]
        if hook["consecutiveFailures"] >= self._disable_after:
            hook["active"] = False
        elif delivery.attempt < len(self._retries):
            due = time.monotonic() + self._retries[delivery.attempt]
            self._put(due, Delivery(delivery.webhook, delivery.action, delivery.client, delivery.attempt + 1))
