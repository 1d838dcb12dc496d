"""HTTP server for the probes and metrics of a role: ``/healthz``, ``/readyz`` and ``/metrics``."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from runtime.health import Health
from runtime.settings import Settings
from schemas.errors import Stop

_IDLE_SECONDS: Final = 10
_LOOK_SECONDS: Final = 0.5
_JSON: Final = "application/json"
Answer = tuple[int, str, bytes]


class HealthServer:
    """Server that listens from its creation and answers while :meth:`serve` runs.

    :param alive: returns why the process is not alive, or ``None`` when it is.
    :param stop: ends :meth:`serve`.
    :raises Stop: the address is in use.
    """

    def __init__(
        self,
        settings: Settings,
        role: str,
        health: Health,
        alive: Callable[[], str | None],
        stop: threading.Event,
    ) -> None:
        self._stop = stop
        self._role = role
        self._health = health
        self._alive = alive
        host, port = settings.health_host, settings.health_port
        try:
            self._server = ThreadingHTTPServer((host, port), _handler(self._answer))
        except OSError as error:
            raise Stop(
                f"Cannot listen on the health address {host}:{port} ({error.strerror}). Set"
                " INTERACTIONS_HEALTH_PORT to another port, or to 0 for any free port."
            ) from None
        self._server.timeout = _LOOK_SECONDS
        self._metrics = _StallMetrics(role, health)

    @property
    def url(self) -> str:
        """Base URL."""
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}"

    def serve(self) -> None:
        """Serve requests until ``stop`` is set."""
        REGISTRY.register(self._metrics)
        try:
            with self._server:
                while not self._stop.is_set():
                    self._server.handle_request()
        finally:
            REGISTRY.unregister(self._metrics)

    def _answer(self, path: str) -> Answer:
        if path == "/healthz":
            reason = self._alive()
            return _json({"status": "ok"} if reason is None else {"status": "failed", "reasons": [reason]})
        if path == "/readyz":
            reasons = self._health.reasons()
            found = [asdict(stall) for stall in self._health.stalls()]
            status = "not ready" if reasons else "ready"
            return _json({"status": status, "role": self._role, "reasons": reasons, "stalls": found})
        if path == "/metrics":
            return 200, CONTENT_TYPE_LATEST, generate_latest(REGISTRY)
        return 404, _JSON, b'{"status": "not found"}'


def _json(body: dict[str, Any]) -> Answer:
    return 200 if body["status"] in {"ok", "ready"} else 503, _JSON, json.dumps(body).encode()


class _StallMetrics(Collector):
    """Collector of a role's stalls as gauges, built on each scrape."""

    def __init__(self, role: str, health: Health) -> None:
        self._role = role
        self._health = health

    def collect(self) -> Iterator[GaugeMetricFamily]:
        ready = GaugeMetricFamily("interactions_ready", "1 when the role is ready", labels=["role"])
        ready.add_metric([self._role], 0 if self._health.reasons() else 1)
        yield ready
        stalled = GaugeMetricFamily(
            "interactions_stall_seconds",
            "Time for which work has waited without progress",
            labels=["stage", "place"],
        )
        for stall in self._health.stalls():
            stalled.add_metric([stall.stage, stall.place], stall.seconds)
        yield stalled


def _handler(answer: Callable[[str], Answer]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = _IDLE_SECONDS

        def do_GET(self) -> None:
            status, kind, body = answer(self.path.partition("?")[0])
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_HEAD = do_GET  # noqa: N815 - the library's name

        def log_message(self, *_: object) -> None:
            """Do not log requests: probes arrive every few seconds."""

    return Handler
