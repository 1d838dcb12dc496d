"""A gateway for the bench, and requests to it at a steady pace: each counts from its intended moment."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Final
from unittest import mock

import httpx2
import jwt

from bench.roles import RoleProcess, running
from bench.workload import ORGANIZATION, TENANT
from runtime.settings import Settings

_SECRET: Final = "the bench's own secret, long enough for HS256"
_VARIABLES: Final = {
    "INTERACTIONS_API_JWT_SECRET": _SECRET,
    "INTERACTIONS_API_RATE_PER_SECOND": "1000000",
    "INTERACTIONS_API_RATE_BURST": "1000000",
}
USER: Final = "33333333-3333-4333-8333-333333333333"


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def authorization() -> str:
    """The header's value of a user who may do everything in the bench's organization."""
    claims = {
        "sub": USER,
        "tenantId": TENANT,
        "organizationId": ORGANIZATION,
        "features": ["*"],
        "exp": int(time.time()) + 86_400,
    }
    return f"Bearer {jwt.encode(claims, _SECRET)}"


@contextlib.contextmanager
def gateway(settings: Settings, roles: Sequence[str] = ()) -> Iterator[tuple[str, RoleProcess]]:
    """A gateway, and other roles with it, for the length of a block: its address and its process."""
    port = free_port()
    with (
        mock.patch.dict(os.environ, {**_VARIABLES, "INTERACTIONS_API_PORT": str(port)}),
        running(settings, [*roles, "gateway"]) as processes,
    ):
        yield f"http://127.0.0.1:{port}", processes[-1]


async def wait_ready(client: httpx2.AsyncClient) -> None:
    """Until the gateway can answer.

    :raises TimeoutError: not within a minute.
    """
    async with asyncio.timeout(60):
        while (await client.get("/readyz")).status_code != 200:  # noqa: ASYNC110 - another process: there is no event
            await asyncio.sleep(0.05)


async def at_pace(
    ask: Callable[[int], Awaitable[None]], per_second: float, seconds: float, warm_up: float = 2.0
) -> list[float]:
    """Seconds from each intended moment to its answer, without those of the warm-up.

    :param ask: makes the request of a number and raises when it is not answered well.
    """
    began = time.perf_counter() + 0.1
    found: list[float] = []

    async def one(number: int) -> None:
        intended = began + number / per_second
        await asyncio.sleep(max(0.0, intended - time.perf_counter()))
        await ask(number)
        if number / per_second >= warm_up:
            found.append(time.perf_counter() - intended)

    count = int((seconds + warm_up) * per_second)
    await asyncio.gather(*(one(number) for number in range(count)))
    return found
