"""Routes of sign-in and sign-out."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final
from urllib.parse import quote, urlsplit

import structlog
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route, Router

from api.principal import Principal
from api.services import services_of
from api.tokens import principal_of
from runtime.gateway_settings import GatewaySettings
from schemas.errors import InteractionsError, NeedsAuth, Reject, Retry, Stop
from web.failure import failure_response
from web.form_fields import fields_of
from web.page_route import local_path
from web.protection import check_form_token, check_same_origin
from web.rendering import plain_page
from web.session import session_of
from web.sign_in.cookies import (
    RECORD_COOKIE,
    SESSION_COOKIE,
    delete_cookie,
    set_record_cookie,
    set_session_cookie,
)
from web.sign_in.local_ticket import check_on_loopback, invalid_link, read_ticket
from web.sign_in.oidc import OidcProvider, session_end_of
from web.sign_in.record import RecordBox, record_id
from web.sign_in.sessions import SessionStore
from web.sign_in.ways import ways_to_sign_in
from web.viewer import language_of_request

_log = structlog.get_logger("gateway")
_HOME: Final = "/backend/dashboard"
_SIGNED_OUT: Final = "/signin?signed_out=1"
#: A longer path would not fit into the cookie that remembers it.
_LONGEST_NEXT: Final = 1500
_ERROR_CODE: Final = re.compile(r"[a-z_]{1,50}")
#: Key of the provider in the services' cache.
_PROVIDER: Final = "web.sign_in.provider"


async def sign_in(request: Request) -> Response:
    """Lead to the only way to sign in, or list the ways."""
    following = _next(request)
    if session_of(request) is not None:
        return RedirectResponse(following, 303)
    ways = {way.name: way for way in ways_to_sign_in(_gateway(request))}
    oidc = f"/signin/oidc?next={quote(following, safe='')}" if "oidc" in ways else None
    if oidc is not None and len(ways) == 1 and "signed_out" not in request.query_params:
        return RedirectResponse(oidc, 303)
    words = language_of_request(request)
    return plain_page("sign_in.html", status=200, t=words.text, words=words, oidc=oidc, local="local" in ways)


async def begin_oidc(request: Request) -> Response:
    """Send the browser to the identity provider."""
    provider, box = _provider(request)
    departure = await provider.depart(_next(request))
    name = record_id(departure.record.state)
    if name is None:
        raise Stop("The state of an authorization request is malformed.")
    response = RedirectResponse(departure.url, 303)
    set_record_cookie(response, name, box.seal(departure.record))
    return response


async def finish_oidc(request: Request) -> Response:
    """Receive the identity provider's answer and begin a session."""
    provider, box = _provider(request)
    state = request.query_params.get("state", "")
    name = record_id(state)
    sealed = request.cookies.get(RECORD_COOKIE + name, "") if name is not None else ""
    record = box.open(sealed)
    if name is None or record is None:
        raise NeedsAuth("This sign-in was not begun in this browser, or is too old. Sign in from the start.")
    failure = request.query_params.get("error")
    if failure is not None:
        shown = failure if _ERROR_CODE.fullmatch(failure) else "unknown"
        raise Reject("sign_in_refused", f"The identity provider did not sign you in ({shown}).", status=403)
    claims = await provider.arrive(record, state, request.query_params.get("code", ""))
    principal = principal_of(claims)
    response = await _begin_session(
        request, principal, record.next, display_name=claims.get("name"), ends_at=session_end_of(claims)
    )
    delete_cookie(response, RECORD_COOKIE + name)
    return response


async def sign_in_locally(request: Request) -> Response:
    """Begin a session by a link of ``interactions open``."""
    gateway = _gateway(request)
    secret = gateway.secret()
    if not gateway.local_sign_in or secret is None:
        raise Reject("not_found", "Local sign-in is off.", status=404)
    check_on_loopback(request)
    following = _next(request)
    try:
        ticket = read_ticket(secret, request.query_params.get("ticket", ""))
        # The identity of the stack's owner has no end of its own: the limits of the session apply.
        principal = principal_of({**ticket.identity, "exp": 0})
        return await _begin_session(
            request,
            principal,
            following,
            display_name=ticket.identity.get("name"),
            ends_at=math.inf,
            ticket=ticket.id,
        )
    except NeedsAuth:
        # The back button leads here once more.
        if session_of(request) is not None:
            return RedirectResponse(following, 303)
        raise


async def sign_out(request: Request) -> Response:
    """End the session here, then at the identity provider if it offers that."""
    check_same_origin(request)
    session = session_of(request)
    if session is not None:
        check_form_token(session, dict(await fields_of(request)).get("csrf"))
        await _sessions(request).end(request.cookies[SESSION_COOKIE])
        _log.info("gateway.signed_out", **_ids(session.principal))
    response: Response = RedirectResponse(_SIGNED_OUT, 303)
    if session is not None and _gateway(request).oidc_issuer is not None:
        onward = await _provider(request)[0].sign_out_url()
        # Hazard: a header cannot carry other characters.
        if onward is not None and onward.isascii() and onward.isprintable():
            # Hazard: ``form-action 'self'`` refuses a redirect to another origin after a form.
            response = PlainTextResponse(
                f"You are signed out here. Continuing to {urlsplit(onward).netloc}.",
                headers={"Refresh": f"0;url={onward}"},
            )
    delete_cookie(response, SESSION_COOKIE)
    return response


async def _begin_session(
    request: Request,
    principal: Principal,
    following: str,
    *,
    display_name: Any,
    ends_at: float,
    ticket: str | None = None,
) -> Response:
    """Store a session under a fresh value, end the browser's former one, and continue.

    :raises NeedsAuth: the identity has ended, or the ticket was used before.
    """
    if ends_at <= time.time():
        # A session that has ended would lead the browser back to the provider at once, without end.
        raise NeedsAuth("Your identity has ended at the identity provider, so you are not signed in.")
    sessions = _sessions(request)
    value = await sessions.create(principal, display_name=_name(display_name), ends_at=ends_at, ticket=ticket)
    if value is None:
        raise invalid_link()
    former = request.cookies.get(SESSION_COOKIE)
    if former:
        await sessions.end(former)
    _log.info("gateway.signed_in", way="oidc" if ticket is None else "local", **_ids(principal))
    response = RedirectResponse(following, 303)
    set_session_cookie(response, value)
    return response


def _name(given: Any) -> str | None:
    """A display name that can be stored and shown."""
    if not isinstance(given, str) or not given.isprintable():
        return None
    return given.strip()[:200] or None


def _ids(principal: Principal) -> dict[str, str]:
    return {"tenant_id": principal.tenant_id, "organization_id": principal.organization_id}


def _next(request: Request) -> str:
    given = request.query_params.get("next")
    return local_path(given, _HOME) if given is not None and len(given) <= _LONGEST_NEXT else _HOME


def _gateway(request: Request) -> GatewaySettings:
    return services_of(request).gateway


def _sessions(request: Request) -> SessionStore:
    found: SessionStore = request.app.state.sessions
    return found


def _provider(request: Request) -> tuple[OidcProvider, RecordBox]:
    """The identity provider.

    :raises Reject: there is none (404).
    """
    gateway, cache = _gateway(request), services_of(request).cache
    secret = gateway.oidc_secret() if gateway.oidc_issuer is not None else None
    if secret is None:
        raise Reject("not_found", "Sign-in by OpenID Connect is not configured.", status=404)
    if _PROVIDER not in cache:
        cache[_PROVIDER] = OidcProvider(gateway), RecordBox(secret)
    found: tuple[OidcProvider, RecordBox] = cache[_PROVIDER]
    return found


def _route(path: str, method: str, handle: Callable[[Request], Awaitable[Response]]) -> Route:
    """A route whose errors are pages."""

    async def page(request: Request) -> Response:
        # Starlette does not set it; logs and metrics name the route by it.
        request.scope["route"] = route
        try:
            return await handle(request)
        except NeedsAuth as error:
            # Shown with its reason. A 401 page would say that the session has ended.
            refused = Reject("sign_in_failed", str(error), status=403)
            return await failure_response(request, refused, refused.status)
        except Retry as error:
            return await failure_response(request, error, 503)
        except Reject as error:
            return await failure_response(request, error, error.status)
        except InteractionsError as error:
            return await failure_response(request, error, 500)

    route = Route(path, page, methods=[method])
    return route


#: Plain routes: FastAPI's would refuse the parameters that identity providers add.
router: Final = Router(
    routes=[
        _route("/signin", "GET", sign_in),
        _route("/signin/oidc", "GET", begin_oidc),
        _route("/signin/callback", "GET", finish_oidc),
        _route("/signin/local", "GET", sign_in_locally),
        _route("/signout", "POST", sign_out),
    ]
)
