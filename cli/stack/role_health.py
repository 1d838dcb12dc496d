"""Health of the roles of a stack, as they report it over HTTP."""

from __future__ import annotations

from typing import Any, Final

import httpx2

from runtime.running_stack import ProcessRecord

_SECONDS: Final = 2.0


def not_ready(process: ProcessRecord) -> list[str]:
    """Why a running process is not ready; empty when it is, or when it has no address for that."""
    if process.url is None:
        return []
    try:
        answer = httpx2.get(f"{process.url}/readyz", timeout=_SECONDS, trust_env=False)
    except httpx2.HTTPError:
        return [f"It does not answer at {process.url}/readyz within {_SECONDS:g} s."]
    return [] if answer.status_code == 200 else _reasons(answer)


def _reasons(answer: httpx2.Response) -> list[str]:
    try:
        body: dict[str, Any] = answer.json()
        # The gateway says which of its parts are not there: {"database": false, …}.
        missing = [name for name, there in body.items() if there is False]
        found = [*map(str, body.get("reasons", [])), *(f"No connection: {name}." for name in missing)]
    except (ValueError, AttributeError):
        found = []
    return found or [f"It is not ready (HTTP {answer.status_code})."]
