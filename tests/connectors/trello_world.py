"""Whole pipeline with the connectors, connected to the Trello simulator."""

from __future__ import annotations

import base64
import contextlib
import os
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import orjson
from typer.testing import CliRunner

from cli.main import make_app
from runtime.postgres import connect
from runtime.settings import Settings
from tests.harness.roles import Role, environment, running, wait_until
from tests.harness.wire import ORGANIZATION, TENANT, event, new_id, outcomes
from tests.providers.asgi_thread import Switch, served
from tests.providers.trello_simulator import KEY, SECRET, TOKEN, TrelloSimulator, trello


@dataclass
class TrelloWorld:
    """One tenant, one customer, one board."""

    settings: Settings
    simulator: TrelloSimulator
    environment: dict[str, str]
    integration: str = "board-1"
    customer: str = field(default_factory=new_id)
    logs: list[str] = field(default_factory=list)
    role: Role | None = None

    def send(self, kind: str, data: dict[str, Any]) -> dict[str, Any]:
        """Publish a person's command; return its result."""
        return outcomes(self.settings, [event(kind, self.customer, data)])[0]

    def send_all(self, commands: Sequence[tuple[str, dict[str, Any]]]) -> None:
        """Publish a person's commands and check that each is applied."""
        results = outcomes(self.settings, [event(kind, self.customer, data) for kind, data in commands])
        refused = [result for result in results if result["outcome"] != "applied"]
        assert not refused, refused[:3]

    def plan_call(self, **data: Any) -> str:
        identity = new_id()
        result = self.send("interaction.create", {"id": identity, "interactionType": "call", **data})
        assert result["outcome"] == "applied", result
        return identity

    def mirrored_call(self, title: str) -> str:
        """Plan a call; wait until it has its card and the ledger is idle."""
        identity = self.plan_call(title=title)
        self.wait_card(identity)
        self.at_rest()
        return identity

    def cards(self) -> list[dict[str, Any]]:
        return list(self.simulator.board.cards.values())

    def card_writes(self) -> list[tuple[str, str]]:
        """Method and path of every request that created or changed a card."""
        requests = self.simulator.requests
        return [
            (method, path) for method, path in requests if method != "GET" and path.startswith("/1/cards")
        ]

    def card_of(self, identity: str) -> dict[str, Any] | None:
        found = [card for card in self.cards() if identity in card["desc"]]
        assert len(found) <= 1, f"{len(found)} cards for one interaction"
        return found[0] if found else None

    def wait_card(self, identity: str, seconds: float = 60, **wanted: Any) -> dict[str, Any]:
        """Wait for the card of an interaction with these fields."""

        def there() -> bool:
            card = self.card_of(identity)
            return card is not None and all(card[name] == value for name, value in wanted.items())

        wait_until(there, seconds, lambda: f"{wanted} in {self.card_of(identity)}; {self.state(identity)}")
        card = self.card_of(identity)
        assert card is not None
        return card

    def row(self, identity: str) -> tuple[Any, ...] | None:
        return self.one("SELECT title, status, version FROM customer_interactions WHERE id = %s", identity)

    def state(self, identity: str) -> str:
        """Sync state of an interaction, for failure messages."""
        ledger = self.one("SELECT row::text FROM sync_ledger row WHERE interaction_id = %s", identity)
        return f"ledger {ledger}, integration {self.one('SELECT state, state_reason FROM integrations')}"

    def one(self, statement: str, *parameters: Any) -> tuple[Any, ...] | None:
        with connect(self.settings, application_name="tests", autocommit=True) as connection:
            found: tuple[Any, ...] | None = connection.execute(statement, parameters).fetchone()
            return found

    def wait_row(self, identity: str, seconds: float = 60, **wanted: Any) -> None:
        """Wait for the interaction with this title or status."""

        def there() -> bool:
            row = self.row(identity)
            found = dict(zip(("title", "status"), row[:2], strict=True)) if row else {}
            return row is not None and all(found[name] == value for name, value in wanted.items())

        wait_until(there, seconds, lambda: f"{wanted} in {self.row(identity)}")

    def at_rest(self, seconds: float = 120) -> None:
        """Wait until the ledger is idle."""
        statement = "SELECT count(*) FROM sync_ledger WHERE next_attempt_at IS NOT NULL"
        wait_until(lambda: (self.one(statement) or (1,))[0] == 0, seconds, lambda: "an empty ledger")

    def cli(self, *arguments: str) -> Any:
        """Run ``interactions connectors`` with ``--json``; return the decoded output."""
        with mock.patch.dict(os.environ, self.environment):
            result = CliRunner().invoke(make_app(), ["connectors", *arguments, "--json"])
        assert result.exit_code in (0, 1), (result.output, result.exception)
        return [orjson.loads(line) for line in result.stdout.splitlines()]

    def run(self, *arguments: str, fails: bool = False) -> str:
        """Run ``interactions connectors``; return its output, or the error if it fails."""
        with mock.patch.dict(os.environ, self.environment):
            result = CliRunner().invoke(make_app(), ["connectors", *arguments])
        assert (result.exit_code != 0) == fails, (result.output, result.exception)
        return f"{result.output} {result.exception or ''}"

    @contextlib.contextmanager
    def connectors(self, **extra: str) -> Iterator[Role]:
        """Run the connectors role inside a block."""
        own = {
            name: value for name, value in self.environment.items() if name not in environment(self.settings)
        }
        with running(self.settings, "connectors", **own, **extra) as role:
            try:
                if "INTERACTIONS_CRASH_POINT" not in extra:
                    role.wait_for_log("connectors.ready")
                self.role = role
                yield role
            finally:
                self.role = None
                self.logs.append(role.log)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextlib.contextmanager
def trello_world(settings: Settings, folder: Path) -> Iterator[TrelloWorld]:
    """Build everything except the connectors role; the integration is added but not started."""
    port = free_port()
    switch = Switch()
    with served(switch) as address, trello(switch) as simulator:
        simulator.limits.by_token = simulator.limits.by_key = 100_000
        variables = {
            **{
                name: value
                for name, value in environment(settings).items()
                if name.startswith("INTERACTIONS_")
            },
            "INTERACTIONS_SECRETS_KEY": "k1:" + base64.b64encode(os.urandom(32)).decode(),
            "INTERACTIONS_CONNECTORS_PORT": str(port),
            "INTERACTIONS_CONNECTORS_PUBLIC_URL": f"http://127.0.0.1:{port}",
            "INTERACTIONS_CONNECTORS_LEASE_SECONDS": "2",
            "INTERACTIONS_CONNECTORS_POLL_SCALE": "0.01",
        }
        world = TrelloWorld(settings, simulator, variables)
        upsert = {"id": world.customer, "kind": "person", "displayName": "Ada"}
        assert world.send("entity.upsert", upsert)["outcome"] == "applied"
        switched = event(
            "feature_flag.set", TENANT, {"flag": "customers.interactions.external-sync", "enabled": True}
        )
        assert outcomes(settings, [switched])[0]["outcome"] == "applied"
        secrets = {"api_key": KEY, "token": TOKEN, "api_secret": SECRET}
        options = []
        for name, secret in secrets.items():
            (folder / name).write_text(secret)
            options += ["--secret", f"{name}=@{folder / name}"]
        scope = ["--tenant", TENANT, "--organization", ORGANIZATION, "--id", world.integration]
        chosen = ["--set", f"board_id={simulator.board.id}", "--set", f"api_url={address}/1"]
        imports = ["--policy", "create_if_unmapped=true", "--policy", f"entity_id={world.customer}"]
        world.cli("add", "trello", *scope, *chosen, *imports, *options)
        yield world
