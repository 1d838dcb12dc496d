"""The bytes of an event stream: the changes, and its end when the token expires."""

from __future__ import annotations

import asyncio
from typing import Any

from api.routes import stream
from api.sse_broadcaster import Change, Subscription


class Broadcaster:
    """Records unsubscriptions."""

    def __init__(self) -> None:
        self.left: list[Subscription] = []

    def unsubscribe(self, subscription: Subscription) -> None:
        self.left.append(subscription)


def test_it_ends_with_the_token() -> None:
    async def story() -> list[bytes]:
        broadcaster: Any = Broadcaster()
        subscription = Subscription(("t", "o"), {0: 4})
        subscription.queue.put_nowait(Change(0, 5, b'{"tags":[]}'))
        ends = asyncio.get_running_loop().time() + 0.05
        async with asyncio.timeout(10):
            found = [
                part async for part in stream._events(broadcaster, subscription, [], reload=False, ends=ends)
            ]
        assert broadcaster.left == [subscription]
        return found

    first, change, last = asyncio.run(story())
    assert first == b"event: ready\nid: 0-5\ndata: {}\n\n"
    assert change == b'event: invalidate\nid: 0-6\ndata: {"tags":[]}\n\n'
    assert last == b"event: expired\ndata: {}\n\n", "and no id: the position stays"
