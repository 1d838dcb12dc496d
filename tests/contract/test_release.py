"""Released versions of the contract: frozen once, and compatible with the current one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from schemas.asyncapi import CONTRACT_VERSION
from schemas.errors import Stop
from tests.contract import release

Change = Callable[[dict[str, Any]], object]


@pytest.fixture
def frozen(tmp_path: Path) -> Path:
    return release.freeze(CONTRACT_VERSION, tmp_path)


def test_every_released_version_is_compatible() -> None:
    assert release.breaking_changes() == []


def test_nothing_breaks_against_itself(frozen: Path) -> None:
    assert release.releases(frozen.parent) == [frozen]
    assert release.breaking_changes(frozen.parent) == []


def test_a_version_is_frozen_once(frozen: Path) -> None:
    with pytest.raises(Stop, match="frozen already"):
        release.freeze(CONTRACT_VERSION, frozen.parent)
    with pytest.raises(Stop, match=r"not 9\.9\.9"):
        release.freeze("9.9.9", frozen.parent)


def _payload(document: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = document["components"]["schemas"][name]
    return found


@pytest.mark.parametrize(
    ("file", "change", "said"),
    [
        (
            "avro/customers.interaction.created.avsc",
            lambda it: it["fields"].append({"name": "channel", "type": "string"}),
            "customers.interaction.created/channel",
        ),
        (
            "asyncapi.json",
            lambda it: it["operations"]["receive:customers.interactions.commands"]["messages"].append(
                {"$ref": "#/channels/customers.interactions.commands/messages/customers.interaction.merge"}
            ),
            "the message customers.interaction.merge was removed",
        ),
        (
            "asyncapi.json",
            lambda it: it["operations"].update(
                {"send:old": {"action": "send", "channel": {"$ref": "#/channels/old"}, "messages": []}}
            ),
            "old: the topic was removed",
        ),
        (
            "asyncapi.json",
            lambda it: _payload(it, "InteractionCreate")["required"].remove("interactionType"),
            "customers.interaction.create/interactionType: is now required",
        ),
        (
            "asyncapi.json",
            lambda it: _payload(it, "InteractionSnapshot")["properties"].update(mood={"type": "string"}),
            "customers.interaction.created/before/mood: was removed",
        ),
        (
            "asyncapi.json",
            lambda it: _payload(it, "WarningRaised")["required"].append("field"),
            "customers.integration.warning/field: is no longer always present",
        ),
        (
            "openapi.json",
            lambda it: it["paths"].update({"/api/customers/old": {"get": {"responses": {}}}}),
            "GET /api/customers/old",
        ),
    ],
)
def test_a_broken_promise_is_found(frozen: Path, file: str, change: Change, said: str) -> None:
    path = frozen / file
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))
    found = release.breaking_changes(frozen.parent)
    assert all(line.startswith(f"{CONTRACT_VERSION}: ") for line in found)
    assert any(said in line for line in found), found


def test_a_contract_that_breaks_a_release_is_not_frozen(frozen: Path) -> None:
    earlier = frozen.rename(frozen.with_name("0.0.9"))
    (earlier / "avro" / "customers.interaction.merged.avsc").write_text("{}")
    with pytest.raises(Stop, match="merged: the record was removed"):
        release.freeze(CONTRACT_VERSION, frozen.parent)
    assert not frozen.exists()


def test_the_command_says_what_it_compared(capsys: pytest.CaptureFixture[str]) -> None:
    versions = [path.name for path in release.releases()]
    assert release.main([]).endswith(f"{', '.join(versions)}." if versions else "compare the contract with.")
    with pytest.raises(Stop, match="usage"):
        release.main(["--help"])
