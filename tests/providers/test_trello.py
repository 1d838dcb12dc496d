"""Trello conformance, against a strict simulator."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any, Final

import pytest
from pydantic import SecretStr

from connectors.providers.trello import DECLARATION, TrelloSettings
from connectors.sdk.conformance import ProviderConformance, ProviderHarness
from schemas.instants import format_instant
from tests.providers.asgi_thread import Switch, served
from tests.providers.linked import LossyTransport, context
from tests.providers.trello_simulator import KEY, SECRET, TOKEN, TrelloSimulator, trello

CALLBACK: Final = "https://interactions.example/webhooks/integration-1"


class TrelloHarness(ProviderHarness):
    """The provider in front of the simulator; edits by users go through the simulator's board."""

    settings: TrelloSettings

    def __init__(self, simulator: TrelloSimulator, address: str) -> None:
        self.simulator = simulator
        self.transport = LossyTransport()
        self.settings = TrelloSettings(
            board_id=simulator.board.id,
            api_key=SecretStr(KEY),
            token=SecretStr(TOKEN),
            api_secret=SecretStr(SECRET),
            api_url=f"{address}/1",
            token_url=f"{address}/oauth/token",
        )
        self.declaration = DECLARATION
        self.context = context(self.transport, callback_url=CALLBACK)
        self.provider = DECLARATION.make(self.settings, self.context)
        simulator.limits.by_token = simulator.limits.by_key = 100_000

    def object_count(self) -> int:
        return len(self.simulator.board.cards)

    def outage(self) -> AbstractContextManager[None]:
        return self.simulator.outage()

    @contextlib.contextmanager
    def lost_responses(self) -> Iterator[None]:
        self.simulator.unanswered = 1_000
        yield
        self.simulator.unanswered = 0

    @contextlib.contextmanager
    def revoked_credentials(self) -> Iterator[None]:
        self.simulator.revoked = True
        yield
        self.simulator.revoked = False

    @contextlib.contextmanager
    def missing_collection(self) -> Iterator[None]:
        self.simulator.vanished = True
        yield
        self.simulator.vanished = False

    def edit(self, external_id: str, values: Mapping[str, Any]) -> None:
        card = self.simulator.board.card(external_id)
        fields: dict[str, Any] = {}
        if "title" in values:
            fields["name"] = values["title"]
        if "body" in values:
            footer = card["desc"][card["desc"].rindex("---\nref:") :]
            fields["desc"] = f"{values['body']}\n\n{footer}"
        if "scheduled_at" in values:
            fields["due"] = format_instant(values["scheduled_at"])[:23] + "Z"
        if "status" in values:
            fields["dueComplete"] = values["status"] == "done"
            fields["closed"] = values["status"] == "canceled"
        self.simulator.board.update_card(external_id, fields)

    def delete(self, external_id: str) -> None:
        self.simulator.board.delete_card(external_id)

    def create_foreign_objects(self) -> list[str]:
        board = self.simulator.board
        card = board.create_card({"name": "A template", "idList": board.lists[0]["id"]})
        board.update_card(card["id"], {"isTemplate": True})
        return [card["id"]]

    def add_foreign_data(self, external_id: str) -> Callable[[], bool]:
        board = self.simulator.board
        label = board.create_label("", "red")
        board.set_label(external_id, label["id"], on=True)
        board.update_card(external_id, {"idList": board.lists[1]["id"], "start": "2031-01-01T00:00:00.000Z"})
        board.comment(external_id)

        def still_there() -> bool:
            card = board.card(external_id)
            return (
                label["id"] in card["idLabels"]
                and card["idList"] == board.lists[1]["id"]
                and card["start"] is not None
            )

        return still_there

    def webhook_deliveries(self) -> list[tuple[dict[str, str], bytes, str]]:
        signed = [self.simulator.webhooks.signed(CALLBACK, action) for action in self.simulator.board.actions]
        return [(headers, body, CALLBACK) for body, headers in signed]


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[Switch, str]]:
    switch = Switch()
    with served(switch) as address:
        yield switch, address


@pytest.fixture
def harness(server: tuple[Switch, str]) -> Iterator[TrelloHarness]:
    switch, address = server
    with trello(switch) as simulator:
        made = TrelloHarness(simulator, address)
        yield made
        made.context.http.close()


class TestConformance(ProviderConformance):
    """The conformance suite, as for every provider."""
