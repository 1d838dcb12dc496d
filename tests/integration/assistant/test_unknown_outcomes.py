"""Outcomes that are not known at first: the same key finds them out, and executes nothing twice."""

from __future__ import annotations

import pytest

from runtime.settings import Settings
from tests.harness.assistant import Assistant, Reply, connected, over_http
from tests.harness.gateway import serving, token
from tests.harness.roles import running
from tests.harness.wire import new_id
from tests.integration.api.signal_desk import Desk

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]


def repeated(assistant: Assistant, name: str, key: str, **arguments: str) -> Reply:
    """Repeat a call with the same key until its outcome is known."""
    reply = assistant.call(name, **arguments, requestKey=key)
    for _ in range(60):
        if reply["saved"] is not None:
            return reply
        reply = assistant.call(name, **arguments, requestKey=key)
    raise AssertionError(reply.text)


def test_a_change_while_no_applier_runs(fresh_settings: Settings) -> None:
    with (
        serving(fresh_settings, INTERACTIONS_API_OUTCOME_TIMEOUT_SECONDS="1") as gateway,
        gateway.client() as client,
        connected(over_http(f"{gateway.url}/mcp", token(aud=f"{gateway.url}/mcp"), "auto")) as assistant,
    ):
        desk = Desk(client, fresh_settings, gateway)
        with running(fresh_settings, "applier"):
            person = desk.create("/api/customers/people", displayName="Ada")
        key = new_id()
        body = {"entityId": person, "interactionType": "call"}
        first, waiting = (assistant.call("plan_interaction", **body, requestKey=key) for _ in range(2))
        assert (waiting["outcome"], waiting["saved"], waiting.code) == ("unknown", None, "outcome_unknown")
        assert waiting.text.startswith("NOT KNOWN YET (unknown).")
        assert first.content == waiting.content
        lookup = assistant.call("get_command_outcome", commandId=waiting["commandId"])
        assert (lookup["saved"], lookup.code) == (None, "command_unknown")
        assert desk.count("customer_interactions", entity_id=person) == 0
        with running(fresh_settings, "applier"):
            made = repeated(assistant, "plan_interaction", key, **body)
            assert made["commandId"] == waiting["commandId"]
            assert desk.count("customer_interactions", entity_id=person) == 1
            known = assistant.call("get_command_outcome", tool="plan_interaction", requestKey=key)
            assert (known["outcome"], known["id"]) == ("applied", made["id"])


def test_a_resolution_while_no_writer_runs(fresh_settings: Settings) -> None:
    with (
        running(fresh_settings, "applier"),
        serving(fresh_settings, INTERACTIONS_API_OUTCOME_TIMEOUT_SECONDS="1") as gateway,
        gateway.client() as client,
        connected(over_http(f"{gateway.url}/mcp", token(aud=f"{gateway.url}/mcp"), "legacy")) as assistant,
    ):
        desk = Desk(client, fresh_settings, gateway)
        signal, key = desk.signal(), new_id()
        waiting = assistant.call("resolve_signal", id=signal, channel="text", requestKey=key)
        assert (waiting["saved"], waiting["row"], waiting["problem"]["signalId"]) == (None, None, signal)
        assert desk.row("signals", signal, "status") == ("resolving",)
        lookup = assistant.call("get_command_outcome", tool="resolve_signal", requestKey=key)
        assert lookup["saved"] is None, "the command is applied, but there is no draft"
        assert "resolving" in lookup.text
        with running(fresh_settings, "relay"), running(fresh_settings, "drafts"):
            done = repeated(assistant, "resolve_signal", key, id=signal, channel="text")
        assert (done["outcome"], done["row"]["signalId"]) == ("duplicate", signal)
        assert desk.count("generated_drafts", signal_id=signal) == 1
        found = assistant.call("get_command_outcome", tool="resolve_signal", requestKey=key)
        assert (found["saved"], found["id"]) == (True, done["id"])
