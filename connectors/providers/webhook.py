"""Outgoing webhooks in the Standard Webhooks form: each change of an interaction is one signed POST.

Specification: github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md. A retry carries
the same ``webhook-id``, so that a receiver that keeps the ids it has seen gets each change once.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hmac
import threading
import uuid
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final
from urllib.parse import urlsplit

import httpx2
import orjson
from pydantic import Field, SecretStr, field_validator

from connectors.sdk.declaration import Declaration, MirroredField, ProviderSettings, RateLimit
from connectors.sdk.http_errors import check_status, host_of, send_request
from connectors.sdk.provider import FIELDS, Provider, ProviderContext
from connectors.sdk.remote import Gone, Health, Intent, RemoteObject
from schemas.errors import NeedsAuth, Retry, Stop
from schemas.instants import format_instant

_PREFIX: Final = "whsec_"
_MINUTE, _HOUR = 60.0, 3600.0
#: The specification's schedule of retries, seconds.
_SCHEDULE: Final = (5.0, 5 * _MINUTE, 30 * _MINUTE, *(n * _HOUR for n in (2, 5, 10, 14, 20, 24)))
#: A body stays below 20 kB (the specification's advice).
_MOST: Final = 20_000
#: Bytes of a receiver's answer that are read; beyond them the connection is closed instead.
_MOST_ANSWER: Final = 64 * 1024


class WebhookSettings(ProviderSettings):
    """Where changes are sent, and the secret they are signed with."""

    url: str = Field(description="Address that receives the changes; https")
    secret: SecretStr = Field(description="Signing secret: whsec_ and 24 to 64 bytes in base64")
    previous_secret: SecretStr | None = Field(
        None, description="The secret before, while receivers change over: deliveries carry both signatures"
    )

    disable_after: int = Field(
        100, ge=1, description="Failures in a row, of any deliveries, after which the integration is off"
    )

    @field_validator("url")
    @classmethod
    def _https(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme != "https" or not parts.hostname or parts.username or parts.password:
            raise ValueError("must begin with https:// and hold no credentials")
        return url

    @field_validator("secret", "previous_secret")
    @classmethod
    def _long_enough(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None and not 24 <= len(_key(secret)) <= 64:
            raise ValueError("must be whsec_ and 24 to 64 bytes in base64")
        return secret


class Webhook(Provider):
    """One endpoint. There is nothing to read back, so what was sent counts as what it holds."""

    def __init__(self, settings: WebhookSettings, context: ProviderContext) -> None:
        self._settings, self._context = settings, context
        self._failures, self._lock = 0, threading.Lock()
        self._keys = [_key(each) for each in (settings.secret, settings.previous_secret) if each is not None]

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

    def health(self) -> Health:
        return Health(ok=True, detail="An endpoint is only known to work when a change is sent")

    def _told(self, kind: str, told: RemoteObject, changed: list[str], after: str) -> RemoteObject:
        """Send it; the version that comes back makes the next delivery's id, so ids never repeat."""
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
        if len(body) > _MOST:
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
            # The status alone counts: what is wrong with the body after it (its encoding, its length, its
            # end) does not undo that the delivery was accepted. It is read to keep the connection in use.
            with http.stream("POST", url, content=body, headers=headers) as answer:
                with contextlib.suppress(httpx2.RequestError, httpx2.StreamError):
                    for _ in answer.iter_raw():
                        if answer.num_bytes_downloaded > _MOST_ANSWER:
                            break
                return answer

        answer = send_request("The webhook", deliver)
        if answer.status_code == 410:
            raise Stop("the webhook's receiver is gone for good (HTTP 410)")
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
        raise Stop(f"the webhook failed {self._settings.disable_after} times in a row; mend it, then resume")


def signatures(keys: list[bytes], headers: Mapping[str, str], body: bytes) -> str:
    """The ``webhook-signature`` header: one ``v1,<base64 HMAC-SHA256>`` for each key."""
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    digests = [hmac.new(key, signed, sha256).digest() for key in keys]
    return " ".join(f"v1,{base64.b64encode(digest).decode()}" for digest in digests)


def _key(secret: SecretStr) -> bytes:
    try:
        return base64.b64decode(secret.get_secret_value().removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        return b""


def _json(value: Any) -> Any:
    return format_instant(value) if hasattr(value, "tzinfo") else value


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.title() for part in rest)


DECLARATION: Final = Declaration(
    name="webhook",
    title="Outgoing webhook",
    summary="Sends each change of an interaction to an address, signed (Standard Webhooks).",
    settings=WebhookSettings,
    make=Webhook,
    fields=tuple(MirroredField(name=name, remote_name=_camel(name), direction="out") for name in FIELDS),
    features=frozenset(),
    hosts=lambda _settings: (),
    limits=(RateLimit(requests=50, seconds=1),),
    mirrors_closed=True,
    public_addresses_only=True,
    retry_seconds=_SCHEDULE,
    guarantees=(
        "Signed with HMAC-SHA256 (v1); two secrets are valid while you change over.",
        "At least once: a retry carries the same webhook-id. A repeated notice of a deletion may not.",
        "Several changes while the receiver is down arrive as one, with the state as it is then.",
        "Private and loopback addresses are refused, also behind a public name; redirects are not followed.",
        "Tried again after 5 s, 5 min, 30 min, 2, 5, 10, 14, 20 and 24 hours, then given up with a warning.",
        "410 switches the integration off; so do 100 failures in a row (`disable_after`).",
        "A body beyond 20 kB leaves out the interaction's text and says so (omittedFields).",
    ),
)
