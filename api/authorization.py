"""Guards, declared on the route: who may call it (spec "Security & Validation Contract", 2).

A guard is checked before the body is read. It is found in the route table (``guard_of``), so that a test
can hold every route against it; a route without one is refused at start unless it is in ``OPEN``.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass
from typing import Any, Final

import structlog
from fastapi import Depends, FastAPI, Request, Response
from fastapi.routing import APIRoute

from api.principal import Principal
from api.request_checks import check_content_type, check_query, check_single_headers, query_parameters
from api.services import services_of
from schemas.errors import NeedsAuth, Reject, Stop

#: Routes that anybody may call: they tell nothing of any tenant.
OPEN: Final = frozenset({"/healthz", "/readyz", "/metrics", "/openapi.json", "/docs/migration"})
_SCHEME: Final = "bearer "


@dataclass(frozen=True, slots=True)
class Guard:
    """Requirements on a caller: a valid token, and one of ``any_of`` (nothing in it: any token will do).

    :param cookie: name of a cookie that may hold the token instead of the header.
    """

    any_of: tuple[str, ...] = ()
    cookie: str | None = None

    async def check(self, request: Request) -> Principal:
        """Authenticate, count against the caller's rate, authorize.

        :raises NeedsAuth: no valid token (401).
        :raises Reject: a feature is missing (403), or too many requests (429).
        """
        services = services_of(request)
        principal = await services.tokens.read(bearer_of(request, self.cookie))
        request.state.principal = principal
        structlog.contextvars.bind_contextvars(
            tenant_id=principal.tenant_id, organization_id=principal.organization_id
        )
        services.rates.take(principal)
        if self.any_of and not any(principal.has(feature) for feature in self.any_of):
            raise Reject("missing_feature", f"this needs the feature {' or '.join(self.any_of)}", status=403)
        return principal

    async def __call__(self, request: Request) -> Principal:
        """The caller, already checked by the route."""
        principal: Principal = request.state.principal
        return principal


def bearer_of(request: Request, cookie: str | None = None) -> str:
    """The token of the Authorization header, or of a cookie without one.

    :raises NeedsAuth: there is none.
    """
    given = request.headers.get("authorization")
    if given is None and cookie is not None and cookie in request.cookies:
        return request.cookies[cookie]
    if given is None or given[: len(_SCHEME)].lower() != _SCHEME:
        raise NeedsAuth("send a bearer token in the Authorization header")
    return given[len(_SCHEME) :].strip()


def require_features(*any_of: str, cookie: str | None = None) -> Any:
    """A parameter default: a caller with one of these features.

    :param cookie: name of a cookie that may hold the token instead of the header.
    """
    return Depends(Guard(any_of, cookie))


class GuardedRoute(APIRoute):
    """A route that checks its guard first, and then what FastAPI would pass over in a request.

    A deprecated route takes any query parameter, as it always has.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's handler behind the guard."""
        handle = super().get_route_handler()
        guard = guard_of(self)
        known = None if self.deprecated else query_parameters(self)

        async def guarded(request: Request) -> Response:
            if guard is not None:
                await guard.check(request)
            check_single_headers(request)
            if self.body_field is not None:
                check_content_type(request)
            if known is not None:
                check_query(request, known)
            return await handle(request)

        return guarded


def guard_of(route: APIRoute) -> Guard | None:
    """The guard that a route declares."""
    for dependency in route.dependant.dependencies:
        if isinstance(dependency.call, Guard):
            return dependency.call
    return None


def api_routes(app: FastAPI) -> Iterable[APIRoute]:
    """The route table."""
    return [route for route in app.routes if isinstance(route, APIRoute)]


def check_all_guarded(app: FastAPI) -> None:
    """Nothing is served without a guard by mistake.

    :raises Stop: a route has none and is not in ``OPEN``.
    """
    for route in api_routes(app):
        guarded = isinstance(route, GuardedRoute) and guard_of(route) is not None
        if not guarded and route.path not in OPEN:
            raise Stop(f"the route {route.path} declares no guard")
