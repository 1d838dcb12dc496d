"""Check of a model's answer."""

from __future__ import annotations

import dataclasses

import orjson
import pytest

from streams.drafts.writers.conformance import FULL
from streams.drafts.writers.interface import LIMITS
from streams.drafts.writers.plain_text import UnusableAnswerError, answer_schema, check_answer
from streams.drafts.writers.prompt import build_prompt

TEXT = dataclasses.replace(FULL, channel="text")
MARKER = "data-0123"
PROMPT = build_prompt(FULL, lambda: MARKER)


def checked(body: str, **changes: str) -> str:
    """The clean body of a text message."""
    request = dataclasses.replace(TEXT, **changes)  # type: ignore[arg-type]
    subject, clean = check_answer(orjson.dumps({"body": body}).decode(), request, PROMPT)
    assert subject is None
    return clean


@pytest.mark.parametrize(
    ("given", "clean"),
    [
        ("  Hello Ada \r\n\r\n\r\n\r\n  see you  ", "Hello Ada\n\nsee you"),
        ("Hello\u202e Ada\u0007\u200b", "Hello Ada"),
        ("<p>Hello <b>Ada</b></p><p>Bye</p>", "Hello Ada\n\nBye"),
        ("Hello &lt;script&gt;alert(1)&lt;/script&gt; Ada", "Hello Ada"),
        (
            "## Hello\n\n**Ada**, see the *new* `plan`:\n* one\n+ two",
            "Hello\n\nAda, see the new plan:\n- one\n- two",
        ),
        ("Costs are < 5 and > 3, 5*3*2, snake_case_name", "Costs are < 5 and > 3, 5*3*2, snake_case_name"),
        ("Hello 👩\u200d👩\u200d👧 👍🏽 مرحبا", "Hello 👩\u200d👩\u200d👧 👍🏽 مرحبا"),
        ("See [the plan](https://evil.example/x) now.", "See the plan now."),
        ("Pay at https://evil.example/x?a=b, please.", "Pay at, please."),
    ],
)
def test_an_answer_becomes_plain_text(given: str, clean: str) -> None:
    assert checked(given) == clean


@pytest.mark.parametrize(
    "field", ["person_name", "sender_name", "signal_title", "signal_body", "interaction_title", "instruction"]
)
def test_an_address_of_the_request_stays(field: str) -> None:
    text = "Look at https://shop.example/quote or mail sales@shop.example."
    assert checked(text, **{field: f"({text})"}) == text
    assert checked(text) == "Look at or mail."


def test_a_marker_with_an_address_like_the_known_one_is_removed() -> None:
    body = "https://shop.example https://shop.example.evil.example https://shop.example/steal ok"
    assert checked(body, signal_body="https://shop.example") == "https://shop.example ok"


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("", "blank"),
        (" \n\t", "blank"),
        ("\u200b\u3164\u2800", "blank"),
        ("**", "blank"),
        ("---", "blank"),
        ("<br><br/>", "blank"),
        ("?!", "blank"),
        ("https://evil.example", "blank"),
        ("x" * 321, "too long"),
        ("word " * 65, "too long"),
        (f"Hello {MARKER}", "marker"),
        ("Hello [Name], I am back", "placeholder"),
        ("Viele Grüße\n[Ihr Name]", "placeholder"),
        ("Hello {{ name }}", "placeholder"),
        ("Hello {name}", "placeholder"),
    ],
)
def test_an_unusable_text_is_refused(body: str, problem: str) -> None:
    with pytest.raises(UnusableAnswerError, match=problem):
        checked(body)


def test_a_text_of_exactly_the_limit_is_accepted() -> None:
    assert len(checked("x" * LIMITS["text"].body)) == 320


def test_brackets_of_the_customer_are_no_placeholder() -> None:
    assert checked("About [ACME] and {x}", signal_title="[ACME] {x}") == "About [ACME] and {x}"


@pytest.mark.parametrize(
    "content",
    [
        "",
        "null",
        "[]",
        '"text"',
        "{}",
        '{"body": null}',
        '{"body": ["a"]}',
        '{"subject": "a", "body": "b"}',
        '{"body": "b", "recipient": "x@evil.example"}',
        '```json\n{"body": "b"}\n```',
    ],
)
def test_an_answer_of_another_form_is_refused(content: str) -> None:
    with pytest.raises(UnusableAnswerError, match="not a JSON object of the requested form") as caught:
        check_answer(content, TEXT, PROMPT)
    assert caught.value.__suppress_context__


def test_a_subject_is_one_line() -> None:
    content = orjson.dumps({"subject": " Your\n**quote** ", "body": "Hello"}).decode()
    assert check_answer(content, FULL, PROMPT) == ("Your quote", "Hello")


def test_the_problem_has_no_text_of_the_answer() -> None:
    for body in ("secret [secret]", "secret " * 90, f"secret {MARKER}"):
        with pytest.raises(UnusableAnswerError) as caught:
            checked(body)
        assert "secret" not in caught.value.problem


def test_the_schema_has_a_subject_for_emails_only() -> None:
    assert set(answer_schema("email")["properties"]) == {"subject", "body"}
    for channel in ("text", "call"):
        assert set(answer_schema(channel)["properties"]) == {"body"}
