"""Model writer against a scripted service: conformance, misbehaving services, and useless answers."""

from __future__ import annotations

import dataclasses
import threading
import traceback
from collections.abc import Iterator
from contextlib import AbstractContextManager

import orjson
import pytest
from pydantic import SecretStr

from streams.drafts.writers.chat.daily_budget import DailyBudget
from streams.drafts.writers.conformance import FULL, WriterConformance, WriterHarness
from streams.drafts.writers.interface import WritingFailedError
from streams.drafts.writers.openai_compatible import OpenAiCompatibleSettings, OpenAiCompatibleWriter
from tests.harness.completions_server import (
    BODY,
    MODEL,
    SUBJECT,
    CompletionsServer,
    Received,
    Reply,
    completion,
    cut_off,
    draft,
    drip,
    drip_headers,
    hang_up,
    respond,
    stall,
)

KEY = "sk-secret-key"
#: An answer that is complete for a parser.
WHOLE = '{"subject": "Your quote", "body": "Hello Ada, "}'


def settings(service: CompletionsServer, **changes: object) -> OpenAiCompatibleSettings:
    given: dict[str, object] = {
        "base_url": service.url,
        "model": "small-model",
        "api_key": SecretStr(KEY),
        "requests_per_tenant_and_day": 1_000_000,
    }
    return OpenAiCompatibleSettings.model_validate(given | changes)


class ModelHarness(WriterHarness):
    """The writer in front of the scripted service."""

    def __init__(self, service: CompletionsServer) -> None:
        self.service = service
        self.writer = OpenAiCompatibleWriter(settings(service, deadline_seconds=20))

    def faults(self) -> list[AbstractContextManager[None]]:
        echo = f"Ada Lovelace cannot use {KEY} for onboarding".encode()
        replies: tuple[Reply, ...] = (
            respond(500, {"retry-after": "3600"}, echo),
            respond(429, {"retry-after": "3600"}, echo),
            respond(400, body=echo),
            respond(401, body=echo),
            respond(302, {"location": "https://elsewhere.example/Lovelace"}, echo),
            respond(200, {"content-type": "text/html"}, echo),
            respond(200, body=echo),
            completion(None, refusal="I cannot write about Ada Lovelace."),
            completion("The revised quote for Ada Lovelace is not JSON."),
            completion('{"body": "Onboarding, Ada Lovelace", "subject": 1}'),
            draft(body=lambda request: request.prompt),
        )
        return [self.service.answering(reply) for reply in replies]


@pytest.fixture
def harness(service: CompletionsServer) -> Iterator[ModelHarness]:
    made = ModelHarness(service)
    yield made
    made.writer.close()


class TestConformance(WriterConformance):
    """The conformance suite, as for every writer."""


class TestConformanceOfAGullibleModel(WriterConformance):
    """The conformance suite with a model that repeats the customer's texts."""

    @pytest.fixture
    def harness(self, service: CompletionsServer) -> Iterator[ModelHarness]:
        service.default = draft(body=_repeated, subject=lambda request: _repeated(request)[:100])
        made = ModelHarness(service)
        yield made
        made.writer.close()


def _repeated(request: Received) -> str:
    user = request.fields["messages"][1]["content"]
    fields = orjson.loads(user.partition("\n")[2].partition(f"\n{request.marker}>>>")[0])
    parts = (fields.get(name, "")[:120] for name in ("recipient", "signal_title"))
    return "Hello.\n" + "\n".join(parts)


@pytest.fixture
def impatient(service: CompletionsServer) -> Iterator[OpenAiCompatibleWriter]:
    """A writer with half a second per request."""
    made = OpenAiCompatibleWriter(settings(service, exchange_seconds=0.5))
    yield made
    made.close()


def failed(writer: OpenAiCompatibleWriter) -> WritingFailedError:
    with pytest.raises(WritingFailedError) as caught:
        writer.write(FULL)
    assert KEY not in "".join(traceback.format_exception(caught.value))
    return caught.value


def test_the_request_has_the_schema_and_no_tools(harness: ModelHarness) -> None:
    made = harness.writer.write(FULL)
    assert (made.subject, made.body, made.model) == (SUBJECT, BODY, MODEL)
    (request,) = harness.service.received
    assert request.path == "/v1/chat/completions"
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert set(request.fields) == {"model", "messages", "response_format", "stream"}
    assert request.fields["model"] == "small-model"
    schema = request.fields["response_format"]["json_schema"]
    assert schema["strict"] is True
    assert schema["schema"]["required"] == ["subject", "body"]
    assert schema["schema"]["additionalProperties"] is False
    assert KEY not in request.prompt
    assert not [
        each for each in (FULL.tenant_id, FULL.organization_id, FULL.signal_id) if each in request.prompt
    ]


def test_parameters_of_the_model_are_sent(service: CompletionsServer) -> None:
    writer = OpenAiCompatibleWriter(settings(service, parameters={"max_tokens": 900}, api_key=None))
    writer.write(dataclasses.replace(FULL, channel="text"))
    (request,) = service.received
    assert request.fields["max_tokens"] == 900
    assert "authorization" not in request.headers


@pytest.mark.timeout(30)
@pytest.mark.parametrize("reply", [stall, drip, drip_headers])
def test_a_slow_service_is_left_at_the_deadline(
    impatient: OpenAiCompatibleWriter, service: CompletionsServer, reply: Reply
) -> None:
    with service.answering(reply):
        error = failed(impatient)
    assert (error.code, error.retriable) == ("writer_timeout", True)
    assert "within 0.5 s" in error.detail
    assert len(service.received) == 1, "a model that is too slow is not asked for the same text twice"


@pytest.mark.parametrize("reply", [cut_off, hang_up, respond(500), respond(503), respond(429), respond(408)])
def test_a_transient_failure_is_retried(service: CompletionsServer, reply: Reply) -> None:
    writer = OpenAiCompatibleWriter(settings(service), wait=lambda _: False)
    with service.answering(reply, draft()):
        assert writer.write(FULL).body == BODY
    assert len(service.received) == 2
    first, second = service.received
    assert first.fields == second.fields, "a retry repeats the request"


@pytest.mark.timeout(30)
@pytest.mark.parametrize("reply", [cut_off, hang_up, respond(500), respond(429)])
def test_an_outage_ends_the_draft_at_its_deadline(service: CompletionsServer, reply: Reply) -> None:
    writer = OpenAiCompatibleWriter(settings(service, deadline_seconds=2))
    with service.answering(reply):
        error = failed(writer)
    assert (error.code, error.retriable, error.after) == ("writer_unavailable", True, None)
    assert 2 <= len(service.received) <= 4


def test_a_service_that_does_not_listen_is_unavailable(service: CompletionsServer) -> None:
    with CompletionsServer() as gone:
        writer = OpenAiCompatibleWriter(settings(gone, deadline_seconds=0.2))
    assert failed(writer).code == "writer_unavailable"


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_the_pause(service: CompletionsServer, status: int) -> None:
    pauses: list[float] = []

    def wait(seconds: float) -> bool:
        pauses.append(seconds)
        return False

    writer = OpenAiCompatibleWriter(settings(service), wait=wait)
    date = {"date": "Sun, 29 Nov 2026 10:00:00 GMT", "retry-after": "Sun, 29 Nov 2026 10:00:09 GMT"}
    with service.answering(
        respond(status, {"retry-after": "7"}),
        respond(status, {"retry-after": "0"}),
        respond(status, date),
        respond(status, {"retry-after": "tomorrow"}),
        draft(),
    ):
        writer.write(FULL)
    assert pauses[:3] == [7, 0, 9]
    assert 0 < pauses[3] <= 4, "without a valid Retry-After, the backoff decides"


def test_a_retry_after_beyond_the_deadline_fails_at_once_and_says_when(service: CompletionsServer) -> None:
    def wait(seconds: float) -> bool:
        raise AssertionError("there is no time to wait")

    writer = OpenAiCompatibleWriter(settings(service), wait=wait)
    with service.answering(respond(429, {"retry-after": "120"})):
        error = failed(writer)
    assert (error.code, error.retriable, error.after) == ("writer_unavailable", True, 120)
    assert len(service.received) == 1


@pytest.mark.parametrize("status", [301, 302, 307, 308, 400, 401, 403, 404, 422])
def test_wrong_settings_fail_without_a_retry(harness: ModelHarness, status: int) -> None:
    elsewhere = {"location": f"{harness.service.url}/elsewhere"}
    with harness.service.answering(respond(status, elsewhere)):
        error = failed(harness.writer)  # type: ignore[arg-type]
    assert (error.code, error.retriable) == ("writer_misconfigured", False)
    assert len(harness.service.received) == 1, "a redirect is not followed, and nothing is retried"


@pytest.mark.parametrize(
    "reply",
    [
        respond(200, {"content-type": "text/html"}, b"<html>Sign in</html>"),
        respond(200, {"content-type": "text/plain"}, b'{"choices": []}'),
        respond(200, body=b"not JSON"),
        respond(200, body=b'{"choices": []}'),
        respond(200, body=b"[" * 100_000),
        respond(200, {"content-encoding": "gzip"}, b"\x1f\x8b"),
        respond(204, body=b""),
        respond(200, body=b" " * 3_000_000),
    ],
)
def test_a_response_that_is_not_a_completion_fails(harness: ModelHarness, reply: Reply) -> None:
    with harness.service.answering(reply):
        error = failed(harness.writer)  # type: ignore[arg-type]
    assert (error.code, error.retriable) == ("writer_invalid_answer", False)
    assert len(harness.service.received) == 1


@pytest.mark.parametrize(
    ("reply", "code", "problem"),
    [
        (draft(body=" \n\u200b"), "writer_invalid_answer", "its body is blank"),
        (draft(body="<p></p>"), "writer_invalid_answer", "its body is blank"),
        (draft(body="…"), "writer_invalid_answer", "its body is blank"),
        (draft(body="https://evil.example/x"), "writer_invalid_answer", "its body is blank"),
        (draft(subject=""), "writer_invalid_answer", "its subject is blank"),
        (draft(body="word " * 900), "writer_invalid_answer", "its body is too long"),
        (draft(body="x" * 500_000), "writer_invalid_answer", "its body is too long"),
        (draft(subject="word " * 40), "writer_invalid_answer", "its subject is too long"),
        (draft(body="Hello [your name]"), "writer_invalid_answer", "its body has a placeholder"),
        (draft(body=lambda request: f"Hi {request.marker}"), "writer_invalid_answer", "repeats the marker"),
        (completion(None), "writer_invalid_answer", "not a JSON object"),
        (completion(""), "writer_invalid_answer", "not a JSON object"),
        (completion("Hello Ada"), "writer_invalid_answer", "not a JSON object"),
        (completion('{"body": "cut'), "writer_invalid_answer", "not a JSON object"),
        (completion('{"body": "no subject"}'), "writer_invalid_answer", "not a JSON object"),
        (completion('{"subject": "a", "body": 5}'), "writer_invalid_answer", "not a JSON object"),
        (
            completion('{"subject": "a", "body": "b", "to": "c"}'),
            "writer_invalid_answer",
            "not a JSON object",
        ),
        (
            completion('{"subject": "a", "body": "b", "body": "\\ud800"}'),
            "writer_invalid_answer",
            "not a JSON",
        ),
        (completion("[" * 100_000), "writer_invalid_answer", "not a JSON object"),
        (completion('{"body": "cut', finish_reason="length"), "writer_truncated", "it was cut off"),
        (completion(WHOLE, finish_reason="length"), "writer_truncated", "it was cut off"),
    ],
)
def test_a_useless_answer_is_repaired_once_and_then_fails(
    harness: ModelHarness, reply: Reply, code: str, problem: str
) -> None:
    service = harness.service
    with service.answering(reply, draft()):
        assert harness.writer.write(FULL).body == BODY
    first, second = service.received
    assert "could not be used" not in first.prompt
    assert problem in second.prompt, "the repair says what is wrong"

    with service.answering(reply):
        error = failed(harness.writer)  # type: ignore[arg-type]
    assert (error.code, error.retriable) == (code, False)
    assert problem in error.detail
    assert len(service.received) == 4


@pytest.mark.parametrize(
    "reply",
    [completion(None, refusal="No."), completion("{}", finish_reason="content_filter")],
)
def test_a_refusal_fails_without_a_repair(harness: ModelHarness, reply: Reply) -> None:
    with harness.service.answering(reply):
        error = failed(harness.writer)  # type: ignore[arg-type]
    assert (error.code, error.retriable) == ("writer_refused", False)
    assert len(harness.service.received) == 1


def test_an_injected_answer_has_no_links_and_no_markup(harness: ModelHarness) -> None:
    body = (
        "<b>Hello</b> Ada,\n\npay **now** at https://evil.example/pay?x=1 or [here](http://evil.example), "
        "or write to boss@evil.example. See https://shop.example/quote\u202e for the quote."
    )
    request = dataclasses.replace(FULL, signal_body="The quote: https://shop.example/quote")
    with harness.service.answering(draft(body=body)):
        made = harness.writer.write(request)
    assert made.body == (
        "Hello Ada,\n\npay now at or here, or write to. See https://shop.example/quote for the quote."
    )


def test_repair_and_retries_share_one_deadline(service: CompletionsServer) -> None:
    writer = OpenAiCompatibleWriter(settings(service, deadline_seconds=1.5))
    with service.answering(completion("useless"), stall):
        error = failed(writer)
    assert error.code == "writer_timeout"
    assert len(service.received) == 2


def test_every_request_counts_for_the_budget_of_its_tenant(service: CompletionsServer) -> None:
    writer = OpenAiCompatibleWriter(settings(service), DailyBudget(3), wait=lambda _: False)
    with service.answering(respond(500), completion("useless"), draft()):
        writer.write(FULL)
    error = failed(writer)
    assert (error.code, error.retriable) == ("budget_exhausted", True)
    assert error.after is not None
    assert 0 < error.after <= 86_400
    assert len(service.received) == 3
    writer.write(dataclasses.replace(FULL, tenant_id="tenant-2"))


def test_the_budget_also_ends_a_draft_in_progress(service: CompletionsServer) -> None:
    writer = OpenAiCompatibleWriter(settings(service), DailyBudget(1), wait=lambda _: False)
    with service.answering(completion("useless")):
        assert failed(writer).code == "budget_exhausted"
    assert len(service.received) == 1


@pytest.mark.timeout(30)
@pytest.mark.parametrize("reply", [stall, respond(503, {"retry-after": "50"})])
def test_close_ends_a_draft_in_progress(service: CompletionsServer, reply: Reply) -> None:
    writer = OpenAiCompatibleWriter(settings(service))
    errors: list[WritingFailedError] = []
    with service.answering(reply):
        thread = threading.Thread(target=lambda: errors.append(failed(writer)))
        thread.start()
        service.next_request()
        writer.close()
        thread.join(10)
    assert not thread.is_alive()
    assert [error.code for error in errors] == ["writer_closed"]
    assert failed(writer).code == "writer_closed", "a closed writer refuses further drafts"
    assert len(service.received) == 1


def test_logs_contain_neither_key_nor_customer_text(
    service: CompletionsServer, capfd: pytest.CaptureFixture[str]
) -> None:
    writer = OpenAiCompatibleWriter(settings(service), wait=lambda _: False)
    with service.answering(respond(500, body=b"Lovelace " + KEY.encode()), completion("Lovelace"), draft()):
        writer.write(FULL)
    out, err = capfd.readouterr()
    assert "drafts.writer_retry" in out + err
    assert "tenant-1" in out + err
    assert "organization-1" in out + err
    assert not [word for word in (KEY, "Lovelace", "quote") if word in out + err]


@pytest.mark.parametrize("base_url", ["{}", "{}/", "{}/v1", "{}/v1/"])
def test_the_base_url_can_end_in_its_version(service: CompletionsServer, base_url: str) -> None:
    OpenAiCompatibleWriter(settings(service, base_url=base_url.format(service.url))).write(FULL)
    assert service.received[0].path == "/v1/chat/completions"
