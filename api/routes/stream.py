"""``/api/customers/stream``: changes as server-sent events (HTML standard, section 9.2)."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any, Final

from fastapi import Header, Query, Request, Response
from fastapi.responses import StreamingResponse

from api.authorization import authorized_router, bearer_of, require_features
from api.principal import Principal
from api.request_middleware import HEAD
from api.services import ServicesDep
from api.sse_broadcaster import Change, SseBroadcaster, Subscription, format_position
from schemas.errors import Reject, Retry

router = authorized_router("stream")
PATH: Final = "/api/customers/stream"
COOKIE: Final = "interactions-stream"
#: RFC 6265, section 4.1.1, without characters that need quotes. Browsers store 4096 bytes per cookie.
_COOKIE_VALUE: Final = re.compile(r"[A-Za-z0-9._~+/=-]{1,3900}")
_MAX_COOKIE_SECONDS: Final = 86_400 * 400
#: Interval of heartbeat comments. Proxies close silent connections; writing detects a client that is gone.
_HEARTBEAT_SECONDS: Final = 20.0
_HEADERS: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
_ANSWER: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "Events `invalidate` (data: tags and ids), `ready`, `resync` (reload everything) and"
        " `expired` (the token has expired; the stream ends).",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    }
}


@router.get(PATH, response_class=StreamingResponse, responses=_ANSWER)
async def stream(
    request: Request,
    services: ServicesDep,
    last_event_id: Annotated[str | None, Header()] = None,
    position: Annotated[str | None, Query(alias="last_event_id", max_length=16_000)] = None,
    principal: Principal = require_features("customers.view", cookie=COOKIE),
) -> Response:
    """Cache tags of all changes in the caller's organization, from now on or from a position.

    ``Last-Event-ID`` resumes where an earlier stream ended, and so does the query parameter
    ``last_event_id``, for a script that opens an EventSource. If that would leave a gap, the event ``resync``
    tells the client to read everything again. When the token expires, the last event is ``expired``. A
    browser's EventSource cannot send a header; ``POST /api/customers/stream/cookie`` sets a cookie for it.
    """
    if not services.connected:
        raise Retry(
            "The gateway is not connected to the results topic yet. Retry after it connects.", after=2
        )
    if HEAD in request.scope:
        return Response(media_type="text/event-stream", headers=_HEADERS)
    scope = principal.tenant_id, principal.organization_id
    subscription, missed, reload = services.broadcaster.subscribe(scope, last_event_id or position)
    ends = asyncio.get_running_loop().time() + max(0.0, principal.expires_at - time.time())
    events = _events(services.broadcaster, subscription, missed, reload=reload, ends=ends)
    return StreamingResponse(events, media_type="text/event-stream", headers=_HEADERS)


@router.post(PATH + "/cookie", status_code=204, responses={204: {"description": "Cookie set"}})
async def let_a_browser_in(
    request: Request, principal: Principal = require_features("customers.view")
) -> Response:
    """Set a cookie that authorizes a browser's EventSource until the token expires.

    The cookie contains the caller's token. Browsers send it to the stream only, over TLS (or to localhost),
    never across sites, and scripts cannot read it. Repeat the request with each new token.
    """
    token = bearer_of(request)
    if not _COOKIE_VALUE.fullmatch(token):
        raise Reject(
            "token_too_long",
            "The token does not fit into a cookie. Read the stream with fetch() and an Authorization header.",
        )
    response = Response(status_code=204, headers={"Cache-Control": "no-store"})
    response.set_cookie(
        COOKIE,
        token,
        max_age=max(0, int(min(principal.expires_at - time.time(), _MAX_COOKIE_SECONDS))),
        path=PATH,
        secure=True,
        httponly=True,
        samesite="strict",
    )
    return response


@router.delete(PATH + "/cookie", status_code=204, responses={204: {"description": "Cookie removed"}})
async def let_a_browser_out(_who: Principal = require_features("customers.view")) -> Response:
    """Remove the cookie, for example on sign-out. Open streams continue until the token expires."""
    response = Response(status_code=204)
    response.delete_cookie(COOKIE, path=PATH, secure=True, httponly=True, samesite="strict")
    return response


async def _events(
    broadcaster: SseBroadcaster,
    subscription: Subscription,
    missed: list[Change],
    *,
    reload: bool,
    ends: float,
) -> AsyncIterator[bytes]:
    """The bytes of the stream.

    :param ends: expiry of the token, on the event loop's clock.
    """
    seen = subscription.seen
    now = asyncio.get_running_loop().time
    try:
        # The first event has a position to resume from, so that no change after it can be missed.
        yield _event("resync" if reload else "ready", b"{}", None if missed else seen)
        if missed:
            for old in missed:
                yield _event("invalidate", old.data, None)
            yield _event("ready", b"{}", seen)
        while True:
            try:
                async with asyncio.timeout_at(min(now() + _HEARTBEAT_SECONDS, ends)):
                    change = await subscription.queue.get()
            except TimeoutError:
                if now() >= ends:
                    yield _event("expired", b"{}", None)
                    return
                yield b": alive\n\n"
                continue
            if change is None:
                if subscription.overrun:
                    yield _event("resync", b"{}", None)
                return
            seen[change.partition] = change.offset
            yield _event("invalidate", change.data, seen)
    finally:
        broadcaster.unsubscribe(subscription)


def _event(name: str, data: bytes, seen: dict[int, int] | None) -> bytes:
    position = f"id: {format_position(seen)}\n" if seen is not None else ""
    return f"event: {name}\n{position}data: ".encode() + data + b"\n\n"
