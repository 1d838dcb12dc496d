"""HTTP transport with one deadline per request, from connect to the last byte, and a maximum body size.

An HTTP client's timeouts apply per socket operation, so a server that sends one byte every few seconds never
trips them. Here every operation gets what is left of the whole request's time.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import httpcore2
import httpx2

from connectors.sdk.addresses import resolve
from runtime.bounded_call import CallTimeout

#: Default deadline of one request, in seconds.
REQUEST_SECONDS: Final = 30.0
#: Maximum size of a response body in bytes, both compressed and decompressed.
MAX_BODY_BYTES: Final = 16 * 1024 * 1024
#: Response extension with the Content-Encoding of a response that has been decompressed.
SENT_ENCODING: Final = "interactions_content_encoding"
_CONNECT_SECONDS: Final = 5.0
_LEFT_OUT: Final = frozenset({b"content-encoding", b"content-length", b"set-cookie"})
#: Maximum number of addresses to try per host name.
MAX_ADDRESSES: Final = 4


class DeadlineExceeded(httpx2.TimeoutException):
    """The request, or the block of requests it belongs to, has exceeded its deadline."""


class ResponseTooLarge(httpx2.TransportError):
    """The response body exceeds ``MAX_BODY_BYTES``."""


class Deadline:
    """Deadlines of the current request and the current block of requests, per thread.

    :param seconds: for one request.
    :param clock: monotonic, in seconds.
    """

    def __init__(self, seconds: float = REQUEST_SECONDS, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds = seconds
        self._clock = clock
        self._local = threading.local()

    @contextlib.contextmanager
    def turn(self, seconds: float) -> Iterator[None]:
        """Bound all requests of a block together."""
        self._local.turn = self._clock() + seconds
        try:
            yield
        finally:
            self._local.turn = None

    def begin(self) -> float:
        """Start a request in this thread; its deadline."""
        turn = getattr(self._local, "turn", None)
        end = self._clock() + self.seconds
        return self.resume(end if turn is None else min(end, turn))

    def resume(self, end: float) -> float:
        """Continue a request with this deadline."""
        self._local.end = end
        return end

    def left(self, at_most: float | None = None) -> float:
        """Seconds left for the next operation.

        :raises DeadlineExceeded: no time is left.
        """
        end = getattr(self._local, "end", None)
        if end is None:
            return self.seconds if at_most is None else at_most
        left = float(end - self._clock())
        if left <= 0:
            raise DeadlineExceeded(f"did not complete its response within {self.seconds:g} s")
        return left if at_most is None else min(left, at_most)


class BoundedTransport(httpx2.HTTPTransport):
    """HTTP transport bounded by a deadline and a maximum body size."""

    def __init__(self, deadline: Deadline) -> None:
        trusted = httpx2.create_ssl_context(trust_env=False)
        super().__init__(verify=trusted)
        # httpx has no parameter for the network backend, so replace its pool by an equal one.
        self._pool = httpcore2.ConnectionPool(
            ssl_context=trusted,
            max_connections=100,
            max_keepalive_connections=20,
            keepalive_expiry=5.0,
            network_backend=_Backend(deadline),
        )


class _Backend(httpcore2.NetworkBackend):
    """Network backend whose operations all end by the deadline."""

    def __init__(self, deadline: Deadline) -> None:
        self._deadline = deadline
        self._inner = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        failure: Exception = httpcore2.ConnectError("the host name has no address")
        for address in self._addresses(host, port)[:MAX_ADDRESSES]:
            seconds = self._deadline.left(timeout or _CONNECT_SECONDS)
            try:
                stream = self._inner.connect_tcp(address, port, seconds, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
            else:
                return _Stream(stream, self._deadline)
        raise failure

    def _addresses(self, host: str, port: int) -> list[str]:
        try:
            return resolve(host, port, self._deadline.left(_CONNECT_SECONDS))
        except CallTimeout as error:
            raise httpcore2.ConnectTimeout("the host name was not resolved in time") from error
        except OSError as error:
            raise httpcore2.ConnectError(str(error)) from error


class _Stream(httpcore2.NetworkStream):
    def __init__(self, inner: httpcore2.NetworkStream, deadline: Deadline) -> None:
        self._inner = inner
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, self._deadline.left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        # Hazard: the inner stream's write grants the whole timeout to each send, however little it transfers.
        connection: socket.socket = self._inner.get_extra_info("socket")
        view = memoryview(buffer)
        try:
            while view:
                connection.settimeout(self._deadline.left(timeout))
                view = view[connection.send(view) :]
        except TimeoutError as error:
            raise httpcore2.WriteTimeout(str(error)) from error
        except OSError as error:
            raise httpcore2.WriteError(str(error)) from error

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        stream = self._inner.start_tls(ssl_context, server_hostname, self._deadline.left(timeout))
        return _Stream(stream, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


def bounded_response(answer: httpx2.Response, deadline: Deadline, end: float) -> httpx2.Response:
    """Wrap a response so that its body is decompressed, bounded, and read only by the caller.

    :param end: deadline of the request.
    """
    # Hazard: httpx sends cookies back, without bound. A server that sets a new one each time would get
    # longer and longer requests, until it refuses them all.
    headers = [(name, value) for name, value in answer.headers.raw if name.lower() not in _LEFT_OUT]
    coding = answer.headers.get("content-encoding", "")
    return httpx2.Response(
        answer.status_code,
        headers=headers,
        stream=_Body(answer, deadline, end),
        extensions={**answer.extensions, SENT_ENCODING: coding},
    )


class _Body(httpx2.SyncByteStream):
    def __init__(self, answer: httpx2.Response, deadline: Deadline, end: float) -> None:
        self._answer = answer
        self._deadline = deadline
        self._end = end

    def __iter__(self) -> Iterator[bytes]:
        answer, size = self._answer, 0
        # Hazard: a second coding would be decompressed without bound before a byte can be counted.
        if "," in answer.headers.get("content-encoding", ""):
            raise httpx2.DecodingError("more than one Content-Encoding")
        for part in answer.iter_bytes():
            size += len(part)
            if max(size, answer.num_bytes_downloaded) > MAX_BODY_BYTES:
                raise ResponseTooLarge(f"sent a response of more than {MAX_BODY_BYTES // 2**20} MiB")
            yield part
            self._deadline.resume(self._end)
            self._deadline.left()

    def close(self) -> None:
        self._answer.close()
