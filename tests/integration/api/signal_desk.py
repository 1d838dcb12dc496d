"""A client of signals and drafts for tests: short forms of requests, and the rows behind them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import httpx2

from api.response_models import ResponseModel
from api.routes.draft_models import Draft, DraftPage
from api.routes.signal_models import Resolved, SignalDetail, SignalPage
from runtime.postgres import connect
from runtime.settings import Settings
from tests.harness.gateway import Gateway
from tests.harness.wire import event, outcomes

PEOPLE, COMPANIES, INTERACTIONS, SIGNALS, DRAFTS = (
    f"/api/customers/{name}" for name in ("people", "companies", "interactions", "signals", "drafts")
)
OLD_DRAFTS = "/api/generated-drafts"
UNDO = "/api/audit_logs/audit-logs/actions/undo"


@dataclass(frozen=True)
class Desk:
    """A user's client, and the database that the tests compare its responses with."""

    client: httpx2.Client
    settings: Settings
    gateway: Gateway

    def create(self, path: str, **body: Any) -> str:
        answer = self.client.post(path, json=body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def call(self, person: str | None = None) -> str:
        """A call with a person, new unless given."""
        person = person if person is not None else self.create(PEOPLE, displayName="Ada Byron")
        return self.create(INTERACTIONS, entityId=person, interactionType="call", title="Roof")

    def signal(self, call: str | None = None, **fields: Any) -> str:
        body = {"kind": "promise", "title": "Send the offer", **fields}
        return self.create(SIGNALS, interactionId=call if call is not None else self.call(), **body)

    def resolve(self, signal: str, *, key: str | None = None, **fields: Any) -> httpx2.Response:
        body = {"id": signal, "channel": "text", **fields}
        headers = {"Idempotency-Key": key} if key is not None else {}
        return self.client.post(f"{SIGNALS}/resolve", json=body, headers=headers)

    def draft(self, signal: str | None = None) -> dict[str, Any]:
        """The draft of a signal that is resolved now."""
        answer = self.resolve(signal if signal is not None else self.signal())
        assert answer.status_code == 200, answer.text
        Resolved.model_validate_json(answer.content, strict=True)
        found: dict[str, Any] = answer.json()["draft"]
        return found

    def read(self, path: str, **query: Any) -> dict[str, Any]:
        """A read over a new connection, as of a page that is reloaded. It must match its model."""
        with httpx2.Client(
            base_url=self.client.base_url, headers=self.client.headers, timeout=30
        ) as reloaded:
            answer = reloaded.get(path, params=query)
        assert answer.status_code == 200, answer.text
        model: type[ResponseModel] | None = {
            SIGNALS: SignalPage, DRAFTS: DraftPage, OLD_DRAFTS: DraftPage
        }.get(path)  # fmt: skip
        if model is None:
            model = SignalDetail if path.startswith(SIGNALS) else Draft if "draft" in path else None
        if model is not None:
            model.model_validate_json(answer.content, strict=True)
        found: dict[str, Any] = answer.json()
        return found

    def ids(self, path: str, **query: Any) -> list[str]:
        return [item["id"] for item in self.read(path, **query)["items"]]

    def undo(self, write: httpx2.Response) -> httpx2.Response:
        return self.client.post(UNDO, json={"undoToken": operation(write)["undoToken"]})

    def row(self, table: str, identity: str, *columns: str) -> tuple[Any, ...] | None:
        """Columns of a committed row."""
        with connect(self.settings, application_name="tests") as connection:
            return connection.execute(
                f"SELECT {', '.join(columns)} FROM {table} WHERE id = %s".encode(), (identity,)
            ).fetchone()

    def count(self, table: str, **where: str) -> int:
        ((column, value),) = where.items()
        with connect(self.settings, application_name="tests") as connection:
            row = connection.execute(
                f"SELECT count(*) FROM {table} WHERE {column} = %s".encode(), (value,)
            ).fetchone()
        assert row is not None
        return int(row[0])


def attach_draft(
    settings: Settings, entity: str, interaction: str, signal: str, title: str = "Offer", **scope: str
) -> str:
    """Record and resolve a signal by commands, as the drafts role would; return the id of its draft."""
    recorded = {"id": signal, "interactionId": interaction, "kind": "promise", "title": title}
    _, resolving = outcomes(
        settings,
        [
            event("signal.record", entity, recorded, **scope),
            event("signal.resolve", entity, {"id": signal, "channel": "text"}, **scope),
        ],
    )
    written = {"id": signal, "resolution": resolving["version"], "body": title, "writer": "tests"}
    (attached,) = outcomes(settings, [event("signal.attach_draft", entity, written, **scope)])
    assert attached["outcome"] == "applied", attached
    return str(attached["draftId"])


def operation(write: httpx2.Response) -> dict[str, Any]:
    """The operation that a write's header describes."""
    found: dict[str, Any] = json.loads(unquote(write.headers["x-om-operation"].removeprefix("omop:")))
    return found
