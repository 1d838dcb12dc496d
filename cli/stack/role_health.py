"""Readiness of the role processes, from their ``/readyz`` endpoints."""

from __future__ import annotations

from typing import Any, Final

import httpx2

from runtime.running_stack import ProcessRecord

_SECONDS: Final = 2.0


def not_ready(process: ProcessRecord) -> list[str]:
    """Reasons why a running process is not ready; empty if it is, or if it has no endpoint."""
    if process.url is None:
        return []
    try:
        answer = httpx2.get(f"{process.url}/readyz", timeout=_SECONDS, trust_env=False)
    except httpx2.HTTPError:
        return [f"No response from {process.url}/readyz within {_SECONDS:g} s."]
    return [] if answer.status_code == 200 else _reasons(answer)


def _reasons(answer: httpx2.Response) -> list[str]:
    try:
        body: dict[str, Any] = answer.json()
        # The gateway reports its connections: {"database": false, …}.
        missing = [name for name, there in body.items() if there is False]
        found = [*map(str, body.get("reasons", [])), *(f"No connection: {name}." for name in missing)]
    except (ValueError, AttributeError, TypeError, RecursionError):
        found = []
    return found or [f"It is not ready (HTTP {answer.status_code})."]
