"""The example mutation guard, found by its entry point, refuses every write of a held customer."""

from __future__ import annotations

import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.app import make_app
from api.authorization import api_routes, requirement_of
from runtime.gateway_settings import GatewaySettings
from runtime.settings import Settings
from tests.harness.gateway import Gateway, serving
from tests.harness.roles import wait_until
from tests.harness.wire import event, new_id, outcomes
from tests.integration.api.signal_desk import attach_draft

pytestmark = pytest.mark.integration

EXAMPLE = Path(__file__).parents[3] / "examples/mutation_guard"
INTERACTIONS, ACTIVITIES, TODOS, SIGNALS, DRAFTS = (
    f"/api/customers/{name}" for name in ("interactions", "activities", "todos", "signals", "drafts")
)
OLD_DRAFTS = "/api/generated-drafts"
UNDO = "/api/audit_logs/audit-logs/actions/undo"
#: Writes that concern no customer. The example allows them.
_OF_NOBODY = {
    "POST /api/customers/stream/cookie",
    "DELETE /api/customers/stream/cookie",
    "PUT /api/customers/interaction-types",
    "POST /api/customers/interaction-types",
    "PUT /api/customers/flags",
    "POST /api/customers/integrations/{integration}/warnings/decide",
    "PATCH /api/customers/integrations/{integration}",
    "DELETE /api/customers/integrations/{integration}",
    "POST /api/customers/integrations",
    "POST /api/customers/integrations/{integration}/plan",
    "POST /api/customers/integrations/{integration}/sync",
    "POST /api/customers/integrations/{integration}/pause",
    "POST /api/customers/integrations/{integration}/resume",
    "POST /api/customers/integrations/{integration}/test-connection",
    "POST /api/customers/integrations/{integration}/ledger/retry",
    "POST /api/customers/dead-letters/replay",
    "POST /api/customers/dead-letters/discard",
    "POST /api/customers/dead-letters/archive",
    "POST /api/customers/dead-letters/reopen",
}


@pytest.fixture(scope="module")
def held() -> str:
    """The customer under legal hold."""
    return new_id()


@pytest.fixture(scope="module")
def guarded(pipeline: Settings, held: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway with an installed guard."""
    folder = tmp_path_factory.mktemp("installed")
    shutil.copy(EXAMPLE / "legal_hold.py", folder)
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    metadata = folder / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Name: {project['name']}\nVersion: {project['version']}\n")
    ((group, points),) = project["entry-points"].items()
    lines = [f"[{group}]", *(f"{name} = {value}" for name, value in points.items())]
    (metadata / "entry_points.txt").write_text("\n".join(lines))
    with serving(pipeline, PYTHONPATH=str(folder), LEGAL_HOLD=held) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def ids(pipeline: Settings, held: str) -> dict[str, str]:
    """Rows of the held customer, created by commands on the topic, which bypass the gateway."""
    made = {name: new_id() for name in ("interaction", "task", "deal", "command", "signal")}
    (person, *others) = outcomes(
        pipeline,
        [
            event("entity.upsert", held, {"id": held, "kind": "person", "displayName": "Ada"}),
            event("deal.upsert", held, {"id": made["deal"], "title": "Deal"}),
            event("interaction.create", held, {"id": made["task"], "interactionType": "task"}),
            event(
                "interaction.create",
                held,
                {"id": made["interaction"], "interactionType": "call"},
                command_id=made["command"],
            ),
        ],
    )
    assert {result["outcome"] for result in (person, *others)} == {"applied"}
    draft = attach_draft(pipeline, held, made["task"], made["signal"])
    return {**made, "token": others[-1]["undoToken"], "draft": draft}


def test_every_write_about_a_held_customer_is_refused(
    guarded: Gateway, pipeline: Settings, held: str, ids: dict[str, str]
) -> None:
    one, deal = {"id": ids["interaction"]}, {"id": ids["deal"], "title": "New", "entityId": held}
    signal, draft = {"id": ids["signal"]}, {"id": ids["draft"]}
    company = new_id()
    writes: list[tuple[str, str, dict[str, Any]]] = [
        ("POST", INTERACTIONS, {"entityId": held, "interactionType": "call"}),
        ("PUT", INTERACTIONS, {**one, "title": "New"}),
        ("POST", f"{INTERACTIONS}/complete", one),
        ("POST", f"{INTERACTIONS}/cancel", one),
        ("POST", f"{INTERACTIONS}/reopen", one),
        ("DELETE", f"{INTERACTIONS}?id={ids['interaction']}", {}),
        ("POST", f"{INTERACTIONS}/fix", one),
        ("POST", SIGNALS, {"interactionId": ids["interaction"], "kind": "risk", "title": "New"}),
        ("PUT", SIGNALS, {**signal, "title": "New"}),
        ("POST", f"{SIGNALS}/resolve", {**signal, "channel": "text"}),
        ("POST", f"{SIGNALS}/skip", signal),
        ("POST", f"{SIGNALS}/reopen", signal),
        *(
            write
            for path in (DRAFTS, OLD_DRAFTS)
            for write in (
                ("PUT", path, {**draft, "body": "New"}),
                ("POST", f"{path}/mark-sent", draft),
                ("POST", f"{path}/restore", draft),
                ("DELETE", f"{path}?id={ids['draft']}", {}),
            )
        ),
        ("DELETE", f"{OLD_DRAFTS}/{ids['draft']}", {}),
        ("POST", ACTIVITIES, {"entityId": held, "activityType": "call"}),
        ("PUT", ACTIVITIES, {**one, "subject": "New", "occurredAt": "2026-03-01"}),
        ("DELETE", ACTIVITIES, one),
        ("POST", TODOS, {"entityId": held, "title": "New"}),
        ("PUT", TODOS, {"id": ids["task"], "isDone": True}),
        ("DELETE", TODOS, {"id": ids["task"]}),
        ("POST", "/api/customers/people", {"id": held, "displayName": "New"}),
        ("PUT", "/api/customers/people", {"id": held, "displayName": "New"}),
        ("POST", "/api/customers/companies", {"id": held, "displayName": "New"}),
        ("POST", "/api/customers/deals", {**deal, "id": new_id()}),
        ("PUT", "/api/customers/deals", {name: deal[name] for name in ("id", "title")}),
    ]
    with guarded.client(features=["*"]) as client:
        for method, path, body in writes:
            answer = client.request(method, path, json=body)
            assert (answer.status_code, answer.json()["code"]) == (409, "legal_hold"), (method, path)
        # The commands of a job would not pass the guard, so none starts.
        everything = {"action": "complete", "filter": {}, "expectedCount": 0}
        refused = client.post("/api/customers/jobs/bulk", json=everything)
        assert (refused.status_code, refused.json()["code"]) == (409, "guards_decide_each"), refused.text
        # Undo never reveals the reason of a failure.
        assert client.post(UNDO, json={"undoToken": ids["token"]}).status_code == 400
        item = client.get(f"{INTERACTIONS}/{ids['interaction']}").json()
        assert (item["version"], item["title"]) == (1, None)
        made = client.post("/api/customers/companies", json={"id": company, "displayName": "Free"})
        assert made.status_code == 201
        assert client.put("/api/customers/companies", json={"id": company, "displayName": "x"}).is_success
    wait_until(lambda: guarded.role.log.count("write.noted") == 2, 5, lambda: guarded.role.log[-3000:])
    app = make_app(Settings(), GatewaySettings())
    routes = {
        f"{method} {route.path}"
        for route in api_routes(app)
        for method in route.methods or ()
        if method not in ("GET", "HEAD") and requirement_of(route) is not None
    }
    tried = {
        f"{method} {path.partition('?')[0].replace(ids['draft'], '{draft_id}')}" for method, path, _ in writes
    }
    assert routes - tried - _OF_NOBODY == {
        "PUT /api/customers/companies",
        "POST /api/customers/jobs/bulk",
        f"POST {UNDO}",
    }
