"""Outgoing webhooks in Standard Webhooks form: one signed POST per change of an interaction, and one per day.

Specification: github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md. A retry has the same
``webhook-id``, so a receiver can deduplicate by id.
"""

from __future__ import annotations

import base64
import contextlib
import hmac
import threading
import uuid
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final

import httpx2
import orjson

from connectors.providers.webhook.digest import digest_data
from connectors.providers.webhook.settings import WebhookSettings, digest_time, key_of
from connectors.sdk.declaration import Declaration, MirroredField, RateLimit
from connectors.sdk.digest import Digest
from connectors.sdk.http_errors import check_status, host_of, send_request
from connectors.sdk.provider import FIELDS, Provider, ProviderContext
from connectors.sdk.remote import Gone, Health, Intent, RemoteObject
from schemas.errors import NeedsAuth, Retry, Stop
from schemas.instants import format_instant

_MINUTE, _HOUR = 60.0, 3600.0
#: Retry schedule of the specification, in seconds.
_SCHEDULE: Final = (5.0, 5 * _MINUTE, 30 * _MINUTE, *(n * _HOUR for n in (2, 5, 10, 14, 20, 24)))
#: Maximum body size in bytes (recommended by the specification).
_MAX_BODY: Final = 20_000
#: Bytes that a digest leaves for the rest of the body.
_ENVELOPE: Final = 200
#: Bytes of a response body to read; a longer response closes the connection.
_MAX_RESPONSE: Final = 64 * 1024


class Webhook(Provider):
    """One endpoint. Nothing can be read back, so what was sent counts as what it holds."""

    def __init__(self, settings: WebhookSettings, context: ProviderContext) -> None:
        self._settings, self._context = settings, context
        self._failures, self._lock = 0, threading.Lock()
        self._keys = [
            key_of(each) for each in (settings.secret, settings.previous_secret) if each is not None
        ]

    def create(self, intent: Intent) -> RemoteObject:
        told = RemoteObject(external_id=intent.interaction_id, values=intent.values, marker=intent.marker)
        return self._told("created", told, list(intent.values), intent.marker)

    def update(self, external_id: str, changes: Mapping[str, Any], base: RemoteObject) -> RemoteObject | Gone:
        told = RemoteObject(external_id=external_id, values={**base.values, **changes}, marker=base.marker)
        return self._told("updated", told, list(changes), base.version or "")

    def archive(self, external_id: str) -> RemoteObject | Gone:
        told = RemoteObject(external_id=external_id, values={}, archived=True)
        return self._told("deleted", told, [], uuid.uuid4().hex)

    def restore(self, external_id: str, values: Mapping[str, Any]) -> RemoteObject | Gone:
        told = RemoteObject(external_id=external_id, values=values)
        return self._told("restored", told, list(values), uuid.uuid4().hex)

    def send_digest(self, digest: Digest) -> None:
        said = f"{self._context.integration_id} digest {digest.date.isoformat()}"
        identity = f"msg_{sha256(said.encode()).hexdigest()[:32]}"
        self._post(identity, "customers.interaction.digest", digest_data(digest, _MAX_BODY - _ENVELOPE))

    def health(self) -> Health:
        return Health(ok=True, detail="Not checked: an endpoint can only be tested by sending a change")

    def _told(self, kind: str, told: RemoteObject, changed: list[str], after: str) -> RemoteObject:
        """Send a change. The id of each delivery depends on the previous one, so ids never repeat."""
        values = {name: _json(value) for name, value in told.values.items()}
        said = orjson.dumps([kind, told.external_id, values, changed, after], option=orjson.OPT_SORT_KEYS)
        identity = f"msg_{sha256(self._context.integration_id.encode() + said).hexdigest()[:32]}"
        data = {"id": told.external_id, "changedFields": [_camel(name) for name in changed]}
        data.update({_camel(name): value for name, value in values.items()})
        self._post(identity, f"customers.interaction.{kind}", data)
        return RemoteObject(
            external_id=told.external_id,
            values=told.values,
            version=identity,
            archived=told.archived,
            marker=told.marker,
        )

    def _post(self, identity: str, kind: str, data: dict[str, Any]) -> None:
        now = self._context.now()
        event = {"type": kind, "timestamp": format_instant(now), "data": data}
        body = orjson.dumps(event)
        if len(body) > _MAX_BODY:
            event["data"] = {**data, "body": None, "omittedFields": ["body"]}
            body = orjson.dumps(event)
        headers = {
            "content-type": "application/json",
            "webhook-id": identity,
            "webhook-timestamp": str(int(now.timestamp())),
        }
        headers["webhook-signature"] = signatures(self._keys, headers, body)
        try:
            self._delivered(body, headers)
        except Retry:
            self._count_failure()
            raise
        with self._lock:
            self._failures = 0

    def _delivered(self, body: bytes, headers: dict[str, str]) -> None:
        url, http = self._settings.url, self._context.http

        def deliver() -> httpx2.Response:
            # Only the status counts: a broken body (encoding, length, early end) does not revoke acceptance.
            # The body is read so that the connection can be reused.
            with http.stream("POST", url, content=body, headers=headers) as answer:
                with contextlib.suppress(httpx2.RequestError, httpx2.StreamError):
                    for _ in answer.iter_raw():
                        if answer.num_bytes_downloaded > _MAX_RESPONSE:
                            break
                return answer

        answer = send_request("The webhook", deliver)
        if answer.status_code == 410:
            raise Stop("the webhook's receiver was removed permanently (HTTP 410)")
        try:
            check_status("The webhook", answer)
        except NeedsAuth:
            raise Retry(f"The webhook at {host_of(answer)} answered HTTP {answer.status_code}") from None
        if not answer.is_success:
            raise Retry(f"The webhook at {host_of(answer)} answered HTTP {answer.status_code}")

    def _count_failure(self) -> None:
        with self._lock:
            self._failures += 1
            if self._failures < self._settings.disable_after:
                return
            self._failures = 0
        raise Stop(
            f"{self._settings.disable_after} deliveries failed in a row; fix the receiver, then resume"
        )


def signatures(keys: list[bytes], headers: Mapping[str, str], body: bytes) -> str:
    """``webhook-signature`` header: one ``v1,<base64 HMAC-SHA256>`` per key."""
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    digests = [hmac.new(key, signed, sha256).digest() for key in keys]
    return " ".join(f"v1,{base64.b64encode(digest).decode()}" for digest in digests)


def _json(value: Any) -> Any:
    return format_instant(value) if hasattr(value, "tzinfo") else value


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.title() for part in rest)


DECLARATION: Final = Declaration(
    name="webhook",
    title="Outgoing webhook",
    summary="Sends each change of an interaction to a URL, signed (Standard Webhooks).",
    settings=WebhookSettings,
    make=Webhook,
    fields=tuple(MirroredField(name=name, remote_name=_camel(name), direction="out") for name in FIELDS),
    features=frozenset(),
    hosts=lambda _settings: (),
    limits=(RateLimit(requests=50, seconds=1),),
    mirrors_closed=True,
    public_addresses_only=True,
    retry_seconds=_SCHEDULE,
    digest=digest_time,
    guarantees=(
        "Signed with HMAC-SHA256 (v1), by both secrets during a rotation.",
        "At least once: a retry has the same webhook-id, except that of a deletion or restoration.",
        "Changes made while the receiver is down arrive as one, with the state at delivery time.",
        "Hosts that resolve to private or loopback addresses are refused; redirects are not followed.",
        "Retried after 5 s, 5 min, 30 min, 2, 5, 10, 14, 20 and 24 hours, then blocked with a warning.",
        "A 410 disables the integration; so do 100 consecutive failures (`disable_after`).",
        "With `digest_hour`, one digest per local date, under one webhook-id; made up that day if missed.",
        "A body over 20 kB omits the interaction's text and lists it in omittedFields.",
    ),
)
