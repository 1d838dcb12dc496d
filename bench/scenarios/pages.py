"""Pages: the work list scrolled to its end, beside its first page."""

from __future__ import annotations

import asyncio
import html
import re
import time
from typing import Final

import httpx2

from bench.arithmetic import percentile
from bench.context import Bench
from bench.gateway_load import SECRET, USER, gateway
from bench.samples import Sample
from bench.scenarios.growth import stored_tables
from bench.tables import PER_CUSTOMER, PLANNED_PER_CUSTOMER
from bench.workload import ORGANIZATION, TENANT
from web.sign_in.cookies import SESSION_COOKIE
from web.sign_in.local_ticket import make_ticket

#: Open tasks of one tenant.
TASKS: Final = 100_000
_ROUNDS: Final = 300
_WARM_UP: Final = 30
_LIST: Final = "/backend/customer-tasks?group=later"
_MORE: Final = re.compile(r'href="([^"]*[?&;]after=[^"]*)"')
_TASK: Final = re.compile(r'id="i-([0-9a-f-]{36})"')


def work_list(bench: Bench) -> Sample:
    """Latency of the first page of 100,000 tasks and of the pages after it, in turns."""
    rows = TASKS // PLANNED_PER_CUSTOMER * PER_CUSTOMER
    settings = stored_tables(bench, rows, 1000).settings
    with gateway(settings, INTERACTIONS_API_LOCAL_SIGN_IN="true") as (url, _):
        first, later, scrolled = asyncio.run(_scroll(url))
    return {
        "first_p50": percentile(first, 0.5),
        "first_p99": percentile(first, 0.99),
        "later_p50": percentile(later, 0.5),
        "later_p99": percentile(later, 0.99),
        "scrolled": scrolled,
    }


async def _scroll(url: str) -> tuple[list[float], list[float], int]:
    first: list[float] = []
    later: list[float] = []
    scrolled = 0
    async with httpx2.AsyncClient(base_url=url, timeout=60) as client:
        # The cookie is secure; a client that is no browser does not send it over plain HTTP by itself.
        headers = {"Cookie": f"{SESSION_COOKIE}={await _sign_in(client)}"}
        position = _LIST
        for number in range(_ROUNDS + _WARM_UP):
            page, seconds = await _page(client, _LIST, headers)
            following, others = await _page(client, position, headers)
            if number >= _WARM_UP:
                first.append(seconds)
                later.append(others)
                scrolled += len(_TASK.findall(following))
            found = _MORE.search(following if number else page)
            position = html.unescape(found.group(1)) if found is not None else _LIST
    return first, later, scrolled


async def _page(client: httpx2.AsyncClient, path: str, headers: dict[str, str]) -> tuple[str, float]:
    began = time.perf_counter()
    answer = await client.get(path, headers=headers)
    seconds = time.perf_counter() - began
    if answer.status_code != 200 or not _TASK.search(answer.text):
        raise RuntimeError(f"unexpected response {answer.status_code}: {answer.text[:300]}")
    return answer.text, seconds


async def _sign_in(client: httpx2.AsyncClient) -> str:
    identity = {
        "sub": USER,
        "tenantId": TENANT,
        "organizationId": ORGANIZATION,
        "features": ["*"],
        "exp": int(time.time()) + 86_400,
    }
    answer = await client.get("/signin/local", params={"ticket": make_ticket(SECRET.encode(), identity)})
    return str(answer.cookies[SESSION_COOKIE])
