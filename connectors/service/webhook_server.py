"""HTTP server for webhooks and health checks, in a thread beside the role's event loop."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from typing import Any

import structlog
import uvicorn

from runtime.settings import KEEP_ALIVE_SECONDS
from schemas.errors import Stop

_log = structlog.get_logger("connectors")


class WebhookServer:
    """Serve an ASGI application until :meth:`stop` is called.

    :ivar port: the bound port; it replaces port 0 once the server listens.
    """

    def __init__(self, app: Any, host: str, port: int) -> None:
        self._host = host
        self.port = port
        self._server = _ThreadServer(
            uvicorn.Config(
                app,
                host=host,
                port=port,
                log_config=None,
                access_log=False,
                server_header=False,
                lifespan="off",
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=10,
            )
        )

    @property
    def started(self) -> bool:
        """True once requests are accepted."""
        return bool(self._server.started)

    @property
    def url(self) -> str:
        """URL for clients on this machine."""
        return f"http://{'127.0.0.1' if self._host in ('', '0.0.0.0') else self._host}:{self.port}"  # noqa: S104

    def run(self) -> None:
        """Bind and serve; returns after :meth:`stop`.

        :raises Stop: the address cannot be bound.
        """
        with self._listen() as listening:
            self.port = int(listening.getsockname()[1])
            _log.info("connectors.webhooks_at", port=self.port)
            self._server.run(sockets=[listening])

    def stop(self) -> None:
        """Stop accepting requests and finish those in progress."""
        self._server.should_exit = True

    def _listen(self) -> socket.socket:
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((self._host, self.port))
        except OSError as error:
            listening.close()
            raise Stop(
                f"the webhook server cannot listen on {self._host}:{self.port}: {error.strerror}. Set"
                " INTERACTIONS_CONNECTORS_PORT to a free port"
            ) from error
        return listening


class _ThreadServer(uvicorn.Server):
    """Server that leaves signal handling to the worker process."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
