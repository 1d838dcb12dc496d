"""Everything a fault can reach: servers, proxies before them, roles, a publisher and a clock of progress."""

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
from tests.harness.role_supervisor import Crew
from tests.harness.tcp_proxy import TcpProxy


@dataclass
class Scene:
    """One world with its crew at work.

    :param settings: the servers as they are, past the proxies: for publisher, probe and auditor.
    :param proxies: ``postgres``, ``kafka`` and ``registry``: what the roles talk to.
    """

    settings: Settings
    session_seconds: float
    crew: Crew
    load: Load
    probe: ProgressProbe
    proxies: dict[str, TcpProxy]


@contextlib.contextmanager
def set_scene(
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
) -> Iterator[Scene]:
    """Start proxies, roles, probe and publisher on a world of its own.

    :param clocks: the roles' wall clocks can be stepped.
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
        roles = {"applier": appliers, "relay": 1, "timers": 1}
        crew = stack.enter_context(Crew(through, logs, roles, clocks=clocks))
        probe = stack.enter_context(ProgressProbe(settings))
        load = stack.enter_context(Load(settings, seed, pace, commands, entities, relabels))
        yield Scene(settings, session_seconds, crew, load, probe, proxies)
