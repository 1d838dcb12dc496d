"""Client of one chat-completions service: retries within a deadline, and a budget per tenant."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson
import structlog

from runtime.backoff import Backoff
from runtime.retry_after import retry_after
from streams.bounded_exchange import (
    BoundedExchange,
    ClosedError,
    ExchangeError,
    ExchangeTimeoutError,
    Response,
    ResponseTooLargeError,
)
from streams.drafts.writers.chat.completion import Completion, read_completion
from streams.drafts.writers.chat.daily_budget import Budget
from streams.drafts.writers.chat.failures import failure

_log = structlog.get_logger("drafts")
_BACKOFF: Final = Backoff(first=0.5, ceiling=8.0)
#: Least seconds for an attempt; with less time until the deadline, there is no further one.
_LEAST_SECONDS: Final = 1.0
#: 4xx statuses that are transient.
_TRANSIENT: Final = frozenset({408, 409, 425, 429})
_CLOSING: Final = "The drafts process is stopping."


class Completions:
    """Sends requests for one draft at a time per thread.

    :param exchange_seconds: deadline of one exchange.
    :param wait: waits for that many seconds; true if the process is stopping.
    """

    def __init__(
        self,
        exchange: BoundedExchange,
        budget: Budget,
        exchange_seconds: float,
        wait: Callable[[float], bool] | None = None,
    ) -> None:
        self._exchange, self._budget, self._seconds = exchange, budget, exchange_seconds
        self._closing = threading.Event()
        self._wait = wait if wait is not None else self._closing.wait

    def complete(self, fields: Mapping[str, Any], scope: Mapping[str, str], end: float) -> Completion:
        """Send a request; repeat it after 429, 5xx and connection errors, until the deadline.

        :param fields: JSON body.
        :param scope: ``tenant_id``, for the budget, and further identifiers for log lines.
        :param end: deadline of all attempts on the monotonic clock.
        :raises WritingFailedError: there is no completion.
        """
        content, happened = orjson.dumps(fields), "The writing service was too slow."
        least = min(self._seconds, _LEAST_SECONDS)
        for pause in _BACKOFF.delays():
            left = end - time.monotonic()
            if left <= 0:
                raise failure("writer_timeout", happened)
            answer = self._attempt(content, scope["tenant_id"], min(self._seconds, left))
            if isinstance(answer, Response) and answer.status < 500 and answer.status not in _TRANSIENT:
                return read_completion(answer)
            happened = f"The writing service {answer if isinstance(answer, str) else _status(answer)}."
            requested = None if isinstance(answer, str) else retry_after(answer.headers)
            seconds = pause if requested is None else requested
            if time.monotonic() + seconds + least > end:
                raise failure("writer_unavailable", happened, after=requested)
            _log.warning("drafts.writer_retry", reason=happened, pause_seconds=round(seconds, 3), **scope)
            if self._wait(seconds):
                raise failure("writer_closed", _CLOSING)
        raise AssertionError("the delays of a backoff are endless")

    def close(self) -> None:
        """Cancel everything in progress."""
        self._closing.set()
        self._exchange.close()

    def _attempt(self, content: bytes, tenant_id: str, seconds: float) -> Response | str:
        """Send one request; the response, or the reason for a transient failure."""
        wait = self._budget.take(tenant_id)
        if wait is not None:
            raise failure("budget_exhausted", "Today's budget of requests is used up.", after=wait)
        try:
            return self._exchange.post(content, seconds)
        except ExchangeTimeoutError:
            raise failure(
                "writer_timeout", f"The writing service did not answer within {seconds:.3g} s."
            ) from None
        except ResponseTooLargeError:
            raise failure("writer_invalid_answer", "The writing service sent too large a response.") from None
        except ClosedError:
            raise failure("writer_closed", _CLOSING) from None
        except ExchangeError as error:
            return f"is not reachable ({error})"


def _status(answer: Response) -> str:
    return f"answered HTTP {answer.status}"
