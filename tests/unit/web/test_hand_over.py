"""Links that hand a draft over to the program that sends it."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from web.hand_over import hand_over

_PERSON = {"primary_email": "ada@example.com", "primary_phone": "+49 (0)30 / 123-45"}


def _draft(channel: str, body: str = "One & two\nthree", subject: str | None = "A? B") -> dict[str, Any]:
    return {"channel": channel, "body": body, "subject": subject}


def test_an_email_carries_subject_and_text() -> None:
    found = hand_over(_draft("email"), _PERSON)
    parts = urlsplit(found["link"])
    assert (parts.scheme, parts.path) == ("mailto", "ada@example.com")
    assert parse_qs(parts.query) == {"subject": ["A? B"], "body": ["One & two\r\nthree"]}


def test_a_text_message_and_a_call_use_the_digits_of_the_number() -> None:
    assert hand_over(_draft("text", "Hi & you"), _PERSON)["link"] == "sms:+4903012345?body=Hi%20%26%20you"
    assert hand_over(_draft("call"), _PERSON)["link"] == "tel:+4903012345"


def test_an_address_cannot_add_fields_to_the_message() -> None:
    hostile = {"primary_email": "a@b.example?bcc=c@d.example&body=x", "primary_phone": None}
    parts = urlsplit(hand_over(_draft("email", "text", None), hostile)["link"])
    assert parse_qs(parts.query) == {"body": ["text"]}


@pytest.mark.parametrize("channel", ["email", "text"])
def test_a_long_text_is_left_out_and_reported(channel: str) -> None:
    found = hand_over(_draft(channel, "ä" * 1_000), _PERSON)
    assert found["complete"] is False
    assert "body" not in found["link"]


@pytest.mark.parametrize("person", [None, {"primary_email": None, "primary_phone": ""}])
def test_without_an_address_there_is_no_link(person: dict[str, Any] | None) -> None:
    assert hand_over(_draft("text"), person)["link"] is None
