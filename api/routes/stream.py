"""``/api/customers/stream``: what changed, as server-sent events (HTML standard, section 9.2)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any, Final

from fastapi import Header
from fastapi.responses import StreamingResponse

from api.guards import require_features
from api.principal import Principal
from api.routing import guarded_router
from api.services import Needed
from api.stream_hub import Change, StreamHub, Subscription, format_position
from schemas.errors import Retry

router = guarded_router("stream")
#: A comment line now and then: proxies close what is silent, and a client that has gone is noticed.
_SILENCE_SECONDS: Final = 20.0
_HEADERS: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
_ANSWER: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "Events `invalidate` (data: tags and ids), `ready` and `resync` (reload everything).",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    }
}


@router.get("/api/customers/stream", response_class=StreamingResponse, responses=_ANSWER)
async def stream(
    services: Needed,
    last_event_id: Annotated[str | None, Header(max_length=8000)] = None,
    who: Principal = require_features("customers.view"),
) -> StreamingResponse:
    """Cache tags of everything that changes in the caller's organization, from now on or from a position.

    ``Last-Event-ID`` resumes where a former stream ended. When that cannot be done without a gap, the
    event ``resync`` says that everything must be read again.
    """
    if not (services.listener.ready.is_set() and services.mappings.ready.is_set()):
        raise Retry("outcomes are not heard yet", after=2)
    scope = who.tenant_id, who.organization_id
    subscription, missed, reload = services.hub.subscribe(scope, last_event_id)
    events = _events(services.hub, subscription, missed, reload=reload)
    return StreamingResponse(events, media_type="text/event-stream", headers=_HEADERS)


async def _events(
    hub: StreamHub, subscription: Subscription, missed: list[Change], *, reload: bool
) -> AsyncIterator[bytes]:
    seen = subscription.seen
    try:
        # The id of the first event is a position to resume from, so no change after it can be missed.
        yield _event("resync" if reload else "ready", b"{}", None if missed else seen)
        if missed:
            for old in missed:
                yield _event("invalidate", old.data, None)
            yield _event("ready", b"{}", seen)
        while True:
            try:
                async with asyncio.timeout(_SILENCE_SECONDS):
                    change = await subscription.queue.get()
            except TimeoutError:
                yield b": alive\n\n"
                continue
            if change is None:
                if subscription.overrun:
                    yield _event("resync", b"{}", None)
                return
            seen[change.partition] = change.offset
            yield _event("invalidate", change.data, seen)
    finally:
        hub.unsubscribe(subscription)


def _event(name: str, data: bytes, seen: dict[int, int] | None) -> bytes:
    position = f"id: {format_position(seen)}\n" if seen is not None else ""
    return f"event: {name}\n{position}data: ".encode() + data + b"\n\n"
