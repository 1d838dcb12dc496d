"""The demo's requests to the HTTP gateway."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path
from typing import Any

from cli.token import local_token
from runtime.running_stack import read_running_stack
from schemas.errors import Stop

_SECONDS = 15.0


def gateway_url(home: Path) -> str:
    """Base URL of the gateway.

    :raises Stop: no stack is running, or it has no gateway.
    """
    running = read_running_stack(home)
    if running is None or running.api_url is None:
        raise Stop(f"No gateway is running in {home}.")
    return running.api_url


def gateway_shows(home: Path, tenant: str, organization: str, most: int = 100) -> int:
    """Count the interactions of an organization on the first page.

    :raises OSError: the gateway is unavailable, or the status is not 200.
    """
    page = _request(home, tenant, organization, f"/api/customers/interactions?limit={most}")
    return len(page["items"])


def resolve_signal(home: Path, tenant: str, organization: str, signal_id: str) -> dict[str, Any]:
    """Resolve a signal by email; return its draft.

    :raises OSError: the gateway is unavailable, or there is no draft.
    """
    wish = {"id": signal_id, "channel": "email"}
    answer = _request(home, tenant, organization, "/api/customers/signals/resolve", wish)
    return dict(answer["draft"])


def _request(
    home: Path, tenant: str, organization: str, path: str, body: dict[str, Any] | None = None
) -> dict[str, Any]:
    request = urllib.request.Request(  # noqa: S310 - our own loopback address
        gateway_url(home) + path,
        data=None if body is None else json.dumps(body).encode(),
        headers={
            "Authorization": f"Bearer {local_token(home, tenant, organization)}",
            "Content-Type": "application/json",
        },
    )
    with urllib.request.urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310
        return dict(json.load(answer))


def curl_line(tool: str, tenant: str, organization: str) -> str:
    """A curl command for a shell that has evaluated ``interactions env``."""
    return (
        f'curl -H "Authorization: Bearer $({tool} token --tenant {tenant} --organization {organization})" '
        '"$INTERACTIONS_API_URL/api/customers/interactions?limit=3"'
    )
