"""A gateway under open-loop load: latency counts from each request's intended send time."""

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

SECRET: Final = "the bench's own secret, long enough for HS256"
_VARIABLES: Final = {
    "INTERACTIONS_API_JWT_SECRET": SECRET,
    "INTERACTIONS_API_RATE_PER_SECOND": "1000000",
    "INTERACTIONS_API_RATE_BURST": "1000000",
}
USER: Final = "33333333-3333-4333-8333-333333333333"


def free_port() -> int:
    """Pick a TCP port that is free at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def authorization() -> str:
    """``Authorization`` header of a user with every permission in the bench's organization."""
    claims = {
        "sub": USER,
        "tenantId": TENANT,
        "organizationId": ORGANIZATION,
        "features": ["*"],
        "exp": int(time.time()) + 86_400,
    }
    return f"Bearer {jwt.encode(claims, SECRET)}"


@contextlib.contextmanager
def gateway(settings: Settings, roles: Sequence[str] = (), **extra: str) -> Iterator[tuple[str, RoleProcess]]:
    """Run a gateway, and other roles if given, for the duration of a block; yields its URL and process.

    :param extra: further environment variables.
    """
    port = free_port()
    with (
        mock.patch.dict(os.environ, {**_VARIABLES, **extra, "INTERACTIONS_API_PORT": str(port)}),
        running(settings, [*roles, "gateway"]) as processes,
    ):
        yield f"http://127.0.0.1:{port}", processes[-1]


async def wait_ready(client: httpx2.AsyncClient) -> None:
    """Wait until the gateway is ready.

    :raises TimeoutError: not ready within a minute.
    """
    async with asyncio.timeout(60):
        while (await client.get("/readyz")).status_code != 200:  # noqa: ASYNC110 - another process: there is no event
            await asyncio.sleep(0.05)


async def open_loop(
    send_request: Callable[[int], Awaitable[None]], per_second: float, seconds: float, warm_up: float = 2.0
) -> list[float]:
    """Send requests at a fixed rate; seconds from each intended send time to its response, warm-up excluded.

    :param send_request: sends request number ``n``; raises on an unexpected response.
    """
    began = time.perf_counter() + 0.1
    found: list[float] = []

    async def one(number: int) -> None:
        intended = began + number / per_second
        await asyncio.sleep(max(0.0, intended - time.perf_counter()))
        await send_request(number)
        if number / per_second >= warm_up:
            found.append(time.perf_counter() - intended)

    count = int((seconds + warm_up) * per_second)
    await asyncio.gather(*(one(number) for number in range(count)))
    return found
