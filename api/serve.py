"""Run the gateway until SIGTERM or SIGINT."""

from __future__ import annotations

import contextlib
import signal
import socket
from collections.abc import Callable, Iterator

import structlog
import uvicorn
from fastapi import FastAPI

from api.http_protocol import protocol_with_deadline
from runtime.gateway_settings import GatewaySettings, read_gateway_settings
from runtime.logs import configure_logging
from runtime.readiness import announce_ready
from runtime.settings import KEEP_ALIVE_SECONDS, Settings
from runtime.supervised_thread import thread_failure
from schemas.errors import Stop

_log = structlog.get_logger("gateway")
#: Grace period for open requests after a stop signal. Streams end at once.
_GRACE_SECONDS = 10


class _Server(uvicorn.Server):
    """Announces readiness to the supervisor and the log; shuts down cleanly."""

    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self._app = app

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            announce_ready(f"http://{self.config.host}:{self.config.port}")
            _log.info("gateway.serving", host=self.config.host, port=self.config.port)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # Hazard: event streams never end by themselves, and the shutdown below waits for open requests.
        self._app.state.services.broadcaster.close()
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop the server on SIGTERM and SIGINT with exit status 0."""
        handled = (signal.SIGTERM, signal.SIGINT)
        before = {number: signal.signal(number, self.handle_exit) for number in handled}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def run_gateway(settings: Settings, make_app: Callable[[Settings, GatewaySettings], FastAPI]) -> None:
    """Run one gateway process.

    :param make_app: creates the application.
    :raises Stop: a setting is invalid, the port is in use, or a thread failed.
    """
    configure_logging(settings)
    gateway = read_gateway_settings()
    with _listen(gateway) as listening:
        # The default audience of the assistant's tools contains the port, which the system may have chosen.
        app = make_app(settings, gateway.model_copy(update={"port": listening.getsockname()[1]}))
        config = uvicorn.Config(
            app,
            http=protocol_with_deadline(gateway.header_timeout_seconds),
            host=gateway.host,
            port=listening.getsockname()[1],
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=True,
            proxy_headers=False,
            lifespan="on",
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=_GRACE_SECONDS,
        )
        server = _Server(config, app)
        server.run(sockets=[listening])
    if (failure := thread_failure()) is not None:
        raise Stop(f"A thread of the gateway failed: {failure}") from failure
    if not server.started:
        raise Stop("The gateway did not start; see the log above.")


def _listen(gateway: GatewaySettings) -> socket.socket:
    listening = socket.socket(socket.AF_INET6 if ":" in gateway.host else socket.AF_INET)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((gateway.host, gateway.port))
    except OSError as error:
        listening.close()
        raise Stop(
            f"The gateway cannot listen on {gateway.host}:{gateway.port} ({error.strerror}); "
            "set INTERACTIONS_API_PORT to another port."
        ) from None
    listening.listen(2048)
    return listening
