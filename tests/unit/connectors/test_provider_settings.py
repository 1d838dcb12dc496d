"""Addresses in settings: a port that does not exist is refused, not taken modulo 65536."""

from __future__ import annotations

import pytest
from pydantic import SecretStr, ValidationError

from connectors.providers.caldav import CaldavSettings
from connectors.providers.webhook import WebhookSettings
from streams.bounded_exchange import BoundedExchange, ExchangeError
from streams.drafts.writers.openai_compatible import OpenAiCompatibleSettings
from tests.providers.webhook_receiver import SECRET


@pytest.mark.parametrize("port", ["99999", "0", "-1", "x"])
def test_a_port_that_does_not_exist_is_refused(port: str) -> None:
    url = f"https://host.example:{port}/"
    with pytest.raises(ValidationError):
        CaldavSettings(url=url)
    with pytest.raises(ValidationError):
        WebhookSettings(url=url, secret=SecretStr(SECRET))
    with pytest.raises(ValidationError):
        OpenAiCompatibleSettings(base_url=url, model="m")


def test_an_exchange_with_such_a_port_fails_like_any_other() -> None:
    exchange = BoundedExchange("https://127.0.0.1:99999/", {}, 1000)
    with pytest.raises(ExchangeError):
        exchange.post(b"", 5)
    exchange.close()
