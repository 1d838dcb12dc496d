"""Template writer: conformance, the texts themselves, and the limits in the worst case."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta, timezone
from itertools import product
from pathlib import Path
from typing import get_args

import pytest
from jinja2 import StrictUndefined, UndefinedError
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from streams.drafts.writers import template
from streams.drafts.writers.conformance import (
    EMPTY,
    FULL,
    TYPES,
    WriterConformance,
    WriterHarness,
    assert_valid,
)
from streams.drafts.writers.interface import LIMITS, Channel, DraftRequest, Language, WrittenDraft
from streams.drafts.writers.template import KINDS, TemplateWriter

ALL_KINDS = sorted(KINDS | {"need"})
PAIRS = list(product(get_args(Channel), get_args(Language)))


class TemplateHarness(WriterHarness):
    """The template writer needs no service."""

    def __init__(self) -> None:
        self.writer = TemplateWriter()


@pytest.fixture
def harness() -> TemplateHarness:
    return TemplateHarness()


class TestConformance(WriterConformance):
    """The conformance suite, as for every writer."""


def write(**changes: object) -> WrittenDraft:
    return TemplateWriter().write(dataclasses.replace(FULL, **changes))  # type: ignore[arg-type]


def test_the_email_of_a_promise() -> None:
    draft = write()
    assert draft.template_id == "email/en/promise@1"
    assert draft.subject == "As agreed: Send the revised quote for 40 seats"
    assert draft.body == (
        "Hello Ada Lovelace,\n\n"
        "I am following up on what we agreed in our call on 12 November 2026: "
        "“Send the revised quote for 40 seats”.\n\n"
        "Does that still suit you, or has anything changed on your side since then? "
        "If there is something that I should take into account, please let me know.\n\n"
        "I plan to be in touch on Thursday, 3 December 2026. "
        "If you would like to talk sooner, a short reply is enough.\n\n"
        "Kind regards\nGrace Hopper"
    )


def test_the_text_message_of_a_question_in_german() -> None:
    draft = write(
        channel="text",
        language="de",
        signal_kind="question",
        signal_title="Wann liefern Sie?",
        sender_name=None,
    )
    assert draft.template_id == "text/de/question@1"
    assert draft.body == (
        'Guten Tag Ada Lovelace. Sie hatten bei unserem Telefonat eine Frage: "Wann liefern Sie?" '
        "Ich würde sie gern mit Ihnen durchgehen. Wann passt Ihnen ein kurzes Telefonat?"
    )


@pytest.mark.parametrize(("channel", "language"), PAIRS)
def test_every_kind_has_an_opening_of_its_own(channel: Channel, language: Language) -> None:
    drafts = [write(channel=channel, language=language, signal_kind=kind) for kind in ALL_KINDS]
    assert len({draft.body for draft in drafts}) == len(drafts)
    assert len({draft.template_id for draft in drafts}) == len(drafts)
    other = write(channel=channel, language=language, signal_kind="objection")
    assert other.template_id == f"{channel}/{language}/general@1"


@pytest.mark.parametrize("channel", ["text", "email"])
@pytest.mark.parametrize("kind", ALL_KINDS)
def test_notes_about_the_customer_stay_internal(channel: Channel, kind: str) -> None:
    draft = write(
        channel=channel,
        signal_kind=kind,
        signal_title="TITLE",
        signal_body="BODY",
        instruction="WISH",
        interaction_title="SUMMARY",
    )
    text = f"{draft.subject} {draft.body}"
    assert ("TITLE" in text) == (kind in {"promise", "question"})
    assert not [note for note in ("BODY", "WISH", "SUMMARY") if note in text]


def test_talking_points_contain_the_notes() -> None:
    body = write(channel="call").body
    for text in (FULL.signal_title, FULL.signal_body, FULL.instruction, FULL.interaction_title):
        assert text is not None
        assert text in body


@pytest.mark.parametrize(("channel", "language"), PAIRS)
def test_the_longest_facts_fit_without_being_cut_off(channel: Channel, language: Language) -> None:
    """The texts of a template and the longest facts together keep the limits, for every kind and type."""
    long = "ab" * 5_000
    latest = datetime(2026, 9, 30, tzinfo=UTC)  # Wednesday, 30 September
    for kind, code in product(ALL_KINDS, TYPES):
        draft = write(
            channel=channel,
            language=language,
            signal_kind=kind,
            interaction_type=code,
            signal_title=long,
            signal_body=long,
            instruction=long,
            person_name=long,
            interaction_title=long,
            sender_name=long,
            interaction_at=latest,
            next_at=latest,
        )
        limits = LIMITS[channel]
        assert len(draft.body) < limits.body, draft.template_id
        assert draft.subject is None or (limits.subject is not None and len(draft.subject) < limits.subject)
        ends = {"call": ".", "email": "…", "text": "?.…"}[channel]
        assert draft.body[-1] in ends, "the end of the template is there"


@pytest.mark.parametrize(("channel", "language"), PAIRS)
def test_any_missing_fact_leaves_a_complete_text(channel: Channel, language: Language) -> None:
    for kind, (name, value) in product(ALL_KINDS, EMPTY.items()):
        request = dataclasses.replace(FULL, channel=channel, language=language, signal_kind=kind)
        request = dataclasses.replace(request, **{name: value})
        assert_valid(TemplateWriter().write(request), request, "template")


def test_a_long_title_ends_at_a_word() -> None:
    title = "Send the revised quote for forty seats and the training plan for the second quarter to Ada"
    quoted = write(channel="text", signal_title=title).body.split('"')[1]
    assert quoted == "Send the revised quote for forty seats and the training..."
    assert len(quoted) <= 60


def test_a_title_is_quoted_as_data() -> None:
    body = write(signal_title='  {{ 7 * 191 }} <b>the</b> "new"\u202e\nquote: ').body
    assert "“{{ 7 * 191 }} the 'new' quote”." in body


def test_dates_are_those_of_the_given_time_zone() -> None:
    late = datetime(2026, 12, 31, 23, 30, tzinfo=UTC)
    assert "31 December 2026" in write(interaction_at=late).body
    assert "1 January 2027" in write(interaction_at=late.astimezone(timezone(timedelta(hours=1)))).body


def test_a_missing_fact_is_an_error_not_a_hole() -> None:
    environment = template._environment()
    assert isinstance(environment, ImmutableSandboxedEnvironment)
    assert environment.undefined is StrictUndefined
    with pytest.raises(UndefinedError):
        environment.from_string("{{ company }}").render()


@pytest.mark.parametrize("source", ["{{ ''.__class__.__mro__ }}", "{{ [].append(1) }}"])
def test_templates_are_sandboxed(source: str) -> None:
    with pytest.raises(SecurityError):
        template._environment().from_string(source).render()


@pytest.mark.parametrize("field", ["kind", "name", "topic", "interaction_type", "interaction_at"])
@pytest.mark.parametrize(("channel", "language"), PAIRS)
def test_templates_use_the_facts(
    channel: Channel, language: Language, field: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if (channel, field) == ("text", "interaction_at"):
        pytest.skip("text messages have no dates")
    real = template._facts

    def without(request: DraftRequest, kind: str) -> dict[str, object]:
        return {name: fact for name, fact in real(request, kind).items() if name != field}

    monkeypatch.setattr(template, "_facts", without)
    with pytest.raises(UndefinedError):
        write(channel=channel, language=language)


def test_there_is_a_template_per_channel_and_language() -> None:
    folder = Path(template.__file__).with_name("templates")
    found = {str(file.relative_to(folder)) for file in folder.rglob("*.j2")}
    wanted = {f"{c}/{language}.j2" for c in (*get_args(Channel), "words") for language in get_args(Language)}
    assert found == wanted
