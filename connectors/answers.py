"""What an HTTP answer means in the words of ``schemas.errors``; for providers that speak HTTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import httpx2

from schemas.errors import NeedsAuth, Retry

#: Statuses that may be another one soon.
_PASSING: Final = frozenset({408, 409, 423, 425, 507})


def sent(name: str, send: Callable[[], httpx2.Response]) -> httpx2.Response:
    """Carry out a request of the provider ``name``.

    :raises Retry: there was no whole answer; whether the request had an effect is unknown.
    """
    try:
        return send()
    except httpx2.TransportError as error:
        raise Retry(f"{name} did not answer ({type(error).__name__})") from error


def settled(name: str, answer: httpx2.Response, *, after: float | None = None) -> httpx2.Response:
    """The answer, if it is a success or says something about this one request (400, 404, 410, 412, …).

    :param after: seconds to wait at a rate limit when the answer does not say.
    :raises Retry: an outage, a rate limit, or a redirect (which is never followed).
    :raises NeedsAuth: the credentials are refused.
    """
    status = answer.status_code
    if status in {401, 403}:
        raise NeedsAuth(f"{name} refuses the credentials (HTTP {status}); connect the integration again")
    if status == 429:
        raise Retry(f"{name}'s rate limit is reached", after=_seconds(answer) or after)
    if 300 <= status < 400:
        raise Retry(f"{name} answered with a redirect (HTTP {status}), which is not followed")
    if status >= 500 or status in _PASSING:
        raise Retry(f"{name} answered HTTP {status}", after=_seconds(answer))
    return answer


def _seconds(answer: httpx2.Response) -> float | None:
    # The other form of Retry-After, a date, is rare, and a wrong clock would make it dangerous.
    given = answer.headers.get("retry-after", "")
    return float(given) if given.isascii() and given.isdigit() else None
