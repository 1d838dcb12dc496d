"""Random provider responses: only known error types, few requests, and no other server."""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, Final

import pytest
from pydantic import SecretStr

from connectors.providers import caldav, trello, webhook
from connectors.sdk.conformance import FULL
from connectors.sdk.provider import Provider, ProviderContext
from connectors.sdk.remote import Gone, Intent, RemoteObject
from connectors.service.http_client import make_client
from connectors.service.maintenance import pause_after
from connectors.service.rate_limit import SlidingWindowLimiter
from connectors.sync.failure_policy import pause_before, reason_of
from connectors.sync.pages import read_pages
from schemas.errors import InteractionsError, Retry
from tests.harness.provider_answers import ProviderAnswers
from tests.harness.seed import SEED
from tests.providers.webhook_receiver import SECRET

# Read at import: the servers' fixture removes these variables.
_CALLS: Final = int(os.environ.get("INTERACTIONS_FUZZ_ANSWERS") or 1_500)
_MOST_REQUESTS: Final = 400
_NOW: Final = datetime(2026, 3, 1, tzinfo=UTC)
_SEEN: Final = RemoteObject(external_id="/cal/m-1.ics", values=FULL, version='"1"', marker="m-1")
_MADE: Final = Intent(interaction_id="i-1", marker="m-1", values=FULL)
_SETTINGS: Final[dict[str, tuple[Any, Any]]] = {
    "caldav": (
        caldav.DECLARATION,
        caldav.CaldavSettings(url="https://dav.example/cal/", username="u", password=SecretStr("p")),
    ),
    "trello": (
        trello.DECLARATION,
        trello.TrelloSettings(
            board_id="b", api_key=SecretStr("k"), token=SecretStr("t"), api_url="https://dav.example/1"
        ),
    ),
    "webhook": (
        webhook.DECLARATION,
        webhook.WebhookSettings(url="https://dav.example/in", secret=SecretStr(SECRET)),
    ),
}


def _calls(provider: Provider, title: str) -> list[Callable[[], object]]:
    session: Any = SimpleNamespace(provider=provider, declaration=SimpleNamespace(title=title))
    calls: list[Callable[[], object]] = [
        lambda: provider.create(_MADE),
        lambda: provider.update(_SEEN.external_id, {"title": "t", "status": "done"}, _SEEN),
        lambda: provider.archive(_SEEN.external_id),
        lambda: provider.restore(_SEEN.external_id, FULL),
        provider.health,
    ]
    if title != "webhook":
        calls += [
            lambda: provider.read(_SEEN.external_id),
            lambda: provider.find_by_marker("m-1"),
            lambda: read_pages(session, None, lambda _: None),
            lambda: read_pages(session, "t", lambda _: None),
        ]
    return calls


@pytest.mark.parametrize("name", _SETTINGS)
def test_no_response_crashes_or_loops(name: str) -> None:
    print(f"repeat with INTERACTIONS_CHAOS_SEED={SEED}")
    chance, seen = random.Random(f"{SEED}/{name}"), Counter[str]()
    declaration, settings = _SETTINGS[name]
    for _ in range(_CALLS):
        answers = ProviderAnswers(chance)
        with make_client(SlidingWindowLimiter(()), public_addresses_only=False, transport=answers) as client:
            provider = declaration.make(settings, _context(client))
            try:
                answer = chance.choice(_calls(provider, name))()
                seen[type(answer).__name__] += 1
                if isinstance(answer, Gone):
                    assert name != "webhook", "a receiver has no objects that could be gone"
            except Exception as error:  # noqa: BLE001 - every error must be handled as the worker does
                seen[type(error).__name__] += 1
                _handled(error, chance)
                # A defect in provider code is contained: the item is blocked after three attempts.
                seen["defects"] += not isinstance(error, InteractionsError)
        assert answers.asked < _MOST_REQUESTS, "unbounded requests to the provider"
        assert answers.hosts <= {"dav.example"}, "a request went to another server"
    print(dict(seen))
    assert seen["Retry"] > _CALLS / 20, "the responses must reach the provider's code"


def _handled(error: Exception, chance: random.Random) -> None:
    """Run everything that the worker and maintenance compute from an error; none of it may raise."""
    after = error.after if isinstance(error, Retry) else None
    for attempts in (0, 11, 5000):
        pause = pause_before(attempts, after, chance, ())
        assert timedelta() <= pause <= timedelta(seconds=4200)
        assert (_NOW + pause).year == _NOW.year
    assert 0 < pause_after(5000, error, 1.0) <= 3600
    reason = reason_of(error)
    assert reason
    assert reason.isprintable()
    assert "\x00" not in reason


def _context(client: Any) -> ProviderContext:
    return ProviderContext(
        integration_id="fuzzed",
        http=client,
        now=lambda: _NOW,
        callback_url=None,
        save_secrets=lambda **_: None,
    )
