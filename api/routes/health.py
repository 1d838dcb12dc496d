"""``/healthz``, ``/readyz``, ``/metrics`` and the OpenAPI and AsyncAPI documents. They require no token."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from api.metrics import Metrics
from api.queries.ready import is_ready
from api.services import ServicesDep
from schemas import asyncapi
from schemas.errors import Retry

router = APIRouter(tags=["health"])
#: Probes time out after a few seconds. A database that takes longer is not ready for requests.
_READY_TIMEOUT_SECONDS: Final = 2.0


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """Liveness: the process responds."""
    return {"status": "ok"}


@router.get(
    "/readyz", responses={503: {"description": "Not ready; the body names the unavailable dependency"}}
)
async def readyz(services: ServicesDep, response: Response) -> dict[str, Any]:
    """Readiness: the database responds and results are being consumed."""
    database = True
    try:
        async with services.reads.connection(_READY_TIMEOUT_SECONDS) as connection:
            await is_ready(connection)
    except Retry:
        database = False
    results = services.connected
    ready = database and results
    response.status_code = 200 if ready else 503
    return {"status": "ready" if ready else "not ready", "database": database, "results": results}


@router.get("/metrics", include_in_schema=False)
async def metrics(request: Request, services: ServicesDep) -> Response:
    """The metrics of the process, for Prometheus."""
    process_metrics: Metrics = request.app.state.metrics
    process_metrics.streams.set(services.broadcaster.clients)
    return Response(generate_latest(process_metrics.registry), media_type=CONTENT_TYPE_LATEST)


@router.get("/openapi.json", include_in_schema=False)
async def openapi(request: Request) -> dict[str, Any]:
    """The OpenAPI document."""
    document: dict[str, Any] = request.app.openapi()
    return document


@router.get("/asyncapi.json", include_in_schema=False)
async def asyncapi_document() -> dict[str, Any]:
    """The AsyncAPI document."""
    return asyncapi.current_document()
