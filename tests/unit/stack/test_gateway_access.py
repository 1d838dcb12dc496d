"""Environment of the embedded stack's gateway."""

from __future__ import annotations

from pathlib import Path

from stack.gateway_access import GatewayAccess


def test_local_sign_in_comes_with_the_stacks_own_key_on_loopback() -> None:
    found = GatewayAccess(8080, Path("gateway.key")).environment(1)
    assert found["INTERACTIONS_API_LOCAL_SIGN_IN"] == "true"
    assert found["INTERACTIONS_API_HOST"] == "127.0.0.1"


def test_a_gateway_that_trusts_another_key_has_no_local_sign_in() -> None:
    assert GatewayAccess(8080, None).environment(1) == {"INTERACTIONS_API_PORT": "8080"}
