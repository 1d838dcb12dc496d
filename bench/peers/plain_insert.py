"""Baseline: FastAPI and psycopg, one INSERT of the same row per transaction, then 201.

Run as ``python -m bench.peers.plain_insert PORT`` with ``INTERACTIONS_DATABASE_URL`` set. No outcome, log,
events, projection or token: the least that "saved" can mean.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import uvicorn
from fastapi import FastAPI, Request
from psycopg_pool import AsyncConnectionPool
from pydantic import BaseModel

from bench.workload import ORGANIZATION, TENANT
from runtime.postgres import connection_parameters
from runtime.settings import KEEP_ALIVE_SECONDS, load_settings

_SQL = """
INSERT INTO customer_interactions (id, tenant_id, organization_id, entity_id, interaction_type, title, body,
  status, scheduled_at, priority, source, version, schedule_version, due_phase, status_as_of,
  scheduled_as_of, occurred_as_of, created_at, updated_at)
VALUES (%s, %s, %s, %s, %s, %s, %s, 'planned', %s, %s, 'manual', 1, 1, 0, now(), now(), now(), now(), now())
"""


class Body(BaseModel):
    """Request body, the same as the gateway's."""

    entityId: UUID  # noqa: N815
    interactionType: str  # noqa: N815
    title: str
    body: str
    scheduledAt: datetime  # noqa: N815
    priority: int


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Open and close the connection pool."""
    async with AsyncConnectionPool(
        kwargs=connection_parameters(load_settings()), min_size=2, max_size=10, open=False
    ) as pool:
        app.state.pool = pool
        yield


app = FastAPI(lifespan=lifespan)


@app.post("/api/customers/interactions", status_code=201)
async def create(body: Body, request: Request) -> dict[str, Any]:
    """Insert and commit."""
    identity = str(uuid4())
    async with request.app.state.pool.connection() as connection:
        await connection.execute(
            _SQL,
            (
                identity,
                TENANT,
                ORGANIZATION,
                body.entityId,
                body.interactionType,
                body.title,
                body.body,
                body.scheduledAt,
                body.priority,
            ),
        )
    return {"id": identity}


@app.get("/readyz")
async def readyz() -> dict[str, str]:
    """Report readiness."""
    return {"status": "ready"}


if __name__ == "__main__":
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=int(sys.argv[1]),
        log_level="warning",
        access_log=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
    )
