"""Ports of the embedded servers: free ones at the first start, the same at every later start of a home."""

from __future__ import annotations

import json
import random
import socket
from collections.abc import Collection

from schemas.errors import Stop
from stack.home import Home
from stack.options import StackOptions

NAMES = ("kafka_port", "kafka_controller_port", "postgres_port", "schema_registry_port", "api_port")
# Below the kernel's ephemeral range, so that no outgoing connection can occupy a chosen port.
_LOWEST, _HIGHEST = 20_000, 32_000


def is_free(port: int) -> bool:
    """True if a server could listen on this loopback port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def free_port(taken: Collection[int] = ()) -> int:
    """A free loopback port that is not among the taken ones."""
    while True:
        port = random.randint(_LOWEST, _HIGHEST)
        if port not in taken and is_free(port):
            return port


def choose_ports(home: Home, options: StackOptions) -> dict[str, int]:
    """Choose a port for each of :data:`NAMES`: the configured one, the previous one if free, or a free one.

    :raises Stop: a configured port is taken.
    """
    file = home.run / "ports.json"
    try:
        before: dict[str, int] = json.loads(file.read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        before = {}
    chosen: dict[str, int] = {}
    for name in NAMES:
        wanted: int | None = getattr(options, name)
        if wanted is not None:
            if not is_free(wanted):
                raise Stop(
                    f"Port {wanted} (INTERACTIONS_{name.upper()}) is taken by another program. Nothing was"
                    " started. Set another port, or unset it to get a free one."
                )
            chosen[name] = wanted
            continue
        port = before.get(name)
        if port is None or port in chosen.values() or not is_free(port):
            port = free_port(chosen.values())
        chosen[name] = port
    file.write_text(json.dumps(chosen))
    return chosen
