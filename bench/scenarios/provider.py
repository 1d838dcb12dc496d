"""Writes while everything is mirrored: to a CalDAV server that responds, and to the same server hung."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from unittest import mock

import httpx2

from bench.context import Bench
from bench.deployment import fresh_deployment
from bench.gateway_load import authorization, free_port, gateway
from bench.peers.process import Peer, peer
from bench.roles import environment
from bench.samples import Sample
from bench.scenarios.gateway import posts
from bench.workload import ORGANIZATION, TENANT
from runtime.postgres import Connection, connect
from runtime.settings import Settings

_INTEGRATION: Final = "mirror"
#: The server accepts any credentials.
_USER: Final = "bench"
_PASSWORD: Final = "any"
_CALENDAR: Final = (
    '<mkcalendar xmlns="urn:ietf:params:xml:ns:caldav" xmlns:D="DAV:"><D:set><D:prop>'
    "<D:displayname>To do</D:displayname><supported-calendar-component-set>"
    '<comp name="VTODO"/></supported-calendar-component-set></D:prop></D:set></mkcalendar>'
)


def writes_provider_up(bench: Bench) -> Sample:
    """Latency of confirmed POSTs while each is mirrored."""
    return _writes(bench, hung=False)


def writes_provider_down(bench: Bench) -> Sample:
    """The same while the provider accepts connections and never responds, which is worse than refusing."""
    return _writes(bench, hung=True)


def _writes(bench: Bench, *, hung: bool) -> Sample:
    with (
        fresh_deployment(bench.servers) as settings,
        _calendar_server() as (server, url),
        mock.patch.dict(
            os.environ,
            INTERACTIONS_SECRETS_KEY="k1:" + base64.b64encode(os.urandom(32)).decode(),
            INTERACTIONS_CONNECTORS_PORT=str(free_port()),
            BENCH_PASSWORD=_PASSWORD,
        ),
        gateway(settings, ["applier", "relay", "connectors"]) as (address, _),
        connect(settings, application_name="interactions-bench", autocommit=True) as connection,
    ):
        scope = ["--tenant", TENANT, "--organization", ORGANIZATION]
        command(settings, "flags", "set", "customers.interactions.external-sync", "on", *scope)
        chosen = ["--id", _INTEGRATION, "--set", f"url={url}", "--set", f"username={_USER}"]
        secret = ["--secret", "password=env:BENCH_PASSWORD"]
        command(settings, "connectors", "add", "caldav", *scope, *chosen, *secret)
        command(settings, "connectors", "sync", _INTEGRATION)
        headers = {"Authorization": authorization()}
        # Mirror some before the clock starts, to be sure that the mirror works.
        asyncio.run(posts(bench, address, headers, seconds=1.0))
        _wait_mirrored(connection, server)
        if hung:
            server.freeze()
        found = asyncio.run(posts(bench, address, headers))
        mapped = _count(connection, "sync_external_id_mappings")
        waiting = _count(connection, "sync_ledger", "WHERE next_attempt_at IS NOT NULL")
    return {**found, "mirrored": mapped, "waiting": waiting}


@contextlib.contextmanager
def _calendar_server() -> Iterator[tuple[Peer, str]]:
    """Run Radicale with an empty calendar and no authentication; yields its process and URL."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="interactions-bench-") as folder:
        config = Path(folder) / "config"
        config.write_text(
            f"[server]\nhosts = 127.0.0.1:{port}\n[auth]\ntype = none\n"
            f"[storage]\nfilesystem_folder = {folder}/collections\n[logging]\nlevel = warning\n"
        )
        arguments = [sys.executable, "-m", "radicale", "--config", str(config)]
        with peer(arguments, os.environ) as server:
            server.wait_until(lambda: _listens(port), "the calendar server is listening")
            url = f"http://127.0.0.1:{port}/{_USER}/todo/"
            made = httpx2.request("MKCALENDAR", url, content=_CALENDAR, auth=(_USER, _PASSWORD))
            made.raise_for_status()
            yield server, url


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def command(settings: Settings, *arguments: str) -> None:
    """Run a CLI command.

    :raises RuntimeError: it failed; the message ends with its stderr.
    """
    done = subprocess.run(
        [sys.executable, "-m", "cli.main", *arguments],
        env=environment(settings),
        capture_output=True,
        check=False,
        text=True,
    )
    if done.returncode != 0:
        raise RuntimeError(f"interactions {' '.join(arguments[:2])} failed: {done.stderr[-500:]}")


def _wait_mirrored(connection: Connection, server: Peer) -> None:
    def rest() -> bool:
        waiting = _count(connection, "sync_ledger", "WHERE next_attempt_at IS NOT NULL")
        return waiting == 0 and _count(connection, "sync_external_id_mappings") > 0

    server.wait_until(rest, "the warm-up is mirrored")


def _count(connection: Connection, table: str, where: str = "") -> int:
    found = connection.execute(f"SELECT count(*) FROM {table} {where}".encode()).fetchone()
    return int(found[0]) if found else 0
