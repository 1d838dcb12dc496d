"""HTTP gateway: confirmed POST and plain insert, lists on few and many rows, open event streams."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from typing import Any, Final
from urllib.parse import urlsplit

import httpx2

from bench.arithmetic import percentile
from bench.context import Bench
from bench.deployment import fresh_deployment
from bench.gateway_load import authorization, free_port, gateway, open_loop, wait_ready
from bench.peers.process import peer
from bench.samples import Sample
from bench.scenarios.growth import stored_tables
from bench.workload import entity_ids
from runtime.settings import Settings

PER_SECOND: Final = 50.0
STREAMS: Final = 2000
FEW_ROWS: Final = 10_000
MANY_ROWS: Final = 1_000_000
_LISTS: Final = 600
_PATH: Final = "/api/customers/interactions"


def confirmed_post(bench: Bench) -> Sample:
    """Latency of a POST until its 201, which follows the commit."""
    with (
        fresh_deployment(bench.servers) as settings,
        gateway(settings, ["applier", "relay"]) as (url, _),
    ):
        return asyncio.run(posts(bench, url, {"Authorization": authorization()}))


def plain_post(bench: Bench) -> Sample:
    """Latency of a POST to an application that only inserts the same row."""
    with fresh_deployment(bench.servers) as settings:
        port = free_port()
        environment = {**os.environ, "INTERACTIONS_DATABASE_URL": _database(settings)}
        environment |= {
            "INTERACTIONS_KAFKA_BOOTSTRAP_SERVERS": str(settings.kafka_bootstrap_servers),
            "INTERACTIONS_SCHEMA_REGISTRY_URL": str(settings.schema_registry_url),
        }
        arguments = [sys.executable, "-m", "bench.peers.plain_insert", str(port)]
        with peer(arguments, environment) as process:
            process.wait_until(lambda: _answers(f"http://127.0.0.1:{port}"), "the plain application is ready")
            return asyncio.run(posts(bench, f"http://127.0.0.1:{port}", {}))


async def posts(bench: Bench, url: str, headers: dict[str, str], *, seconds: float | None = None) -> Sample:
    """Create interactions at a fixed rate; latencies count from the intended send time.

    :param seconds: length of the sample, instead of ``latency_seconds``.
    :raises RuntimeError: a response was not 201.
    """
    customers = entity_ids(bench.sizes.entities)
    limits = httpx2.Limits(max_connections=100, max_keepalive_connections=100)
    async with httpx2.AsyncClient(base_url=url, headers=headers, limits=limits, timeout=30) as client:
        await wait_ready(client)

        async def send_request(number: int) -> None:
            body = {
                "entityId": customers[number % len(customers)],
                "interactionType": "call",
                "title": f"Call number {number}",
                "body": "What was agreed, and what is left to do. " * 4,
                "scheduledAt": "2027-03-01T09:00:00Z",
                "priority": 50,
            }
            answer = await client.post(_PATH, json=body)
            if answer.status_code != 201:
                raise RuntimeError(f"unexpected response {answer.status_code}: {answer.text[:300]}")

        found = await open_loop(send_request, PER_SECOND, seconds or bench.sizes.latency_seconds)
    return {"p50": percentile(found, 0.5), "p99": percentile(found, 0.99), "requests": len(found)}


def list_pages(bench: Bench) -> Sample:
    """Latency of list requests (first pages, later pages, one customer) on few and on many rows."""
    found: Sample = {}
    for name, rows in (("few", FEW_ROWS), ("many", MANY_ROWS)):
        settings = stored_tables(bench, rows, 1000).settings
        with gateway(settings) as (url, _):
            times = asyncio.run(_lists(url))
        found |= {f"{name}_p50": percentile(times, 0.5), f"{name}_p99": percentile(times, 0.99)}
    return found


async def _lists(url: str) -> list[float]:
    found: list[float] = []
    headers = {"Authorization": authorization()}
    async with httpx2.AsyncClient(base_url=url, headers=headers, timeout=60) as client:
        customer, cursors = "", dict[str, str]()
        for number in range(_LISTS + 60):
            kind = ("all", "planned", "customer")[number % 3]
            query: dict[str, Any] = {"limit": 25}
            if kind == "planned":
                query["status"] = "planned"
            if kind == "customer" and customer:
                query["entityId"] = customer
            elif kind in cursors:
                query["cursor"] = cursors[kind]
            began = time.perf_counter()
            answer = await client.get(_PATH, params=query)
            seconds = time.perf_counter() - began
            if answer.status_code != 200:
                raise RuntimeError(f"unexpected response {answer.status_code}: {answer.text[:300]}")
            page = answer.json()
            customer = page["items"][-1]["entityId"]
            if kind != "customer":
                cursors.pop(kind, None)
                # Restart from the first page now and then, so that both first and later pages are measured.
                if "nextCursor" in page and number % 30 < 24:
                    cursors[kind] = page["nextCursor"]
            if number >= 60:
                found.append(seconds)
    return found


def open_streams(bench: Bench) -> Sample:
    """Of 2,000 open streams: number notified of a change, latency of the last one, memory per stream."""
    with (
        fresh_deployment(bench.servers) as settings,
        gateway(settings, ["applier"]) as (url, process),
    ):
        before = process.memory()["rss"]
        notified, seconds = asyncio.run(_streams(url))
        return {
            "notified": notified,
            "seconds": seconds,
            "kib_per_stream": (process.memory()["rss"] - before) * 1024 / STREAMS,
        }


async def _streams(url: str) -> tuple[int, float]:
    place = urlsplit(url)
    request = (
        f"GET /api/customers/stream HTTP/1.1\r\nHost: {place.netloc}\r\n"
        f"Authorization: {authorization()}\r\n\r\n"
    ).encode()
    began = 0.0
    last = 0.0

    async def hold(ready: asyncio.Event, connecting: asyncio.Semaphore) -> bool:
        nonlocal last
        async with connecting:
            reader, writer = await asyncio.open_connection(place.hostname, place.port)
            writer.write(request)
            await reader.readuntil(b"event: ready\n")
        ready.set()
        try:
            await reader.readuntil(b"event: invalidate\n")
            last = max(last, time.perf_counter())
            return True
        finally:
            writer.close()

    async with httpx2.AsyncClient(
        base_url=url, headers={"Authorization": authorization()}, timeout=60
    ) as client:
        await wait_ready(client)
        connecting = asyncio.Semaphore(100)
        opened = [asyncio.Event() for _ in range(STREAMS)]
        tasks = [asyncio.create_task(hold(ready, connecting)) for ready in opened]
        async with asyncio.timeout(120):
            await asyncio.gather(*(ready.wait() for ready in opened))
        body = {"entityId": entity_ids(1)[0], "interactionType": "call"}
        began = time.perf_counter()
        answer = await client.post(_PATH, json=body)
        if answer.status_code != 201:
            raise RuntimeError(f"unexpected response {answer.status_code}: {answer.text[:300]}")
        done, waiting = await asyncio.wait(tasks, timeout=60)
        for task in waiting:
            task.cancel()
        notified = sum(1 for task in done if task.exception() is None)
    return notified, last - began


def _database(settings: Settings) -> str:
    assert settings.database_url is not None
    return settings.database_url.get_secret_value()


def _answers(url: str) -> bool:
    with contextlib.suppress(httpx2.HTTPError):
        return httpx2.get(f"{url}/readyz").status_code == 200
    return False
