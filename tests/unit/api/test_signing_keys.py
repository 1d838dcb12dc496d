"""Signing keys are fetched within one deadline, and a hanging provider holds few threads."""

from __future__ import annotations

import threading

import jwt
import pytest

from api.signing_keys import SigningKeys
from tests.harness.hostile_server import Conversation, hostile


def test_a_provider_that_sends_a_byte_at_a_time_is_given_up() -> None:
    requests = []

    def script(conversation: Conversation) -> None:
        requests.append(conversation.request())
        conversation.say(b"HTTP/1.1 200 OK\r\n")
        conversation.drip(b"X-More: 1\r\n")

    with hostile(script) as server:
        keys = SigningKeys(server.url, seconds=0.2)
        before = threading.active_count()
        for _ in range(8):
            with pytest.raises(jwt.PyJWKClientConnectionError, match=r"did not return|not ended"):
                keys.get_signing_keys()
        assert len(requests) == 4
        assert threading.active_count() - before <= 8, "four requests here, and their four connections there"
