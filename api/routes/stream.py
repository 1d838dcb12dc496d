"""``/api/customers/stream``: what changed, as server-sent events (HTML standard, section 9.2)."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any, Final

from fastapi import Header, Request, Response
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
#: RFC 6265, section 4.1.1, without what would need quotes; browsers keep 4096 bytes of a whole cookie.
_COOKIE_VALUE: Final = re.compile(r"[A-Za-z0-9._~+/=-]{1,3900}")
_MOST_COOKIE_SECONDS: Final = 86_400 * 400
#: A comment line now and then: proxies close what is silent, and a client that has gone is noticed.
_SILENCE_SECONDS: Final = 20.0
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
    principal: Principal = require_features("customers.view", cookie=COOKIE),
) -> Response:
    """Cache tags of everything that changes in the caller's organization, from now on or from a position.

    ``Last-Event-ID`` resumes where a former stream ended. When that cannot be done without a gap, the
    event ``resync`` says that everything must be read again. When the token expires, the event
    ``expired`` is the last one. A browser's EventSource, which sends no header, is let in by the cookie of
    ``POST /api/customers/stream/cookie``.
    """
    if not services.connected:
        raise Retry("The gateway is not connected to the results topic yet; retry shortly", after=2)
    if HEAD in request.scope:
        return Response(media_type="text/event-stream", headers=_HEADERS)
    scope = principal.tenant_id, principal.organization_id
    subscription, missed, reload = services.broadcaster.subscribe(scope, last_event_id)
    ends = asyncio.get_running_loop().time() + max(0.0, principal.expires_at - time.time())
    events = _events(services.broadcaster, subscription, missed, reload=reload, ends=ends)
    return StreamingResponse(events, media_type="text/event-stream", headers=_HEADERS)


@router.post(PATH + "/cookie", status_code=204, responses={204: {"description": "The cookie is set"}})
async def let_a_browser_in(
    request: Request, principal: Principal = require_features("customers.view")
) -> Response:
    """Set a cookie that lets a browser's EventSource read the stream until the token expires.

    The cookie holds the caller's token. It is sent to the stream alone, only over TLS (or to localhost),
    never across sites, and no script can read it. Repeat the request with each new token.
    """
    token = bearer_of(request)
    if not _COOKIE_VALUE.fullmatch(token):
        raise Reject("token_too_long", "the token does not fit into a cookie; read the stream with fetch()")
    answer = Response(status_code=204, headers={"Cache-Control": "no-store"})
    answer.set_cookie(
        COOKIE,
        token,
        max_age=max(0, int(min(principal.expires_at - time.time(), _MOST_COOKIE_SECONDS))),
        path=PATH,
        secure=True,
        httponly=True,
        samesite="strict",
    )
    return answer


@router.delete(PATH + "/cookie", status_code=204, responses={204: {"description": "The cookie is gone"}})
async def let_a_browser_out(_who: Principal = require_features("customers.view")) -> Response:
    """Remove the cookie, as a sign-out does. Streams that are open stay open until the token expires."""
    answer = Response(status_code=204)
    answer.delete_cookie(COOKIE, path=PATH, secure=True, httponly=True, samesite="strict")
    return answer


async def _events(
    broadcaster: SseBroadcaster,
    subscription: Subscription,
    missed: list[Change],
    *,
    reload: bool,
    ends: float,
) -> AsyncIterator[bytes]:
    """The stream's bytes.

    :param ends: of the loop's clock: when the token expires.
    """
    seen = subscription.seen
    now = asyncio.get_running_loop().time
    try:
        # The id of the first event is a position to resume from, so no change after it can be missed.
        yield _event("resync" if reload else "ready", b"{}", None if missed else seen)
        if missed:
            for old in missed:
                yield _event("invalidate", old.data, None)
            yield _event("ready", b"{}", seen)
        while True:
            try:
                async with asyncio.timeout_at(min(now() + _SILENCE_SECONDS, ends)):
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
