"""Translate HTTP failures and statuses into ``schemas.errors``, for providers that use HTTP."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Callable, Iterator
from typing import Any, Final

import httpx2

from connectors.sdk.bounded_transport import DeadlineExceeded, ResponseTooLarge
from connectors.sdk.same_origin import origin_text
from runtime.retry_after import retry_after as requested_pause
from schemas.errors import NeedsAuth, Retry

#: Longest pause that a provider can request, in seconds; caps ``Retry-After``.
LONGEST_PAUSE: Final = 3600.0
#: Statuses below 500 that are transient. No request is conditional on a date, so 304 answers none.
_TRANSIENT: Final = frozenset({304, 408, 409, 423, 425, 507})


class Throttled(Retry):
    """The rate limiter has no capacity left for this provider; nothing was sent."""


def send_request(name: str, send: Callable[[], httpx2.Response]) -> httpx2.Response:
    """Send a request of the provider ``name``.

    :raises Retry: there was no complete response; whether the request had an effect is unknown.
    """
    try:
        return send()
    except (httpx2.RequestError, httpx2.InvalidURL, httpx2.StreamError, UnicodeError) as error:
        raise Retry(f"{name}{_at(error)} {_failure(error)}") from error
    except RuntimeError as error:
        # The client was closed: the settings have changed, and the next attempt uses the new ones.
        raise Retry(f"{name} was not called, because its settings have just changed") from error


def check_status(name: str, answer: httpx2.Response, *, after: float | None = None) -> httpx2.Response:
    """Raise for statuses about the server or the account; return any other response.

    Returned: successes, and statuses about this request only (400, 404, 410, 412, …).

    :param after: seconds to wait after a 429 without ``Retry-After``.
    :raises Retry: an outage, a rate limit, or a redirect (never followed).
    :raises NeedsAuth: the credentials are refused.
    """
    status = answer.status_code
    who = f"{name} at {host_of(answer)}"
    if status == 401:
        raise NeedsAuth(f"{who} refuses the credentials (HTTP 401); renew them, then resume")
    if status == 403:
        raise NeedsAuth(f"{who} denies access (HTTP 403); check this account's permissions, then resume")
    if status == 429:
        raise Retry(f"{who} has reached its rate limit (HTTP 429)", after=retry_after(answer) or after)
    if 300 <= status < 400 and status not in _TRANSIENT:
        raise Retry(f"{who} redirects to {_redirect_origin(answer)} (HTTP {status}), which is not followed")
    if status >= 500 or status in _TRANSIENT:
        raise Retry(f"{who} answered HTTP {status}", after=retry_after(answer))
    return answer


def host_of(answer: httpx2.Response) -> str:
    """Host and port that a request was for, even if its connection was pinned to an IP address."""
    with contextlib.suppress(RuntimeError):  # a response without its request
        return _host(answer.request)
    return "an unknown host"


def retry_after(answer: httpx2.Response) -> float | None:
    """Pause that a response requests, in seconds, at most ``LONGEST_PAUSE``; ``None`` if it requests none."""
    requested = requested_pause(answer.headers)
    return bounded_pause(requested) if requested is not None else None


def bounded_pause(seconds: Any) -> float:
    """Clamp a requested pause to 0..``LONGEST_PAUSE``; 0 if it is not a number."""
    if not isinstance(seconds, int | float) or not seconds > 0:  # also for NaN
        return 0.0
    return float(min(seconds, LONGEST_PAUSE))


def _host(request: httpx2.Request) -> str:
    return request.headers.get("host") or request.url.netloc.decode("ascii", "replace")


def _at(error: Exception) -> str:
    with contextlib.suppress(RuntimeError):  # an error without its request
        if isinstance(error, httpx2.RequestError):
            return f" at {_host(error.request)}"
    return ""


def _redirect_origin(answer: httpx2.Response) -> str:
    try:
        return origin_text(str(answer.url), answer.headers.get("location", ""))
    except RuntimeError:  # a response without its request
        return "another address"


def _failure(error: Exception) -> str:
    if isinstance(error, DeadlineExceeded | ResponseTooLarge):
        return str(error)
    if isinstance(error, httpx2.ConnectError):
        return _no_connection(error)
    for kind, text in _FAILURES.items():
        if isinstance(error, kind):
            return f"{text} ({type(error).__name__})"
    return f"could not be reached ({type(error).__name__})"


_FAILURES: Final[dict[type[Exception], str]] = {
    httpx2.ConnectTimeout: "did not accept the connection in time",
    httpx2.PoolTimeout: "is busy with our other requests",
    httpx2.TimeoutException: "did not answer in time",
    httpx2.RemoteProtocolError: "sent a response that is not HTTP",
    httpx2.DecodingError: "sent a response with a broken Content-Encoding",
    httpx2.TransportError: "did not answer",
    httpx2.InvalidURL: "has an invalid URL",
}


def _no_connection(error: Exception) -> str:
    for cause in _causes(error):
        if isinstance(cause, socket.gaierror):
            return "cannot be reached: the host name is unknown"
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"cannot be trusted: {cause.verify_message or 'its certificate is not valid'}"
        if isinstance(cause, ssl.SSLError):
            return "does not speak TLS on this port; check https:// and the port"
        if isinstance(cause, ConnectionRefusedError):
            return "refuses connections: nothing listens on this port"
        if isinstance(cause, OSError) and cause.strerror:
            return f"cannot be reached: {cause.strerror.lower()}"
    return "cannot be reached (ConnectError)"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
