"""Testbed for faults: servers behind proxies, supervised roles, a publisher and a progress probe."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import SecretStr

from runtime.settings import Settings
from tests.harness.load import Load
from tests.harness.progress_probe import ProgressProbe
from tests.harness.role_supervisor import RoleSupervisor
from tests.harness.tcp_proxy import TcpProxy


@dataclass
class Testbed:
    """A running pipeline and the handles to break it.

    :param settings: direct addresses of the servers, for publisher, probe and auditor.
    :param proxies: ``postgres``, ``kafka`` and ``registry``: the addresses that the roles use.
    """

    settings: Settings
    session_seconds: float
    supervisor: RoleSupervisor
    load: Load
    probe: ProgressProbe
    proxies: dict[str, TcpProxy]


@contextlib.contextmanager
def start_testbed(
    settings: Settings,
    logs: Path,
    *,
    seed: int,
    pace: float,
    commands: int,
    session_seconds: float,
    appliers: int = 2,
    entities: int = 300,
    relabels: float = 0.01,
    clocks: bool = False,
) -> Iterator[Testbed]:
    """Start proxies, roles, probe and publisher.

    :param clocks: make the roles' wall clocks steppable.
    """
    assert settings.database_url is not None
    database = urlsplit(settings.database_url.get_secret_value())
    registry = urlsplit(str(settings.schema_registry_url))
    broker = urlsplit(f"//{settings.kafka_bootstrap_servers}")
    assert database.port and registry.port and broker.port  # noqa: PT018
    with contextlib.ExitStack() as stack:
        proxies = {
            "postgres": stack.enter_context(TcpProxy(database.port)),
            "kafka": stack.enter_context(TcpProxy(broker.port, kafka=True)),
            "registry": stack.enter_context(TcpProxy(registry.port)),
        }
        through = settings.model_copy(
            update={
                "database_url": SecretStr(
                    database._replace(
                        netloc=database.netloc.replace(f":{database.port}", f":{proxies['postgres'].port}")
                    ).geturl()
                ),
                "kafka_bootstrap_servers": f"127.0.0.1:{proxies['kafka'].port}",
                "schema_registry_url": registry._replace(
                    netloc=f"127.0.0.1:{proxies['registry'].port}"
                ).geturl(),
            }
        )
        roles = {"applier": appliers, "relay": 1, "timers": 1, "watch": 1}
        supervisor = stack.enter_context(RoleSupervisor(through, logs, roles, clocks=clocks))
        probe = stack.enter_context(ProgressProbe(settings))
        load = stack.enter_context(Load(settings, seed, pace, commands, entities, relabels))
        yield Testbed(settings, session_seconds, supervisor, load, probe, proxies)
