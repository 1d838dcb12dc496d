"""Conformance of the example provider of docs/writing-a-connector.md."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import SecretStr

from connectors.sdk.conformance import ProviderConformance, ProviderHarness
from examples.connector.shelf import DECLARATION, ShelfSettings, to_moment
from examples.connector.shelf_server import TOKEN, Shelf
from tests.providers.linked import LossyTransport, context


class ShelfHarness(ProviderHarness):
    """The provider in front of a running shelf; other clients write to the shelf directly."""

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf
        url = f"http://127.0.0.1:{shelf.server_address[1]}"
        self.settings = ShelfSettings(url=url, token=SecretStr(TOKEN))
        self.declaration = DECLARATION
        self.transport = LossyTransport()
        self.context = context(self.transport)
        self.provider = DECLARATION.make(self.settings, self.context)

    def object_count(self) -> int:
        return len(self.shelf.notes)

    def outage(self) -> AbstractContextManager[None]:
        return self.transport.outage()

    def lost_responses(self) -> AbstractContextManager[None]:
        return self.transport.unanswered()

    @contextlib.contextmanager
    def revoked_credentials(self) -> Iterator[None]:
        self.shelf.token = "another token"
        yield
        self.shelf.token = TOKEN

    def edit(self, external_id: str, values: Mapping[str, Any]) -> None:
        states = {"planned": "open", "done": "done", "canceled": "dropped"}
        for name, value in values.items():
            if name == "title":
                self.shelf.put(external_id, {"text": value})
            elif name == "status":
                self.shelf.put(external_id, {"state": states[value]})
            else:
                self.shelf.put(external_id, {"day": value.date().isoformat()})

    def delete(self, external_id: str) -> None:
        self.shelf.remove(external_id)

    def add_foreign_data(self, external_id: str) -> Callable[[], bool]:
        self.shelf.put(external_id, {"color": "green"})
        return lambda: self.shelf.notes[external_id].get("color") == "green"


@pytest.fixture
def harness() -> Iterator[ShelfHarness]:
    with Shelf() as shelf:
        thread = threading.Thread(target=shelf.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        made = ShelfHarness(shelf)
        yield made
        made.context.http.close()
        shelf.shutdown()
        thread.join(20)


class TestConformance(ProviderConformance):
    """The conformance suite, as for every provider."""


def test_another_day_keeps_the_time_of_day() -> None:
    planned = datetime(2031, 3, 5, 14, 30, tzinfo=UTC)
    assert to_moment(planned, datetime(2031, 3, 9, tzinfo=UTC)) == datetime(2031, 3, 9, 14, 30, tzinfo=UTC)
    assert to_moment(None, datetime(2031, 3, 9, tzinfo=UTC)) == datetime(2031, 3, 9, 9, tzinfo=UTC)
    assert to_moment(planned, None) is None
