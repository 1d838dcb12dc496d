"""Ways to sign in that the settings offer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from runtime.gateway_settings import GatewaySettings


@dataclass(frozen=True, slots=True)
class WayToSignIn:
    """One way to sign in.

    :param path: address that begins it; ``None`` if it begins outside the browser.
    :param command: command that begins it, to be run on the machine of the stack.
    """

    name: Literal["oidc", "local"]
    path: str | None = None
    command: str | None = None


def ways_to_sign_in(gateway: GatewaySettings) -> list[WayToSignIn]:
    """The ways that are configured, the most common one first."""
    ways = []
    if gateway.oidc_issuer is not None:
        ways.append(WayToSignIn("oidc", path="/signin/oidc"))
    if gateway.local_sign_in:
        ways.append(WayToSignIn("local", command="interactions open"))
    return ways
