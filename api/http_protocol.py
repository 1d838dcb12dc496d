"""uvicorn's HTTP protocol with a deadline for request headers, which uvicorn itself lacks."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle


def protocol_with_deadline(seconds: float) -> type[HttpToolsProtocol]:
    """The protocol class for ``uvicorn.Config``.

    :param seconds: from the connection, or from the first byte of a further request, to the end of the
        headers. A slower connection is closed: it is half-open, or opened to exhaust the server.
    """

    class Protocol(HttpToolsProtocol):
        _head_deadline: asyncio.TimerHandle | None = None
        _within_head = False

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)  # type: ignore[arg-type]
            self._start_deadline()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            cycle: RequestResponseCycle | None = self.cycle
            serving = cycle is not None and not cycle.response_complete
            # Invariant: a connection is being served, is idle under keep-alive, or has a deadline.
            if not serving and self.timeout_keep_alive_task is None:
                self._start_deadline()

        def on_message_begin(self) -> None:
            self._within_head = True
            super().on_message_begin()

        def on_headers_complete(self) -> None:
            self._within_head = False
            self._clear_deadline()
            super().on_headers_complete()

        def on_response_complete(self) -> None:
            super().on_response_complete()
            if self._within_head and not self.pipeline:
                # The next request has started already, so the connection is not idle.
                self._unset_keepalive_if_required()
                self._start_deadline()

        def connection_lost(self, exc: Exception | None) -> None:
            self._clear_deadline()
            super().connection_lost(exc)

        def _start_deadline(self) -> None:
            if self._head_deadline is None and not self.transport.is_closing():
                self._head_deadline = self.loop.call_later(seconds, self.transport.close)

        def _clear_deadline(self) -> None:
            if self._head_deadline is not None:
                self._head_deadline.cancel()
                self._head_deadline = None

    return Protocol
