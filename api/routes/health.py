"""``/healthz``, ``/readyz``, ``/metrics`` and the OpenAPI document: for machines, without a token."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from api.queries.ready import is_ready
from api.services import ServicesDep
from schemas.errors import Retry

router = APIRouter(tags=["health"])
#: Probes give up after a few seconds; a database that takes longer is not one to send requests to.
_READY_SECONDS: Final = 2.0


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """The process lives."""
    return {"status": "ok"}


@router.get("/readyz", responses={503: {"description": "Not ready; the body says why"}})
async def readyz(services: ServicesDep, response: Response) -> dict[str, Any]:
    """Whether requests can be answered: the database answers and outcomes are heard."""
    database = True
    try:
        async with services.reads.connection(_READY_SECONDS) as connection:
            await is_ready(connection)
    except Retry:
        database = False
    results = services.connected
    ready = database and results
    response.status_code = 200 if ready else 503
    return {"status": "ready" if ready else "not ready", "database": database, "results": results}


@router.get("/metrics", include_in_schema=False)
async def metrics(request: Request, services: ServicesDep) -> Response:
    """The process's figures, for Prometheus."""
    figures = request.app.state.figures
    figures.streams.set(services.broadcaster.clients)
    return Response(generate_latest(figures.registry), media_type=CONTENT_TYPE_LATEST)


@router.get("/openapi.json", include_in_schema=False)
async def openapi(request: Request) -> dict[str, Any]:
    """The OpenAPI document."""
    document: dict[str, Any] = request.app.openapi()
    return document
