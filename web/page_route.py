"""Routes of pages: the guards of the API, and every error as HTML where the person looked."""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine
from typing import Any, Final
from urllib.parse import quote

from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from starlette.exceptions import HTTPException

from api.authorization import AuthorizedRoute
from api.problems import INTERNAL_ERROR, DecisionPending, UnknownOutcome, log_unexpected
from schemas.errors import InteractionsError, NeedsAuth, Reject, Retry
from web.failure import failure_response
from web.own_day import note_due_count
from web.protection import check_same_origin

_SAFE: Final = frozenset({"GET", "HEAD"})
SIGN_IN: Final = "/signin"


class PageRoute(AuthorizedRoute):
    """A route whose errors are pages, or fragments for the form that sent the request."""

    strict_query = False  # an address that was kept or shared must open, whatever else it carries

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The API's checks and handler, with its errors rendered."""
        handle = super().get_route_handler()

        async def page(request: Request) -> Response:
            try:
                if request.method not in _SAFE:
                    check_same_origin(request)
                else:
                    await note_due_count(request)
                return await handle(request)
            except NeedsAuth as error:
                if request.method in _SAFE and not is_fragment(request):
                    return RedirectResponse(f"{SIGN_IN}?next={quote(target_of(request), safe='')}", 303)
                return await failure_response(request, error, 401)
            except (UnknownOutcome, DecisionPending) as error:
                return await failure_response(request, error, 504)
            except Retry as error:
                return await failure_response(request, error, 503)
            except Reject as error:
                return await failure_response(request, error, error.status)
            except RequestValidationError as error:
                return await failure_response(request, Reject("invalid", str(error.errors()[0]["msg"])), 400)
            except HTTPException:
                raise
            except Exception as error:  # noqa: BLE001 - a person gets a page, the log the place
                log_unexpected(error)
                return await failure_response(request, InteractionsError(INTERNAL_ERROR), 500)

        return page


def page_router() -> APIRouter:
    """A router of pages, which the OpenAPI document does not list."""
    return APIRouter(route_class=PageRoute, include_in_schema=False)


def is_fragment(request: Request) -> bool:
    """Report whether a script of the page asked, not the browser's address bar."""
    return request.headers.get("hx-request") == "true"


def target_of(request: Request) -> str:
    """Path and query of the request."""
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")


_LOCAL: Final = re.compile(r"/(?![/\\])[^\\\x00-\x1f]*")


def local_path(given: str | None, default: str) -> str:
    """A path of this site, or the default for anything that could lead elsewhere."""
    return given if given and _LOCAL.fullmatch(given) else default
