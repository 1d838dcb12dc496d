"""Changes mirrored to one healthy integration: alone, and next to three hostile ones in the same process."""

from __future__ import annotations

import base64
import contextlib
import os
import time
from collections.abc import Iterator, Mapping
from typing import Final
from unittest import mock

from bench.arithmetic import percentile
from bench.context import Bench
from bench.deployment import fresh_deployment
from bench.gateway_load import free_port
from bench.kafka_clients import publish
from bench.roles import running, wait_until
from bench.samples import Sample
from bench.scenarios.provider import command
from bench.workload import ORGANIZATION, TENANT, entity_ids, mirrored_creates, retitles
from runtime.kafka import make_producer
from runtime.postgres import connect
from runtime.settings import Settings
from schemas.topics import COMMANDS
from tests.harness.hostile_server import Conversation, Script, answering, hostile
from tests.providers.asgi_thread import Switch, served
from tests.providers.trello_simulator import KEY, SECRET, TOKEN, TrelloSimulator, trello

#: Together with the read-back at the next poll, this stays below the board's limit of 10 requests per second.
PER_SECOND: Final = 2.0
CARDS: Final = 20
_TIMEOUT: Final = 120.0
_POLL: Final = 0.002
_SCOPE: Final = ("--tenant", TENANT, "--organization", ORGANIZATION)


def changes_alone(bench: Bench) -> Sample:
    """Seconds from publishing a change until the card of the healthy integration shows it."""
    return _changes(bench, {})


def changes_beside_hostile(bench: Bench) -> Sample:
    """The same next to three providers: one drips bytes, one responds 503, one never responds."""
    busy = b"HTTP/1.1 503 x\r\nRetry-After: 2147483647\r\nContent-Length: 0\r\n\r\n"
    return _changes(bench, {"dripping": _drip, "busy": answering(busy), "silent": Conversation.hold})


def shown_within(intended: Mapping[int, float], seen: Mapping[int, float], cards: int) -> list[float]:
    """Seconds from each change's intended time until its card showed it, or a later change of that card.

    :param intended: intended time of each change by number; change ``n`` belongs to card ``n % cards``.
    :param seen: time at which each number was first seen on its card.
    """
    found = []
    for number, moment in intended.items():
        shown = min(at for other, at in seen.items() if other >= number and (other - number) % cards == 0)
        found.append(shown - moment)
    return found


def _drip(conversation: Conversation) -> None:
    conversation.request()
    conversation.say(b"HTTP/1.1 207 Multi-Status\r\n")
    conversation.drip(b"X-More: 1\r\n", 0.2)


def _changes(bench: Bench, scripts: Mapping[str, Script]) -> Sample:
    key = base64.b64encode(os.urandom(32)).decode()
    secrets = {"BENCH_KEY": KEY, "BENCH_TOKEN": TOKEN, "BENCH_SECRET": SECRET}
    ports = {"INTERACTIONS_CONNECTORS_PORT": str(free_port()), "INTERACTIONS_SECRETS_KEY": f"k1:{key}"}
    switch = Switch()
    with (
        fresh_deployment(bench.servers) as settings,
        served(switch) as address,
        trello(switch) as simulator,
        contextlib.ExitStack() as servers,
        mock.patch.dict(os.environ, {**secrets, **ports}),
        running(settings, ["applier", "relay", "connectors"]),
    ):
        command(settings, "flags", "set", "customers.interactions.external-sync", "on", *_SCOPE)
        _add_healthy(settings, simulator, address)
        publish(settings, mirrored_creates(CARDS, entity_ids(1)[0]))
        wait_until(lambda: len(simulator.board.cards) == CARDS, _TIMEOUT, "every interaction has a card")
        connections = _add_hostile(settings, servers, scripts) if scripts else {}
        began = time.perf_counter()
        seconds = _paced(settings, simulator, bench.sizes.mirrored_changes)
    return {
        "seconds": seconds,
        "p50": percentile(seconds, 0.5),
        "p99": percentile(seconds, 0.99),
        "refused_by_limit": simulator.limits.refusals,
        "hostile_connections": sum(at >= began for moments in connections.values() for at in moments),
    }


def _add_healthy(settings: Settings, simulator: TrelloSimulator, address: str) -> None:
    chosen = ["--set", f"board_id={simulator.board.id}", "--set", f"api_url={address}/1"]
    for name, variable in (("api_key", "KEY"), ("token", "TOKEN"), ("api_secret", "SECRET")):
        chosen += ["--secret", f"{name}=env:BENCH_{variable}"]
    command(settings, "connectors", "add", "trello", *_SCOPE, "--id", "healthy", *chosen)
    command(settings, "connectors", "sync", "healthy")


def _add_hostile(
    settings: Settings, servers: contextlib.ExitStack, scripts: Mapping[str, Script]
) -> dict[str, list[float]]:
    """Add hostile integrations and wait until each is in use; returns the times of their connections."""
    connections: dict[str, list[float]] = {name: [] for name in scripts}

    def noting(name: str) -> Script:
        def script(conversation: Conversation) -> None:
            connections[name].append(time.perf_counter())
            scripts[name](conversation)

        return script

    for name in scripts:
        url = servers.enter_context(hostile(noting(name))).url
        command(settings, "connectors", "add", "caldav", *_SCOPE, "--id", name, "--set", f"url={url}/cal/")
    before = {name: len(moments) for name, moments in connections.items()}
    # Activated by SQL: the usual connection check at the provider would fail.
    with connect(settings, application_name="interactions-bench", autocommit=True) as connection:
        connection.execute("UPDATE integrations SET state = 'active' WHERE provider = 'caldav'")
    wait_until(
        lambda: all(len(moments) > before[name] for name, moments in connections.items()),
        _TIMEOUT,
        "every hostile provider has had a request",
    )
    return connections


def _paced(settings: Settings, simulator: TrelloSimulator, count: int) -> list[float]:
    messages = retitles(count, CARDS, entity_ids(1)[0])
    producer = make_producer(settings)
    topic = settings.topic(COMMANDS)
    began = time.perf_counter() + 0.1
    intended = {number: began + number / PER_SECOND for number in range(count)}
    seen: dict[int, float] = {}
    sent = 0
    latest = set(range(max(0, count - CARDS), count))
    while not latest <= seen.keys():
        now = time.perf_counter()
        if now > began + count / PER_SECOND + _TIMEOUT:
            raise TimeoutError(f"only {len(seen)} of {count} changes were seen at the healthy provider")
        while sent < count and intended[sent] <= now:
            producer.produce(topic, key=messages[sent].key, value=messages[sent].value)
            sent += 1
        producer.poll(0)
        for number in _titles(simulator):
            seen.setdefault(number, now)
        time.sleep(_POLL)
    producer.flush(10)
    return shown_within(intended, seen, CARDS)


def _titles(simulator: TrelloSimulator) -> Iterator[int]:
    """Numbers of the changes that the cards show at present."""
    with simulator.board.lock:
        names = [card["name"] for card in simulator.board.cards.values()]
    for name in names:
        prefix, _, number = name.partition(" ")
        if prefix == "Change":
            yield int(number)
