"""HTTP exchange with one deadline, from name resolution to the last byte, and a maximum response size."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpcore2
import httpx2

#: ExceptionGroup: what the connection attempts raise beside ``OSError``, a port out of range for example.
_FAILURES: Final = (
    httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError, OSError, UnicodeError, ExceptionGroup,
)  # fmt: skip


class ExchangeError(Exception):
    """There is no complete response; whether the request had an effect is unknown."""


class ExchangeTimeoutError(ExchangeError):
    """The response was not complete at the deadline."""


class ResponseTooLargeError(ExchangeError):
    """The response body exceeds the maximum size."""


class ClosedError(ExchangeError):
    """The exchanges are closed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """A complete response.

    :param headers: names in lower case.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes


class BoundedExchange:
    """Sends POST requests to one URL, from any number of threads; redirects are not followed.

    Hazard: an HTTP client's timeouts apply per socket operation, so a server that sends one byte every few
    seconds never trips them. Each exchange is therefore a task that is canceled at its deadline.
    """

    def __init__(self, url: str, headers: Mapping[str, str], max_bytes: int) -> None:
        self._url, self._headers, self._max_bytes = url, dict(headers), max_bytes
        # Hazard: a response can be small when compressed and exhaust the memory when decompressed.
        self._headers |= {"Accept-Encoding": "identity", "User-Agent": "customer-interactions"}
        self._trusted: Final = httpx2.create_ssl_context(trust_env=False)
        self._lock = threading.Lock()
        self._closed = False
        self._running: dict[asyncio.AbstractEventLoop, asyncio.Task[Response]] = {}

    def post(self, content: bytes, seconds: float) -> Response:
        """Send one request and return its response, whatever its status; not from an event loop's thread.

        :raises ExchangeError: there is no complete response.
        """
        loop = asyncio.new_event_loop()
        try:
            task = loop.create_task(self._post(content, seconds))
            with self._lock:
                if self._closed:
                    task.cancel()
                self._running[loop] = task
            return loop.run_until_complete(task)
        except asyncio.CancelledError:
            raise ClosedError("closed") from None
        finally:
            with self._lock:
                self._running.pop(loop, None)
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()

    def close(self) -> None:
        """Cancel the exchanges in progress and refuse new ones."""
        with self._lock:
            self._closed = True
            for loop, task in self._running.items():
                loop.call_soon_threadsafe(task.cancel)

    async def _post(self, content: bytes, seconds: float) -> Response:
        transport = _Transport(self._trusted)
        try:
            async with asyncio.timeout(seconds):
                return await self._exchange(content, transport)
        except TimeoutError:
            raise ExchangeTimeoutError(f"no complete response within {seconds:g} s") from None
        except _FAILURES as error:
            raise ExchangeError(type(error).__name__) from None
        finally:
            await transport.close_all()

    async def _exchange(self, content: bytes, transport: _Transport) -> Response:
        async with (
            httpx2.AsyncClient(
                transport=transport, timeout=None, follow_redirects=False, trust_env=False
            ) as client,
            client.stream("POST", self._url, content=content, headers=self._headers) as answer,
        ):
            body = bytearray()
            async for part in answer.aiter_raw():
                body += part
                if len(body) > self._max_bytes:
                    raise ResponseTooLargeError(f"more than {self._max_bytes} bytes")
            headers = {name.lower(): value for name, value in answer.headers.items()}
            return Response(status=answer.status_code, headers=headers, body=bytes(body))


class _Transport(httpx2.AsyncHTTPTransport):
    """HTTP transport for one exchange, which closes all its connections.

    Hazard: a connection of httpx that is canceled during its TLS handshake is not closed.
    """

    def __init__(self, trusted: ssl.SSLContext) -> None:
        super().__init__(verify=trusted, trust_env=False)
        self._backend = _Backend()
        # httpx has no parameter for the network backend, so replace its pool by an equal one.
        self._pool = httpcore2.AsyncConnectionPool(ssl_context=trusted, network_backend=self._backend)

    async def close_all(self) -> None:
        """Close every connection, whatever its state."""
        for stream in self._backend.opened:
            await stream.aclose()


class _Backend(httpcore2.AsyncNetworkBackend):
    def __init__(self) -> None:
        self._inner = httpcore2.AnyIOBackend()
        self.opened: list[httpcore2.AsyncNetworkStream] = []

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - a parameter of the base class
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        stream = await self._inner.connect_tcp(host, port, timeout, local_address, socket_options)
        self.opened.append(stream)
        return stream
