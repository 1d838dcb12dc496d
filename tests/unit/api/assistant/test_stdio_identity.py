"""The identity of ``interactions mcp``: from the configuration, and never without one."""

from __future__ import annotations

from pathlib import Path

import jwt
import pytest
from pydantic import SecretStr

from api.assistant.stdio import principal_of
from runtime.assistant_settings import AssistantSettings, read_assistant_settings
from schemas.errors import NeedsAuth, Stop

CLAIMS = {"sub": "ann", "tenantId": "AAAA", "organizationId": "b", "features": ["customers.view"]}
KEY = "a secret of thirty-two bytes or more"


def test_a_token_from_a_variable_and_from_a_file(tmp_path: Path) -> None:
    assert AssistantSettings(token=SecretStr("x")).bearer()() == "x"
    file = tmp_path / "token"
    file.write_text("one\n")
    bearer = AssistantSettings(token_file=file).bearer()
    assert bearer() == "one"
    file.write_text("two\n")
    assert bearer() == "two", "a renewed token"
    file.unlink()
    with pytest.raises(Stop, match="INTERACTIONS_MCP_TOKEN_FILE"):
        bearer()


def test_no_identity_and_two_identities_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Stop, match="INTERACTIONS_MCP_TOKEN, or INTERACTIONS_MCP_TOKEN_FILE"):
        AssistantSettings().bearer()
    with pytest.raises(Stop, match="not both"):
        AssistantSettings(token=SecretStr("x"), token_file=tmp_path / "y").bearer()


def test_the_principal_of_a_token() -> None:
    who = principal_of(jwt.encode(CLAIMS, KEY))
    assert (who.subject, who.tenant_id, who.organization_id) == ("ann", "aaaa", "b")
    assert who.has("customers.view")


@pytest.mark.parametrize("token", ["", "x", "a.b.c", jwt.encode({"sub": "ann"}, KEY)])
def test_a_text_that_is_no_token_is_refused_without_being_shown(token: str) -> None:
    with pytest.raises(NeedsAuth, match="tenantId") as refused:
        principal_of(token)
    assert token == "" or len(token) < 2 or token not in str(refused.value)


def test_an_invalid_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTERACTIONS_MCP_URL", "not a url")
    with pytest.raises(Stop, match="INTERACTIONS_MCP_URL"):
        read_assistant_settings()
