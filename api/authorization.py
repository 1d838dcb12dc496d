"""Authorization, declared on the route (spec "Security & Validation Contract", 2).

A requirement is checked before the body is read. ``requirement_of`` finds it in the route table, so that a
test can check every route. A route without one is refused at startup unless it is in ``OPEN``.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass
from typing import Any, Final

import structlog
from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.routing import APIRoute

from api.principal import Principal
from api.request_checks import (
    check_content_type,
    check_members,
    check_query,
    check_single_headers,
    query_parameters,
)
from api.services import services_of
from schemas.errors import NeedsAuth, Reject, Stop

#: Public routes: they reveal nothing about any tenant.
OPEN: Final = frozenset(
    {
        "/healthz",
        "/readyz",
        "/metrics",
        "/openapi.json",
        "/asyncapi.json",
        "/docs/migration",
        "/docs/api",
        "/docs/api/{operation_id}",
        "/docs/events",
        "/docs/events/{name}",
    }
)
_SCHEME: Final = "bearer "
#: Key of the ASGI scope: the principal of a request that another part of this process makes for a caller
#: whose token it has verified. Hazard: code that sets it can act as any user. No request from outside can.
HANDED_OVER: Final = "interactions.principal"


@dataclass(frozen=True, slots=True)
class Requirement:
    """Requirements on a caller: a valid token, and one of the features ``any_of``.

    :param any_of: empty accepts any valid token.
    :param cookie: name of a cookie that may hold the token instead of the header.
    """

    any_of: tuple[str, ...] = ()
    cookie: str | None = None

    async def check(self, request: Request) -> Principal:
        """Authenticate the caller, apply its rate limit, authorize it.

        :raises NeedsAuth: no valid token (401).
        :raises Reject: a feature is missing (403), or too many requests (429).
        """
        services = services_of(request)
        principal = request.scope.get(HANDED_OVER)
        if not isinstance(principal, Principal):
            principal = await services.tokens.verify(bearer_of(request, self.cookie))
        request.state.principal = principal
        structlog.contextvars.bind_contextvars(
            tenant_id=principal.tenant_id, organization_id=principal.organization_id
        )
        services.rate_limiter.take(principal)
        if self.any_of and not any(principal.has(feature) for feature in self.any_of):
            raise Reject(
                "missing_feature", f"This requires the feature {' or '.join(self.any_of)}.", status=403
            )
        return principal

    async def __call__(self, request: Request) -> Principal:
        """The caller; the route has checked it already."""
        principal: Principal = request.state.principal
        return principal


def bearer_of(request: Request, cookie: str | None = None) -> str:
    """The token of the Authorization header, or of a cookie if the header is missing.

    :raises NeedsAuth: there is none.
    """
    given = request.headers.get("authorization")
    if given is None and cookie is not None and cookie in request.cookies:
        return request.cookies[cookie]
    if given is None or given[: len(_SCHEME)].lower() != _SCHEME:
        raise NeedsAuth("Send a bearer token in the Authorization header.")
    return given[len(_SCHEME) :].strip()


def require_features(*any_of: str, cookie: str | None = None) -> Any:
    """Parameter default of a route: the caller, who must have one of these features.

    :param cookie: name of a cookie that may hold the token instead of the header.
    """
    return Depends(Requirement(any_of, cookie))


class AuthorizedRoute(APIRoute):
    """A route that checks its requirement first, then what FastAPI ignores in a request.

    A deprecated route accepts any query parameter and repeated members, as it always has.

    :cvar strict_query: refuse query parameters that the route does not declare.
    """

    strict_query = True

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's handler behind the checks."""
        handle = super().get_route_handler()
        requirement = requirement_of(self)
        known = None if self.deprecated or not self.strict_query else query_parameters(self)

        async def authorized(request: Request) -> Response:
            if requirement is not None:
                await requirement.check(request)
            check_single_headers(request)
            if self.body_field is not None:
                check_content_type(request)
                if not self.deprecated:
                    await check_members(request)
            if known is not None:
                check_query(request, known)
            return await handle(request)

        return authorized


def authorized_router(tag: str) -> APIRouter:
    """A router of authorized routes. Declare each route with its full path.

    :param tag: heading in the OpenAPI document.
    """
    return APIRouter(route_class=AuthorizedRoute, tags=[tag])


def requirement_of(route: APIRoute) -> Requirement | None:
    """The requirement that a route declares."""
    for dependency in route.dependant.dependencies:
        if isinstance(dependency.call, Requirement):
            return dependency.call
    return None


def api_routes(app: FastAPI) -> Iterable[APIRoute]:
    """The route table."""
    return [route for route in app.routes if isinstance(route, APIRoute)]


def check_all_authorized(app: FastAPI) -> None:
    """Check that no route is public by mistake.

    :raises Stop: a route declares no requirement and is not in ``OPEN``.
    """
    for route in api_routes(app):
        authorized = isinstance(route, AuthorizedRoute) and requirement_of(route) is not None
        if not authorized and route.path not in OPEN:
            raise Stop(f"The route {route.path} declares no authorization.")
