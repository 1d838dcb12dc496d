"""Bounds of one exchange with a remote server: one deadline from connect to the last byte, and a size.

An HTTP client's timeouts are per socket operation, so a server that sends one byte every few seconds is
never late for any of them. Here every operation gets what is left of the whole exchange.
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
from runtime.bounded_call import Hung

#: Seconds that one exchange may take, unless configured otherwise.
REQUEST_SECONDS: Final = 30.0
#: Most bytes of an answer's body, as sent and as unpacked.
MAX_BODY_BYTES: Final = 16 * 1024 * 1024
#: Extension of a response that has been unpacked: its Content-Encoding as sent.
SENT_ENCODING: Final = "interactions_content_encoding"
_CONNECT_SECONDS: Final = 5.0
#: Most addresses of a name that are tried one after the other.
_MOST_ADDRESSES: Final = 4


class DeadlineExceeded(httpx2.TimeoutException):
    """The exchange, or the turn that it belongs to, has used up its time."""


class ResponseTooLarge(httpx2.TransportError):
    """The body is larger than any answer may be."""


class Deadline:
    """Ends of the current exchange and of the current turn, one of each per thread.

    :param seconds: for one exchange.
    :param clock: seconds, monotonic.
    """

    def __init__(self, seconds: float = REQUEST_SECONDS, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds = seconds
        self._clock = clock
        self._local = threading.local()

    @contextlib.contextmanager
    def turn(self, seconds: float) -> Iterator[None]:
        """Bound all exchanges of a block together."""
        self._local.turn = self._clock() + seconds
        try:
            yield
        finally:
            self._local.turn = None

    def begin(self) -> float:
        """Begin an exchange in this thread; the moment at which it must be over."""
        turn = getattr(self._local, "turn", None)
        end = self._clock() + self.seconds
        return self.resume(end if turn is None else min(end, turn))

    def resume(self, end: float) -> float:
        """Go on with an exchange that ends at this moment."""
        self._local.end = end
        return end

    def left(self, at_most: float | None = None) -> float:
        """Seconds that the next operation may take.

        :raises DeadlineExceeded: none are left.
        """
        end = getattr(self._local, "end", None)
        if end is None:
            return self.seconds if at_most is None else at_most
        left = float(end - self._clock())
        if left <= 0:
            raise DeadlineExceeded(f"did not finish its answer within {self.seconds:g} s")
        return left if at_most is None else min(left, at_most)


class BoundedTransport(httpx2.HTTPTransport):
    """HTTP over the network, bounded by a deadline and by the size of the answer's body."""

    def __init__(self, deadline: Deadline) -> None:
        trusted = httpx2.create_ssl_context(trust_env=False)
        super().__init__(verify=trusted)
        # httpx has no parameter for the backend; the pool is the one that it makes otherwise.
        self._pool = httpcore2.ConnectionPool(
            ssl_context=trusted,
            max_connections=100,
            max_keepalive_connections=20,
            keepalive_expiry=5.0,
            network_backend=_Backend(deadline),
        )


class _Backend(httpcore2.NetworkBackend):
    """Connections whose every operation ends by the deadline."""

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
        failure: Exception = httpcore2.ConnectError("the name has no address")
        for address in self._addresses(host, port)[:_MOST_ADDRESSES]:
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
        except Hung as error:
            raise httpcore2.ConnectTimeout("the name was not resolved in time") from error
        except OSError as error:
            raise httpcore2.ConnectError(str(error)) from error


class _Stream(httpcore2.NetworkStream):
    def __init__(self, inner: httpcore2.NetworkStream, deadline: Deadline) -> None:
        self._inner = inner
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, self._deadline.left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        # The inner stream's write gives the whole timeout to each of its sends, however little one takes.
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
    """The same answer with its body unpacked and bounded, read by its caller or not at all.

    :param end: when the exchange must be over.
    """
    headers = [
        (name, value)
        for name, value in answer.headers.raw
        if name.lower() not in {b"content-encoding", b"content-length"}
    ]
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
        # Hazard: a second coding would be unpacked without bound before the first byte can be counted.
        if "," in answer.headers.get("content-encoding", ""):
            raise httpx2.DecodingError("more than one Content-Encoding")
        for part in answer.iter_bytes():
            size += len(part)
            if max(size, answer.num_bytes_downloaded) > MAX_BODY_BYTES:
                raise ResponseTooLarge(f"answered with more than {MAX_BODY_BYTES // 2**20} MiB")
            yield part
            self._deadline.resume(self._end)
            self._deadline.left()

    def close(self) -> None:
        self._answer.close()
